//! The scenario format, typed. Plain data that reads no text itself: that is in `document`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document::{self, ScenarioError};
use crate::model::id::SiteName;
use crate::model::run::{FailureClass, words};
use crate::model::time::Duration;
use crate::model::values::Site;

/// Seed of a scenario that names none.
const SEED: u64 = 1;

words! {
    /// Version of the scenario format.
    ScenarioApiVersion {
        /// The first.
        V1 = "drctl/v1",
    }
}

words! {
    /// Kind of document.
    ScenarioKind {
        /// A chaos scenario.
        Scenario = "Scenario",
    }
}

/// What goes wrong on the simulated estate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of the format.
    #[serde(rename = "apiVersion")]
    pub api_version: ScenarioApiVersion,
    /// Kind of document.
    pub kind: ScenarioKind,
    /// Name and purpose.
    pub metadata: ScenarioMetadata,
    /// Everything that is drawn follows from this; the same seed gives the same run.
    #[serde(default = "seed")]
    pub seed: u64,
    /// When people approve.
    #[serde(default)]
    pub approvals: Approvals,
    /// What is lost, and when.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// How single attempts differ from what is expected; the first that matches counts.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// How replicas follow.
    #[serde(default)]
    pub replication: Replication,
    /// How old backups are.
    #[serde(default)]
    pub backups: Backups,
    /// How much of the capacity asked for arrives.
    #[serde(default)]
    pub capacity: CapacityShare,
}

fn seed() -> u64 {
    SEED
}

/// What a scenario is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioMetadata {
    /// Its name.
    pub name: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// When people approve: after some time (default 30s), or never.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// How long they take; default 30s. In a forecast, half of them take longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
    /// In a forecast, one of twenty takes longer than this; default half as long again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<Duration>,
    /// In a forecast, how long a person takes to confirm the point of no return; default: it was confirmed
    /// when the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Duration>,
    /// Nobody ever approves.
    #[serde(default)]
    pub never: bool,
}

words! {
    /// What a fault takes away from a place.
    Lose {
        /// Everything: nothing there runs, nothing answers.
        All = "all",
        /// APIs that create and change things; what runs there goes on.
        ControlPlane = "control_plane",
        /// What runs there; APIs still answer.
        DataPlane = "data_plane",
        /// The way there: nothing answers, but all goes on running, cut off.
        Network = "network",
    }
}

/// A place is lost for some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When, since the run began; default 0s.
    #[serde(default)]
    pub at: Duration,
    /// `from`, `to`, or the name of a site; either this or `region`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// A region, whether or not a site is in it; either this or `site`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What is lost.
    pub lose: Lose,
    /// When it comes back, since the run began; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Duration>,
    /// How likely it is to occur in a run, such as `10%`; default `100%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<Percent>,
}

/// Which attempts a rule is about; what is absent matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Name of the action; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Name of the service, for the members of a fleet; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Address of the node; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Number of the attempt, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub attempt: Option<u32>,
}

words! {
    /// How an attempt fails; nothing is applied.
    Fail {
        /// May work when tried again.
        Transient = "transient",
        /// The service asks to slow down.
        Throttled = "throttled",
        /// Will fail again.
        Permanent = "permanent",
        /// A safety rule says no.
        Refused = "refused",
        /// Nobody answers.
        Unreachable = "unreachable",
    }
}

impl Fail {
    /// The class of the failure.
    #[must_use]
    pub const fn class(self) -> FailureClass {
        match self {
            Self::Transient => FailureClass::Transient,
            Self::Throttled => FailureClass::Throttled,
            Self::Permanent => FailureClass::Permanent,
            Self::Refused => FailureClass::Refused,
            Self::Unreachable => FailureClass::Unreachable,
        }
    }
}

/// How matching attempts differ from what is expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which attempts.
    #[serde(rename = "match")]
    pub matching: Match,
    /// How long they take. In a forecast, half of them take longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<Duration>,
    /// In a forecast, one of twenty takes longer than this; default: all take as long as `take` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_p95: Option<Duration>,
    /// How likely the rule is to count for each attempt, such as `5%`; default `100%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<Percent>,
    /// They fail, and nothing is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<Fail>,
    /// What the failure says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long the service asks to be left alone (`fail: throttled`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// How often the rule counts for each node; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub times: Option<u32>,
    /// The effect is applied, but the answer is lost. Actions that only read are not affected.
    #[serde(default)]
    pub reply_lost: bool,
    /// No answer ever comes. With `reply_lost` the effect is applied all the same.
    #[serde(default)]
    pub hang: bool,
    /// Outputs in place of those of the model.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
}

/// How replicas and heartbeats follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replication {
    /// How far they are behind while their source lives; frozen when it is lost.
    pub lag: Duration,
}

impl Default for Replication {
    fn default() -> Self {
        Self { lag: Duration::from_secs(2) }
    }
}

/// How old backups are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backups {
    /// Age of the newest backup or snapshot when the run begins.
    pub age: Duration,
}

impl Default for Backups {
    fn default() -> Self {
        Self { age: Duration::from_secs(1_800) }
    }
}

/// How much of the capacity asked for arrives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacityShare {
    /// Share of the wanted size that can be reached, such as `60%`.
    pub available: Percent,
}

/// A share from `0%` to `100%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent(u8);

impl Percent {
    /// The share as a number from 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Says whether a drawn number lies in the share.
    pub(in super::super) fn holds(self, drawn: u64) -> bool {
        drawn % 100 < u64::from(self.0)
    }

    /// The part of a number, rounded down.
    #[must_use]
    pub fn of(self, number: u32) -> u32 {
        u32::try_from(u64::from(number) * u64::from(self.0) / 100).unwrap_or(number)
    }
}

impl Default for Percent {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<String> for Percent {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let number =
            text.strip_suffix('%').and_then(|digits| digits.parse().ok()).filter(|share| *share <= 100);
        let shown: String = text.chars().take(40).collect();
        number.map(Self).ok_or_else(|| format!("`{shown}` is not a share: write it like 60%"))
    }
}

impl From<Percent> for String {
    fn from(share: Percent) -> String {
        format!("{}%", share.0)
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^(100|[1-9]?[0-9])%$"})
    }
}

/// How long people take to approve unless a scenario says otherwise.
const APPROVAL: Duration = Duration::from_secs(30);

impl Scenario {
    /// The scenario without a file: nothing goes wrong, people approve after 30 s.
    #[must_use]
    pub fn healthy() -> Self {
        Self {
            api_version: ScenarioApiVersion::V1,
            kind: ScenarioKind::Scenario,
            metadata: ScenarioMetadata { name: "healthy".to_owned(), description: None },
            seed: SEED,
            approvals: Approvals::default(),
            faults: Vec::new(),
            rules: Vec::new(),
            replication: Replication::default(),
            backups: Backups::default(),
            capacity: CapacityShare::default(),
        }
    }

    /// Reads a scenario from YAML.
    ///
    /// # Errors
    /// When the text is not a valid scenario; says where and why.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        document::parse(text)
    }

    /// Checks that every fault names a site that exists.
    ///
    /// # Errors
    /// When a fault names none of `from`, `to` and the given sites.
    pub fn check_sites(&self, sites: &BTreeMap<SiteName, Site>) -> Result<(), ScenarioError> {
        document::check_sites(self, sites)
    }

    /// How long people take to approve; `None`: nobody ever does.
    #[must_use]
    pub fn approval_delay(&self) -> Option<Duration> {
        (!self.approvals.never).then(|| self.approvals.after.unwrap_or(APPROVAL))
    }

    /// JSON Schema of the format, as `schemas/scenario.schema.json` holds it.
    #[must_use]
    pub fn schema() -> Value {
        let mut schema = schemars::schema_for!(Scenario).to_value();
        if let Some(fields) = schema.as_object_mut() {
            fields.insert("title".to_owned(), Value::from("drctl chaos scenario"));
        }
        schema
    }
}

impl Rule {
    /// Says whether the rule is about an attempt.
    pub(in super::super) fn matches(&self, action: &str, service: &str, node: &str, attempt: u32) -> bool {
        self.is_about(action, service, node) && self.matching.attempt.is_none_or(|number| number == attempt)
    }

    /// Says whether the rule is about any attempt of a node.
    pub(in super::super) fn is_about(&self, action: &str, service: &str, node: &str) -> bool {
        let fits = |pattern: &Option<String>, text: &str| pattern.as_deref().is_none_or(|it| glob(it, text));
        fits(&self.matching.action, action)
            && fits(&self.matching.service, service)
            && fits(&self.matching.node, node)
    }
}

/// Says whether a text fits a pattern in which `*` stands for any text. Takes time linear in the pattern's
/// parts.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        let Some(at) = text.find(part) else { return false };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("aws.rds.*", "aws.rds.fence", true),
            ("aws.*.fence", "aws.rds.fence", true),
            ("aws.*.fence", "aws.rds.promote", false),
            ("*[web]", "scale[web]", true),
            ("scale", "scale[web]", false),
            ("a*b*c", "abc", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_share_is_a_percentage() {
        let share = |text: &str| Percent::try_from(text.to_owned());
        assert_eq!(share("60%").map(|share| share.of(11)), Ok(6));
        assert!(["60", "101%", "-1%", "%", "6 %"].iter().all(|text| share(text).is_err()));
    }
}
