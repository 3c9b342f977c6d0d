//! The rules that a policy's author wrote, over a plan. A rule that cannot be evaluated denies.

use serde_json::{Value, json};

use super::{Finding, select, severity};
use crate::compile::{Code, Severity};
use crate::model::expression::{self, Context};
use crate::model::governance::{DenyRule, Policy};
use crate::model::runbook::Runbook;
use crate::plan::{self, Plan};

/// Longest message of a rule, in characters.
const MESSAGE: usize = 400;

/// Findings of the rules.
pub(super) fn rules(policy: &Policy, runbook: &Runbook, plan: &Plan) -> Vec<Finding> {
    let fitting = policy.deny.iter().filter(|rule| select::fits(&rule.select, runbook, plan.operation));
    let fitting: Vec<&DenyRule> = fitting.collect();
    if fitting.is_empty() {
        return Vec::new();
    }
    let context = Context::new(&json!({ "plan": plan::facts(runbook, plan) }));
    fitting.into_iter().filter_map(|rule| judged(rule, &context)).collect()
}

fn judged(rule: &DenyRule, context: &Context) -> Option<Finding> {
    let name = format!("deny {}", rule.id);
    let undecided = |error: &expression::Error| {
        let message = format!("the rule `{}` cannot be evaluated: {error}", rule.id);
        let help =
            "correct its expression in the policy; ask for what may be missing with `is defined` first";
        Finding::new(Code::PolicyUndecided, Severity::Error, name.clone(), clipped(&message)).help(help)
    };
    match rule.when.is_true(context) {
        Err(error) => Some(undecided(&error)),
        Ok(false) => None,
        Ok(true) => {
            let message = match expression::render(&Value::String(rule.message.clone()), context) {
                Ok(Value::String(message)) => message,
                Ok(other) => other.to_string(),
                Err(error) => return Some(undecided(&error)),
            };
            let code = Code::DeniedByPolicy;
            let finding = Finding::new(code, severity(rule.severity), name, clipped(&message));
            Some(Finding { help: rule.help.clone(), ..finding })
        }
    }
}

/// On one line, and not longer than a person reads.
fn clipped(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MESSAGE {
        return line;
    }
    line.chars().take(MESSAGE - 3).chain("...".chars()).collect()
}
