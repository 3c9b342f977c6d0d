//! What a step's author decides about failure, time, people and partial success.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::run::words;
use super::time::Duration;

words! {
    /// What follows when a step has failed for good.
    OnFailure {
        /// Hold the run for a person.
        Pause = "pause",
        /// End the run as failed.
        Abort = "abort",
        /// Go on without the step.
        Continue = "continue",
        /// Take back what was applied, in reverse.
        Unwind = "unwind",
    }
}

words! {
    /// What it takes to take an effect back.
    Reversibility {
        /// The action can restore what it found.
        Reversible = "reversible",
        /// Another action can make up for it.
        Compensable = "compensable",
        /// It cannot be taken back.
        Irreversible = "irreversible",
    }
}

words! {
    /// What happens to members still running when a group has enough successes.
    Stragglers {
        /// They run on.
        Run = "run",
        /// They are cancelled.
        Cancel = "cancel",
    }
}

words! {
    /// What happens when an approval is not given in time.
    OnExpiry {
        /// Go on waiting; the run says so.
        Hold = "hold",
        /// Count it as a denial.
        Deny = "deny",
        /// Go on waiting, and tell those who are named for it.
        Escalate = "escalate",
        /// Go on without it; refused before an irreversible step.
        Proceed = "proceed",
    }
}

words! {
    /// Whom an approval excludes.
    NotBy {
        /// The person who started the run.
        Starter = "starter",
    }
}

/// When and how often a failed attempt is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Attempts in all, the first included.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// Pause before the second attempt; doubles with each further one.
    #[serde(default = "Retry::default_backoff")]
    pub backoff: Duration,
    /// Longest pause.
    #[serde(default = "Retry::default_max_backoff")]
    pub max_backoff: Duration,
    /// Spread pauses, so that many runs do not strike together.
    #[serde(default = "Retry::default_jitter")]
    pub jitter: bool,
}

impl Retry {
    const fn default_backoff() -> Duration {
        Duration::from_secs(2)
    }
    const fn default_max_backoff() -> Duration {
        Duration::from_secs(60)
    }
    const fn default_jitter() -> bool {
        true
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 1,
            backoff: Self::default_backoff(),
            max_backoff: Self::default_max_backoff(),
            jitter: Self::default_jitter(),
        }
    }
}

/// How many members of a group must succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum MinSuccess {
    /// At least this many.
    Count(u32),
    /// At least this part of all, in percent, rounded up.
    Percent(u8),
}

impl MinSuccess {
    /// How many of `members` must succeed.
    #[must_use]
    pub fn of(self, members: usize) -> usize {
        match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX).min(members),
            Self::Percent(percent) => (members * usize::from(percent)).div_ceil(100),
        }
    }
}

impl TryFrom<serde_json::Value> for MinSuccess {
    type Error = String;
    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        let invalid = || format!("{value} is not a number of members or a percentage such as \"80%\"");
        match &value {
            serde_json::Value::Number(number) => {
                let count =
                    number.as_u64().and_then(|count| u32::try_from(count).ok()).ok_or_else(invalid)?;
                Ok(Self::Count(count))
            }
            serde_json::Value::String(text) => {
                let digits = text.strip_suffix('%').ok_or_else(invalid)?;
                let percent: u8 = digits.parse().map_err(|_| invalid())?;
                if percent <= 100 { Ok(Self::Percent(percent)) } else { Err(invalid()) }
            }
            _ => Err(invalid()),
        }
    }
}

impl From<MinSuccess> for serde_json::Value {
    fn from(min: MinSuccess) -> Self {
        match min {
            MinSuccess::Count(count) => count.into(),
            MinSuccess::Percent(percent) => format!("{percent}%").into(),
        }
    }
}

impl JsonSchema for MinSuccess {
    fn schema_name() -> Cow<'static, str> {
        "MinSuccess".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many members must succeed: a number, or a percentage such as \"80%\".",
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^(100|[0-9]{1,2})%$"}
            ]
        })
    }
}

/// Who must agree before a step may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Roles that may approve; empty: anyone who may operate the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// How many different people must approve.
    #[serde(default = "Approval::default_quorum")]
    #[schemars(range(min = 1, max = 20))]
    pub quorum: u32,
    /// How long the approval may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Duration>,
    /// What follows when it takes longer.
    #[serde(default = "Approval::default_on_expiry")]
    pub on_expiry: OnExpiry,
    /// People who may not approve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_by: Vec<NotBy>,
    /// What the approver should read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Approval {
    const fn default_quorum() -> u32 {
        1
    }
    const fn default_on_expiry() -> OnExpiry {
        OnExpiry::Hold
    }
}
