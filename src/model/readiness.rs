//! How ready a service is for a failover: the words, and the fact that it has changed. Judges nothing.

use serde::{Deserialize, Serialize};

use super::run::words;

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

/// A service is as ready as it was not before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadinessChanged {
    /// How ready it was; absent: nobody had looked before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Readiness>,
    /// How ready it is.
    pub to: Readiness,
    /// Why, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReasonKept>,
}

/// A reason as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonKept {
    /// Which, such as `never_exercised`.
    pub code: String,
    /// What it is.
    pub text: String,
    /// What to type about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}
