//! What the policy says to a runbook, a plan and a run: findings. Pure; decides nothing else, and never
//! holds a failover up for a window or an exercise.

mod approvals;
mod exercise;
mod lints;
mod rules;
mod select;
mod whole;
mod window;

use serde::Serialize;

use crate::compile::{Code, Severity};
use crate::model::governance::{Policy, Weighs};
use crate::model::run::Intent;
use crate::model::runbook::Runbook;
use crate::plan::{self, Plan};

pub use exercise::{Exercised, exercise};
pub use lints::lints;
pub use whole::runbook;
pub use window::{Begin, window};

/// One breach of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule of drctl.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// Which part of the policy, such as `deny no-programs`.
    pub rule: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What it is about in the runbook, as a JSON pointer.
    pub pointer: String,
}

impl Finding {
    fn new(code: Code, severity: Severity, rule: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            rule: rule.into(),
            message: message.into(),
            help: None,
            pointer: "/metadata/name".to_owned(),
        }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Says whether a run is refused for it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Name of a policy by its content: SHA-256 in hex; comments and layout do not count.
#[must_use]
pub fn digest(policy: &Policy) -> String {
    plan::of_value(&serde_json::to_value(policy).unwrap_or_default())
}

/// What the policy says to a plan, whenever it is run.
#[must_use]
pub fn plan(policy: &Policy, runbook: &Runbook, plan: &Plan) -> Vec<Finding> {
    let mut findings = approvals::approvals(policy, runbook, plan);
    findings.extend(rules::rules(policy, runbook, plan));
    findings
}

/// What a plan is judged as: a simulation or a check as the real run it stands for, a drill as a drill.
#[must_use]
pub const fn stands_for(intent: Intent) -> Intent {
    match intent {
        Intent::Drill => Intent::Drill,
        Intent::Real | Intent::Check | Intent::Simulate => Intent::Real,
    }
}

const fn severity(weighs: Weighs) -> Severity {
    match weighs {
        Weighs::Error => Severity::Error,
        Weighs::Warning => Severity::Warning,
        Weighs::Note => Severity::Note,
    }
}
