//! Whether a service is ready for a failover, and why not: from what was recorded about it. Pure; never
//! calls a target an achievement.

mod facts;
mod rules;

use serde::Serialize;

use crate::model::run::words;

pub use facts::{Checked, Definition, Facts, OpenFinding, OpenRun};
pub use rules::age;

words! {
    /// How ready a service is. Later ones are worse.
    Readiness {
        /// A recovery was shown, lately, with the runbook as it is.
        Ready = "ready",
        /// Nothing was shown, or too long ago, or too little of it.
        NeedsDrill = "needs_drill",
        /// What was shown is not all that a failover needs, or not of the runbook as it is.
        NeedsVerification = "needs_verification",
        /// Something is wrong, or waits for a person.
        ActionRequired = "action_required",
    }
}

/// Age at which an exercise is stale where the runbook does not say.
pub const FRESHNESS: crate::model::time::Duration = crate::model::time::Duration::from_secs(90 * 86_400);

/// One thing to know about the readiness of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
