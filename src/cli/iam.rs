//! `drctl plan --iam`: the least an identity must be allowed for a plan. Asks AWS nothing.

use serde_json::{Map, Value};

use super::{Error, Format, exit, output};
use crate::config::Config;
use crate::plan::Plan;
use crate::plan::access::{self, AccountPolicy};

/// Prints the policy of the only account, of the one asked for, or all by account. What a person should know
/// goes to standard error, so that standard output is a policy and nothing else.
///
/// # Errors
/// When the plan works in no such account.
pub(crate) fn print(config: &Config, format: Format, plan: &Plan, account: &str) -> Result<(), Error> {
    let mut policies = access::policies(plan);
    if policies.is_empty() {
        output::say("note: no step of this plan asks AWS for anything");
        return Ok(());
    }
    if !account.is_empty() {
        let known: Vec<_> = policies.iter().map(named).collect();
        policies.retain(|policy| policy.account.as_deref() == Some(account));
        if policies.is_empty() {
            let message = format!("the plan works in no account {account}");
            return Err(
                Error::new(exit::USAGE, message).help(format!("its accounts are {}", known.join(", ")))
            );
        }
    }
    for policy in &policies {
        output::say(&format!("note: {}{}", named(policy), who(config, policy)));
        for note in &policy.notes {
            output::say(&format!("  {note}"));
        }
    }
    let checks = access::of_checks(plan);
    if !checks.is_empty() {
        output::say(&format!("note: `drctl check` also asks for {}", checks.join(", ")));
    }
    let shown = match policies.as_slice() {
        [only] => only.document.clone(),
        several => {
            output::say("note: several accounts: `--iam ACCOUNT` prints the policy of one alone");
            let by_account = several.iter().map(|policy| (named(policy), policy.document.clone()));
            Value::Object(by_account.collect::<Map<_, _>>())
        }
    };
    let format = if format == Format::Text { Format::Json } else { format };
    output::print(format, &shown, String::new)
}

fn named(policy: &AccountPolicy) -> String {
    policy.account.clone().unwrap_or_else(|| "account of the credentials".to_owned())
}

/// Whose policy it is, as far as the configuration says.
fn who(config: &Config, policy: &AccountPolicy) -> String {
    let access = policy.account.as_ref().and_then(|account| config.aws.accounts.get(account));
    let profile = access.and_then(|access| access.profile.as_ref()).or(config.aws.profile.as_ref());
    let role = access.and_then(|access| access.role_arn.as_ref());
    let file = access.and_then(|access| access.web_identity_token_file.as_ref());
    match (role, profile, file) {
        (Some(role), _, Some(_)) => format!(": for role {role}, which a web identity assumes"),
        (Some(role), profile, None) => {
            let by = profile.map_or_else(String::new, |profile| format!(" of profile `{profile}`"));
            format!(": for role {role}; the credentials{by} need sts:AssumeRole on it")
        }
        (None, Some(profile), _) => format!(": for the credentials of profile `{profile}`"),
        (None, None, _) => ": for the credentials in force".to_owned(),
    }
}
