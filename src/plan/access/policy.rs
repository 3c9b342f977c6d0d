//! Puts what a plan needs into IAM policy documents, one for each account. Must never depend on the order of
//! anything but names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::super::node::Plan;
use super::need::{Condition, Need, Wide};
use super::{calls, needs};

/// Characters a managed policy may have, spaces not counted. Source: quotas of IAM.
const MANAGED: usize = 6_144;

/// What must be allowed in one account.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountPolicy {
    /// Twelve digits; absent: whatever account the credentials belong to.
    pub account: Option<String>,
    /// An IAM policy document.
    pub document: Value,
    /// What a person should know about it.
    pub notes: Vec<String>,
}

/// What belongs together: everything needed of one permission under one condition.
#[derive(Default)]
struct Wanted {
    resources: BTreeSet<String>,
    why: BTreeSet<Wide>,
}

/// What permissions of one statement have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    resources: Vec<String>,
    condition: Option<Condition>,
    /// IAM knows none: told apart from everything that is only not known.
    no_resources: bool,
}

/// The least an identity must be allowed for every step, check, reading and undo of a plan, in either mode.
#[must_use]
pub fn policies(plan: &Plan) -> Vec<AccountPolicy> {
    let mut accounts: BTreeMap<Option<String>, Vec<Need>> = BTreeMap::new();
    for (_, call, undone) in calls(plan) {
        for need in needs(&plan.sites, plan.from.as_ref(), call, undone) {
            accounts.entry(need.account.clone()).or_default().push(need);
        }
    }
    accounts.into_iter().map(|(account, needs)| of(account, needs)).collect()
}

fn of(account: Option<String>, needs: Vec<Need>) -> AccountPolicy {
    let mut wanted: BTreeMap<(&'static str, Option<Condition>), Wanted> = BTreeMap::new();
    for need in needs {
        let entry = wanted.entry((need.permission, need.condition)).or_default();
        entry.resources.extend(need.resources);
        entry.why.extend(need.wide);
    }
    let notes = notes(account.as_ref(), &wanted);
    let mut statements: BTreeMap<Group, BTreeSet<&'static str>> = BTreeMap::new();
    for ((permission, condition), wanted) in &wanted {
        let group = Group {
            resources: narrowest(&wanted.resources),
            condition: *condition,
            no_resources: wanted.why.contains(&Wide::NoResources),
        };
        statements.entry(group).or_default().insert(permission);
    }
    let mut statements: Vec<_> = statements.into_iter().collect();
    statements
        .sort_by(|(one, first), (other, second)| first.first().cmp(&second.first()).then(one.cmp(other)));
    let mut sids = BTreeMap::new();
    let statements: Vec<Value> = statements
        .iter()
        .map(|(group, permissions)| statement(sid(permissions, group, &mut sids), permissions, group))
        .collect();
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    let mut notes = notes;
    let size = document.to_string().chars().filter(|c| !c.is_whitespace()).count();
    if size > MANAGED {
        notes.push(format!(
            "the policy has {size} characters, and a managed policy may have {MANAGED}: split its statements over two"
        ));
    }
    AccountPolicy { account, document, notes }
}

fn statement(sid: String, permissions: &BTreeSet<&'static str>, group: &Group) -> Value {
    let mut fields = Map::new();
    fields.insert("Sid".to_owned(), sid.into());
    fields.insert("Effect".to_owned(), "Allow".into());
    fields.insert("Action".to_owned(), json!(permissions));
    fields.insert("Resource".to_owned(), json!(group.resources));
    if let Some((operator, key, value)) = group.condition {
        fields.insert("Condition".to_owned(), json!({operator: {key: value}}));
    }
    Value::Object(fields)
}

/// A name for a statement: its services, and a number. `NoResourceLevel`: IAM knows no resources for these.
fn sid(permissions: &BTreeSet<&'static str>, group: &Group, taken: &mut BTreeMap<String, u32>) -> String {
    if group.no_resources {
        return "NoResourceLevel".to_owned();
    }
    let services: BTreeSet<&str> = permissions.iter().filter_map(|name| name.split(':').next()).collect();
    let name: String = services.iter().map(|service| capitalised(service)).collect();
    let number = taken.entry(name.clone()).or_default();
    *number += 1;
    format!("{name}Part{number}")
}

fn capitalised(service: &str) -> String {
    let parts = service.split('-').map(|part| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    parts.collect()
}

/// Leaves out what a wider one of the resources allows anyway.
fn narrowest(resources: &BTreeSet<String>) -> Vec<String> {
    let within = |arn: &&String| {
        resources
            .iter()
            .any(|other| other != *arn && other.strip_suffix('*').is_some_and(|begin| arn.starts_with(begin)))
    };
    resources.iter().filter(|arn| !within(arn)).cloned().collect()
}

fn notes(
    account: Option<&String>,
    wanted: &BTreeMap<(&'static str, Option<Condition>), Wanted>,
) -> Vec<String> {
    let mut notes = Vec::new();
    for (why, text) in [
        (Wide::NoResources, "on everything, because IAM knows no resources for it"),
        (Wide::GivenByAws, "with `*` in place of ids that AWS gives out"),
        (Wide::Search, "on all that is looked through"),
        (Wide::NotKnown, "with `*` for names that are known only in the run, or that AWS chooses by default"),
    ] {
        let of = wanted.iter().filter(|(_, it)| {
            it.why.contains(&why) && (why != Wide::NoResources || it.resources.contains("*"))
        });
        let names: BTreeSet<&str> = of.map(|((permission, _), _)| *permission).collect();
        if !names.is_empty() {
            notes.push(format!("{text}: {}", names.into_iter().collect::<Vec<_>>().join(", ")));
        }
    }
    if account.is_none() {
        let help = "write `account` on the sites to narrow it";
        notes.push(format!("the account is not known, and stands as `*` in the ARNs: {help}"));
    }
    notes
}
