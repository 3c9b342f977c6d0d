//! Whether IAM would allow what an action asks for, by its own simulation. Must never claim more than was
//! simulated: a refusal counts only on a resource whose name is known, and silence is said to be silence.

use std::collections::{BTreeMap, BTreeSet};

use super::call::Call;
use super::clients::Aws;
use super::failure::Error;
use super::place::Place;
use super::{permanent, xml};
use crate::model::action::Action;
use crate::model::run::Failure;
use crate::plan::Call as Planned;
use crate::plan::access::{self, Condition, Need, Wide};
use crate::ports::{AttemptContext, Precheck};
use crate::providers::excerpt;

/// Versions of the two APIs.
const IAM: &str = "2010-05-08";
const STS: &str = "2011-06-15";

/// What is simulated with one request.
type Question = (String, Option<Condition>);

/// Asks IAM about everything an action needs.
///
/// # Errors
/// Permanent, naming what is not allowed, to whom, and what to do.
pub(super) async fn check(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    seen: &mut Precheck,
) -> Result<(), Failure> {
    let mut accounts: BTreeMap<Option<String>, Vec<Need>> = BTreeMap::new();
    for need in needs(action, context) {
        accounts.entry(need.account.clone()).or_default().push(need);
    }
    let mut denied = Vec::new();
    for (account, needs) in accounts {
        let place = Place { account, region: home(context).to_owned() };
        match ask(aws, &place, context, &needs, &mut denied).await {
            Ok((allowed, all)) if allowed == all => {
                seen.found.push(format!("{all} permissions are allowed, by IAM's simulation"));
            }
            Ok((allowed, all)) => seen.unknown.push(format!(
                "{allowed} of {all} permissions are allowed, by IAM's simulation; for the others a name is not known"
            )),
            Err(why) => {
                aws.note(silent(&place));
                seen.unknown.push(format!("permissions were not checked: {why}"));
            }
        }
    }
    if denied.is_empty() {
        return Ok(());
    }
    let message =
        format!("IAM does not allow {}: `drctl plan --iam` prints what is needed", denied.join("; "));
    Err(permanent(excerpt::message(&message)))
}

/// How many of some permissions are allowed, and of how many; what is refused is added.
async fn ask(
    aws: &Aws,
    place: &Place,
    context: &AttemptContext,
    needs: &[Need],
    denied: &mut Vec<String>,
) -> Result<(usize, usize), String> {
    let who = principal(aws, place, context).await?;
    let account = who.split(':').nth(4).unwrap_or_default();
    let mut questions: BTreeMap<Question, BTreeSet<&str>> = BTreeMap::new();
    let mut untold = BTreeSet::new();
    for need in needs {
        for resource in need.resources.iter().map(|resource| of_account(resource, account)) {
            if tells(need, &resource) {
                questions.entry((resource, need.condition)).or_default().insert(need.permission);
            } else {
                untold.insert(need.permission);
            }
        }
    }
    for ((resource, condition), permissions) in questions {
        let refused = simulate(aws, place, context, (&who, &resource, condition), &permissions).await?;
        let on = if resource == "*" { String::new() } else { format!(" on {resource}") };
        denied.extend(refused.iter().map(|name| format!("{name}{on} to {who}")));
    }
    let all: BTreeSet<&str> = needs.iter().map(|need| need.permission).collect();
    Ok((all.len() - untold.len(), all.len()))
}

/// An ARN whose account was not known is in that of the credentials.
fn of_account(resource: &str, account: &str) -> String {
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    match parts.as_slice() {
        [arn, partition, service, region, "*", rest] => {
            [arn, partition, service, region, account, rest].join(":")
        }
        _ => resource.to_owned(),
    }
}

fn needs(action: &Action, context: &AttemptContext) -> Vec<Need> {
    let with = action.parameters().as_object().cloned().unwrap_or_default();
    let call = Planned { action: action.name(), with, deferred: false, sensitive: false, child: None };
    access::needs(&context.sites, context.from.as_ref(), &call, false)
}

/// Whether an answer on a resource means anything: a policy may allow each of many things, and not all.
fn tells(need: &Need, resource: &str) -> bool {
    need.wide == Some(Wide::NoResources) || !resource.contains('*')
}

/// IAM has one region in each partition.
fn home(context: &AttemptContext) -> &'static str {
    let region = context.sites.values().find_map(|site| site.region.as_deref()).unwrap_or_default();
    match region {
        region if region.starts_with("cn-") => "cn-north-1",
        region if region.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

fn silent(place: &Place) -> String {
    format!("iam is silent about {}", place.account.as_deref().unwrap_or("the credentials"))
}

/// ARN of the user or role the credentials belong to.
async fn principal(aws: &Aws, place: &Place, context: &AttemptContext) -> Result<String, String> {
    if aws.noted_at(&silent(place)).is_some() {
        return Err("IAM was asked before, in vain".to_owned());
    }
    let asked = aws.read("sts", "GetCallerIdentity", place, context);
    let call = Call::query("sts", STS, "GetCallerIdentity", &[]);
    let answer = aws.call(&call, &asked, place, context).await.map_err(|failure| failure.message)?;
    let read = answer.text().and_then(xml::parse).map_err(|error| asked.failure(error).message)?;
    let arn = xml::text(read.root_element(), "GetCallerIdentityResult/Arn").unwrap_or_default();
    identity(arn, aws.role_of(place.account.as_deref()))
}

/// The identity behind a session. `configured`: the role that was assumed, which knows its path.
fn identity(arn: &str, configured: Option<&str>) -> Result<String, String> {
    let shown = excerpt::head(arn, 120);
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, service, _, account, thing] = parts.as_slice() else {
        return Err(format!("STS names the identity `{shown}`, which is no ARN"));
    };
    match (*service, thing.split('/').collect::<Vec<_>>().as_slice()) {
        ("iam", ["user", ..]) => Ok(arn.to_owned()),
        ("sts", ["assumed-role", role, ..]) => Ok(configured
            .filter(|known| known.rsplit('/').next() == Some(role))
            .map_or_else(|| format!("arn:{partition}:iam::{account}:role/{role}"), str::to_owned)),
        _ => Err(format!("IAM simulates users and roles, and the credentials are those of {shown}")),
    }
}

/// What is refused of some permissions on one resource.
async fn simulate(
    aws: &Aws,
    place: &Place,
    context: &AttemptContext,
    (who, resource, condition): (&str, &str, Option<Condition>),
    permissions: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, String> {
    let mut parameters = vec![
        ("PolicySourceArn".to_owned(), who.to_owned()),
        ("ResourceArns.member.1".to_owned(), resource.to_owned()),
        ("MaxItems".to_owned(), "1000".to_owned()),
    ];
    let actions = (1..).zip(permissions);
    parameters.extend(actions.map(|(at, name)| (format!("ActionNames.member.{at}"), (*name).to_owned())));
    if let Some((operator, key, value)) = condition {
        let kind = if operator == "Bool" { "boolean" } else { "string" };
        for (name, value) in
            [("ContextKeyName", key), ("ContextKeyType", kind), ("ContextKeyValues.member.1", value)]
        {
            parameters.push((format!("ContextEntries.member.1.{name}"), value.to_owned()));
        }
    }
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let asked = aws.read("iam", "SimulatePrincipalPolicy", place, context);
    let call = Call::query("iam", IAM, "SimulatePrincipalPolicy", &parameters);
    let sent = aws.try_call(&call, place, context).await.map_err(|failure| failure.message)?;
    let text = sent.and_then(|answer| answer.text().map(str::to_owned));
    let refused = text.and_then(|text| refused(&text, permissions.len()));
    refused.map_err(|error| asked.failure(error).message)
}

/// The permissions an answer does not allow.
fn refused(text: &str, asked: usize) -> Result<BTreeSet<String>, Error> {
    let document = xml::parse(text)?;
    let results = xml::members(document.root_element(), "SimulatePrincipalPolicyResult/EvaluationResults");
    if results.len() != asked {
        return Err(Error::Unreadable(format!("{} results for {asked} questions", results.len())));
    }
    let not_allowed = results.into_iter().filter(|it| xml::text(*it, "EvalDecision") != Some("allowed"));
    Ok(not_allowed.filter_map(|it| xml::text(it, "EvalActionName").map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_belongs_to_its_role() {
        let session = "arn:aws:sts::111122223333:assumed-role/dr/drctl";
        assert_eq!(identity(session, None).unwrap(), "arn:aws:iam::111122223333:role/dr");
        let with_path = "arn:aws:iam::111122223333:role/ops/dr";
        assert_eq!(identity(session, Some(with_path)).unwrap(), with_path);
        assert_eq!(
            identity(session, Some("arn:aws:iam::111122223333:role/x")).unwrap(),
            "arn:aws:iam::111122223333:role/dr"
        );
        let user = "arn:aws:iam::111122223333:user/alice";
        assert_eq!(identity(user, None).unwrap(), user);
        assert!(identity("arn:aws:iam::111122223333:root", None).is_err());
        assert!(identity("nonsense", None).is_err());
    }

    #[test]
    fn only_the_account_is_filled_in() {
        let account = "111122223333";
        let arn = |account: &str| format!("arn:aws:rds:us-east-1:{account}:db:pay-*");
        assert_eq!(of_account(&arn("*"), account), arn(account));
        assert_eq!(of_account(&arn("444455556666"), account), arn("444455556666"));
        assert_eq!(of_account("*", account), "*");
    }

    #[test]
    fn whatever_is_not_allowed_is_refused() {
        let result = |name: &str, decision: &str| {
            format!(
                "<member><EvalActionName>{name}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>"
            )
        };
        let results = [("a:One", "allowed"), ("a:Two", "implicitDeny"), ("a:Three", "explicitDeny")];
        let results: String = results.iter().map(|(name, decision)| result(name, decision)).collect();
        let text = format!(
            "<R><SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults>\
             </SimulatePrincipalPolicyResult></R>"
        );
        assert_eq!(refused(&text, 3).unwrap(), BTreeSet::from(["a:Three".to_owned(), "a:Two".to_owned()]));
        assert!(refused(&text, 4).is_err(), "an answer that leaves something out says nothing");
    }
}
