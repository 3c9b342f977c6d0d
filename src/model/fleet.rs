//! Many services that recover together: as authored, and with every selection resolved. Plain data.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::{ServiceName, SiteName, StepId};
use super::run::words;
use super::runbook::{ApiVersion, Metadata};
use super::values::Objectives;

words! {
    /// Kind of document.
    FleetKind {
        /// Many services together.
        Fleet = "Fleet",
    }
}

/// Many services together, as authored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Version of the language.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// Kind of document.
    pub kind: FleetKind,
    /// Name, owner, labels.
    pub metadata: Metadata,
    /// What the business asked for, of all members together; each member keeps its own.
    #[serde(default)]
    pub objectives: Objectives,
    /// At most this many members are under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_parallel: Option<u32>,
    /// What follows when a member is in trouble: it failed, is stuck, or was paused by a failure.
    #[serde(default)]
    pub on_member_failure: OnMemberFailure,
    /// The members.
    #[schemars(length(min = 1, max = 10_000))]
    pub members: Vec<Member>,
}

/// What follows when a member is in trouble.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnMemberFailure {
    /// Whether further members begin; default: no.
    #[serde(default, rename = "continue")]
    pub goes_on: bool,
    /// How many members may be in trouble at once: a number, or a part of all such as `5%`, rounded down.
    /// With more, no further member begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<Share>,
}

/// One service, or all that carry some labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What other members call it in `needs`; default: its service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<StepId>,
    /// The service, the `metadata.name` of its runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<ServiceName>,
    /// Or every service whose runbook carries these labels and that no other member names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<Selection>,
    /// Members that must have succeeded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepId>,
    /// Values of parameters.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// Site the service leaves; default: as in a run of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SiteName>,
    /// Site it moves to; default: as in a run of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<SiteName>,
}

/// Which services a member stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Labels of the runbook, all with these values.
    #[schemars(length(min = 1))]
    pub labels: BTreeMap<String, String>,
}

/// A number of members, or a part of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Share {
    /// This many.
    Count(u32),
    /// This part of all, in percent.
    Percent(u8),
}

impl Share {
    /// How many of all that is, rounded down.
    #[must_use]
    pub fn of(self, all: usize) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => u32::try_from(all * usize::from(percent) / 100).unwrap_or(u32::MAX),
        }
    }
}

impl TryFrom<Value> for Share {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let invalid = || format!("{value} is neither a number of members nor a part such as \"5%\"");
        match &value {
            Value::Number(number) => {
                let count = number.as_u64().and_then(|count| u32::try_from(count).ok());
                count.map(Self::Count).ok_or_else(invalid)
            }
            Value::String(text) => {
                let percent = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
                percent.filter(|percent| *percent <= 100).map(Self::Percent).ok_or_else(invalid)
            }
            _ => Err(invalid()),
        }
    }
}

impl From<Share> for Value {
    fn from(share: Share) -> Self {
        match share {
            Share::Count(count) => count.into(),
            Share::Percent(percent) => format!("{percent}%").into(),
        }
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of members, or a part of all such as \"5%\".",
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": "^(100|[0-9]{1,2})%$"}
            ]
        })
    }
}

/// A fleet with every selection resolved: which services, and which before which.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Roster {
    /// Name, owner, labels.
    pub metadata: Metadata,
    /// What the business asked for.
    pub objectives: Objectives,
    /// At most this many members are under way at once.
    pub max_parallel: Option<u32>,
    /// What follows when a member is in trouble.
    pub on_member_failure: OnMemberFailure,
    /// The members, in the order of the text.
    pub members: Vec<Placed>,
}

/// A member of a roster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placed {
    /// Its service.
    pub service: ServiceName,
    /// Services that must have recovered before.
    pub needs: Vec<ServiceName>,
    /// Values of parameters.
    pub with: Map<String, Value>,
    /// Site the service leaves.
    pub from: Option<SiteName>,
    /// Site it moves to.
    pub to: Option<SiteName>,
}

impl Roster {
    /// How many members may be in trouble before no further one begins.
    #[must_use]
    pub fn tolerance(&self) -> u32 {
        match (self.on_member_failure.goes_on, self.on_member_failure.stop_after) {
            (false, None) => 0,
            (true, None) => u32::MAX,
            (_, Some(share)) => share.of(self.members.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down() {
        let share = |value: Value| Share::try_from(value);
        assert_eq!(share("5%".into()).map(|share| [19, 20, 500].map(|all| share.of(all))), Ok([0, 1, 25]));
        assert_eq!(share(3.into()).map(|share| share.of(2)), Ok(3));
        for wrong in [Value::from("5"), "101%".into(), (-1).into(), true.into()] {
            assert!(share(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
