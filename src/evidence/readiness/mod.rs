//! Whether a service is ready for a failover, and why not: from what was recorded about it. Pure; never
//! calls a target an achievement.

mod facts;
mod rules;

use schemars::JsonSchema;
use serde::Serialize;

pub use crate::model::readiness::Readiness;
pub use facts::{Checked, Definition, Facts, MadeReal, OpenFinding, OpenRun};
pub use rules::age;

/// Age at which an exercise is stale where the runbook does not say.
pub const FRESHNESS: crate::model::time::Duration = crate::model::time::Duration::from_secs(90 * 86_400);

/// One thing to know about the readiness of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reason {
    /// Which, such as `never_exercised`.
    pub code: &'static str,
    /// What it makes of the service; `ready`: it is only told.
    pub makes: Readiness,
    /// What it is, in a sentence.
    pub text: String,
    /// What to type about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Somebody is waited for.
    #[serde(skip)]
    pub waits: bool,
}

/// How ready a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Judgement {
    /// The word.
    pub readiness: Readiness,
    /// Why, the worst first.
    pub reasons: Vec<Reason>,
}

impl Judgement {
    /// Says whether somebody must act: exit 6.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.readiness == Readiness::ActionRequired || self.reasons.iter().any(|reason| reason.waits)
    }
}

/// Judges a service by what is known of it.
#[must_use]
pub fn judge(facts: &Facts<'_>) -> Judgement {
    let mut reasons = rules::reasons(facts);
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.makes));
    let readiness = reasons.first().map_or(Readiness::Ready, |reason| reason.makes);
    Judgement { readiness, reasons }
}
