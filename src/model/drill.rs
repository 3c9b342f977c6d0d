//! How a service is rehearsed, as authored: levels, boundary, life cycle, and what a step does in a drill.
//! Typed data only; what runs at which level is decided when a drill is planned.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::action::{ActionName, traits};
use super::id::SiteName;
use super::policy::{Approval, MinSuccess, NotBy};
use super::run::{Mode, Operation, words};
use super::runbook::Schedule;
use super::step::{Check, Step, Undo};
use super::time::Duration;

words! {
    /// How far a drill goes.
    DrillLevel {
        /// Prechecks only.
        Check = "check",
        /// On the simulated estate.
        Simulate = "simulate",
        /// For real, inside a boundary.
        Isolated = "isolated",
        /// For real.
        Live = "live",
    }
}

words! {
    /// Whether an action that cannot be checked against the boundary may be performed in an isolated drill.
    Trust {
        /// It may: its author answers for it, and the record says that it was not enforced.
        Trusted = "trusted",
    }
}

/// How the service is rehearsed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// How far it goes.
    pub level: DrillLevel,
    /// What is rehearsed; default: a failover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Mode it is rehearsed in; default: graceful in a live drill, else that of the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// What an isolated drill may touch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Boundary>,
    /// What an isolated drill gets into accounts with, by its name in the configuration:
    /// `aws.credentials.NAME` of drctl.toml; default: what real runs get in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    /// When it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Checks that must pass before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Check>,
    /// Steps that make the fault the drill is about; taken back first when it ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inject: Vec<Step>,
    /// When it counts as passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<DrillSuccess>,
    /// How long the result is held before it is cleaned up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Duration>,
    /// Who must agree before it is cleaned up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide: Option<Approval>,
    /// Steps that clean up what has no undo of its own; performed last, whatever happened before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleanup: Vec<Step>,
    /// Who says whether it has passed; absent: nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Attestation>,
    /// Age at which its result counts as stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Duration>,
}

/// What a drill may touch. A list of one kind that is empty allows nothing of that kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Boundary {
    /// Sites: what has a region must be in the region of one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<SiteName>,
    /// Accounts, subscriptions or projects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Names of what is changed; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Hosts that are asked to change something; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Databases that are changed, `name` or `host/name`; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<String>,
}

/// When a drill counts as passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillSuccess {
    /// Longest recovery time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_time: Option<Duration>,
    /// Checks that must pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// Who says whether a drill has passed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// Roles that may; empty: anyone who may operate the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// People who may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_by: Vec<NotBy>,
}

/// What a step does in a drill with real effects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum DrillRule {
    /// The same at every level.
    Always(DrillVariant),
    /// As each level says; a level that is not named is not said.
    Levels(BTreeMap<DrillLevel, DrillVariant>),
}

/// What a step does at one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum DrillVariant {
    /// The same as for real.
    Run,
    /// Nothing.
    Skip,
    /// Something else, or the same with other parameters.
    Other(Box<DrillUse>),
}

/// The parts of a step that differ in a drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillUse {
    /// Another action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<ActionName>,
    /// Its parameters; without `uses`, they are laid over the step's own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// How the effect is taken back; without it and without `uses`, the step's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// Another threshold for a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_success: Option<MinSuccess>,
    /// The author answers for an action that cannot be checked against the boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Trust>,
}

/// As [`DrillUse`], or what differs from level to level.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DrillForm")]
struct Form {
    /// Another action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uses: Option<ActionName>,
    /// Its parameters; without `uses`, they are laid over the step's own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    with: Map<String, Value>,
    /// How the effect is taken back; without it and without `uses`, the step's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undo: Option<Undo>,
    /// Another threshold for a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_success: Option<MinSuccess>,
    /// The author answers for an action that cannot be checked against the boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boundary: Option<Trust>,
    /// In a simulated drill; default: the same as for real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    simulate: Option<DrillVariant>,
    /// In an isolated drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    isolated: Option<DrillVariant>,
    /// In a live drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live: Option<DrillVariant>,
}

impl DrillRule {
    /// What the step does at a level; `None` where that is not said.
    #[must_use]
    pub fn at(&self, level: DrillLevel) -> Option<&DrillVariant> {
        match self {
            // On the simulated estate nothing has to be spared.
            Self::Always(_) if level == DrillLevel::Simulate => None,
            Self::Always(variant) => Some(variant),
            Self::Levels(levels) => levels.get(&level),
        }
    }

    /// Everything that is said, each with its place below the rule: empty, or the name of a level.
    pub fn variants(&self) -> impl Iterator<Item = (&'static str, &DrillVariant)> {
        let (always, levels) = match self {
            Self::Always(variant) => (Some(("", variant)), None),
            Self::Levels(levels) => (None, Some(levels)),
        };
        let levels = levels.into_iter().flatten().map(|(level, variant)| (level.as_str(), variant));
        always.into_iter().chain(levels)
    }

    /// Says whether the step is left out at every level with real effects that is named.
    #[must_use]
    pub fn is_skip(&self) -> bool {
        let mut said =
            self.variants().filter(|(level, _)| *level != DrillLevel::Simulate.as_str()).peekable();
        said.peek().is_some() && said.all(|(_, variant)| *variant == DrillVariant::Skip)
    }
}

impl DrillVariant {
    /// Says whether what a group says is said for its members, too: whether they run, or who answers for
    /// them.
    #[must_use]
    pub fn is_for_members(&self) -> bool {
        match self {
            Self::Run | Self::Skip => true,
            Self::Other(other) => other.boundary.is_some(),
        }
    }
}

impl DrillUse {
    /// The action that takes the real effect of a step back, where a drill makes another effect, says nothing
    /// of its undo, and nothing can check that one.
    #[must_use]
    pub fn foreign_undo(&self, real: Option<&Undo>) -> Option<ActionName> {
        let inherits = !self.with.is_empty() && self.uses.is_none() && self.undo.is_none();
        match real {
            Some(Undo::Use(undo)) if inherits && traits::is_opaque(undo.uses) => Some(undo.uses),
            Some(Undo::Use(_) | Undo::Auto) | None => None,
        }
    }

    fn says_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl TryFrom<Value> for DrillRule {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        if !value.is_object() {
            return DrillVariant::try_from(value).map(Self::Always);
        }
        let form: Form = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let Form { uses, with, undo, min_success, boundary, simulate, isolated, live } = form;
        let own = DrillUse { uses, with, undo, min_success, boundary };
        let levels =
            [(DrillLevel::Simulate, simulate), (DrillLevel::Isolated, isolated), (DrillLevel::Live, live)];
        let levels: BTreeMap<_, _> =
            levels.into_iter().filter_map(|(level, variant)| Some((level, variant?))).collect();
        match (levels.is_empty(), own.says_nothing()) {
            (true, _) => Ok(Self::Always(DrillVariant::Other(Box::new(own)))),
            (false, true) => Ok(Self::Levels(levels)),
            (false, false) => Err("what a drill does is said once, or for each level, not both".to_owned()),
        }
    }
}

impl From<DrillRule> for Value {
    fn from(rule: DrillRule) -> Value {
        match rule {
            DrillRule::Always(variant) => variant.into(),
            DrillRule::Levels(levels) => serde_json::to_value(levels).unwrap_or_default(),
        }
    }
}

impl TryFrom<Value> for DrillVariant {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) if text == "run" => Ok(Self::Run),
            Value::String(text) if text == "skip" => Ok(Self::Skip),
            Value::Object(_) => {
                serde_json::from_value(value).map(Self::Other).map_err(|error| error.to_string())
            }
            _ => Err("use `run`, `skip`, or a mapping with `uses`, `with`, `undo` or `boundary`".to_owned()),
        }
    }
}

impl From<DrillVariant> for Value {
    fn from(variant: DrillVariant) -> Value {
        match variant {
            DrillVariant::Run => "run".into(),
            DrillVariant::Skip => "skip".into(),
            DrillVariant::Other(other) => serde_json::to_value(other).unwrap_or_default(),
        }
    }
}

impl JsonSchema for DrillRule {
    fn schema_name() -> Cow<'static, str> {
        "DrillRule".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let form = generator.subschema_for::<Form>();
        json_schema!({
            "description": "`run`, `skip`, what differs, or one of these for each level.",
            "anyOf": [{"type": "string", "enum": ["run", "skip"]}, form]
        })
    }
}

impl JsonSchema for DrillVariant {
    fn schema_name() -> Cow<'static, str> {
        "DrillVariant".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let other = generator.subschema_for::<DrillUse>();
        json_schema!({
            "description": "`run`, `skip`, or what differs.",
            "anyOf": [{"type": "string", "enum": ["run", "skip"]}, other]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_is_for_every_level_with_real_effects_or_for_each() {
        let rule = |value: Value| serde_json::from_value::<DrillRule>(value);
        let skip = rule(json!("skip")).unwrap();
        assert_eq!(skip.at(DrillLevel::Isolated), Some(&DrillVariant::Skip));
        assert_eq!(skip.at(DrillLevel::Live), Some(&DrillVariant::Skip));
        assert_eq!(skip.at(DrillLevel::Simulate), None);
        let levels = rule(json!({"isolated": "skip", "live": "run"})).unwrap();
        assert_eq!(levels.at(DrillLevel::Isolated), Some(&DrillVariant::Skip));
        assert_eq!(levels.at(DrillLevel::Live), Some(&DrillVariant::Run));
        assert!(skip.is_skip() && !levels.is_skip());
        assert!(rule(json!({"isolated": "skip", "uses": "wait.for"})).is_err());
        for value in
            [json!("skip"), json!({"isolated": "skip", "live": "run"}), json!({"boundary": "trusted"})]
        {
            assert_eq!(serde_json::to_value(rule(value.clone()).unwrap()).unwrap(), value);
        }
    }
}
