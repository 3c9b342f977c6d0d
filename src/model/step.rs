//! A step as its author wrote it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::action::ActionName;
use super::drill::DrillRule;
use super::expression::Expression;
use super::id::StepId;
use super::policy::{Approval, MinSuccess, OnFailure, Retry, Reversibility, Stragglers};
use super::run::Phase;
use super::time::Duration;

/// A node of a workflow: an action, or a group of steps that run in parallel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Unique in its workflow.
    pub id: StepId,
    /// Short name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the step is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the step stands in the recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The action; absent in a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<ActionName>,
    /// Parameters of the action; may hold templates.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// Members of a group; they start together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parallel: Vec<Step>,
    /// Steps this one waits for; default: the step before it. `[]` starts at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<StepId>>,
    /// Derived steps this one stands before; only beside `components`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<StepId>,
    /// Derived steps this one stands after; only beside `components`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// Run once for each item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// Most items or members under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_parallel: Option<u32>,
    /// How many items or members must succeed for the rest to go on; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_success: Option<MinSuccess>,
    /// What happens to the others once enough have succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stragglers: Option<Stragglers>,
    /// Skip the step when this is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// Longest time of one attempt; default: the action's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Longest time of the step with all its attempts and throttling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
    /// Expected duration; default: the action's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Duration>,
    /// When a failed attempt is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What follows when the step has failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Read-only checks at the start of the run and again just before the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precheck: Vec<Check>,
    /// Read-only checks after the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Check>,
    /// Who must agree before the step begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// How the effect is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// Whether `undo` also runs when the step failed and may have done a part of its work, as programs may:
    /// it must then do no harm where nothing was done. Default: no, and what may be there is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_after_failure: Option<bool>,
    /// Overrides what the action says about taking its effect back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversibility: Option<ReversibilityOverride>,
    /// What happens in a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillRule>,
    /// What happens when the run is ungraceful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ungraceful: Option<Variant>,
    /// Values for later steps, as expressions over `result`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(with = "std::collections::BTreeMap<String, Expression>")]
    pub outputs: Map<String, Value>,
    /// The same thing by hand: exact commands to paste when the tool cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<String>,
}

/// An action with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Use {
    /// The action.
    pub uses: ActionName,
    /// Its parameters; may hold templates.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
}

/// A read-only action that must come true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The action; must be one that only reads.
    pub uses: ActionName,
    /// Its parameters; may hold templates.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// Expression over `result` that must be true; default: the action succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Expression>,
    /// How long it may take to come true; default: one look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Duration>,
    /// Pause between two looks; default 2s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
    /// How many looks in a row must succeed; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub consecutive: Option<u32>,
}

/// Why a step's reversibility is not what its action says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReversibilityOverride {
    /// The class that holds here.
    pub class: Reversibility,
    /// Why it holds here.
    pub reason: String,
}

/// What a step is repeated for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum ForEach {
    /// A list in the runbook.
    Items(Vec<Value>),
    /// An expression that gives a list when the plan is made.
    Expression(Expression),
}

impl TryFrom<Value> for ForEach {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(items) => Ok(Self::Items(items)),
            Value::String(text) => {
                let inner = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
                Ok(Self::Expression(Expression::new(inner.unwrap_or(&text).trim())))
            }
            _ => Err("for_each is a list, or an expression that gives one".to_owned()),
        }
    }
}

impl From<ForEach> for Value {
    fn from(for_each: ForEach) -> Value {
        match for_each {
            ForEach::Items(items) => Value::Array(items),
            ForEach::Expression(expression) => Value::String(expression.as_str().to_owned()),
        }
    }
}

impl JsonSchema for ForEach {
    fn schema_name() -> Cow<'static, str> {
        "ForEach".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A list, or an expression that gives one when the plan is made.",
            "anyOf": [{"type": "array", "items": true}, {"type": "string"}]
        })
    }
}

/// How a step's effect is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Undo {
    /// The action restores what it found.
    Auto,
    /// Another action makes up for it.
    Use(Use),
}

impl TryFrom<Value> for Undo {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) if text == "auto" => Ok(Self::Auto),
            Value::Object(_) => {
                serde_json::from_value(value).map(Self::Use).map_err(|error| error.to_string())
            }
            _ => Err("undo is `auto`, or an action with `uses` and `with`".to_owned()),
        }
    }
}

impl From<Undo> for Value {
    fn from(undo: Undo) -> Value {
        match undo {
            Undo::Auto => "auto".into(),
            Undo::Use(call) => serde_json::to_value(call).unwrap_or_default(),
        }
    }
}

impl JsonSchema for Undo {
    fn schema_name() -> Cow<'static, str> {
        "Undo".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let call = generator.subschema_for::<Use>();
        json_schema!({
            "description": "`auto`, or the action that takes the effect back.",
            "anyOf": [{"type": "string", "enum": ["auto"]}, call]
        })
    }
}

/// What a step does when the run is ungraceful.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Variant {
    /// The same.
    Run,
    /// Nothing.
    Skip,
    /// Something else, or the same with other parameters or another threshold.
    Other(OtherUse),
}

/// The parts of a step that differ in a variant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherUse {
    /// Another action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<ActionName>,
    /// Its parameters; without `uses`, they are laid over the step's own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// Another threshold for a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_success: Option<MinSuccess>,
}

impl TryFrom<Value> for Variant {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) if text == "run" => Ok(Self::Run),
            Value::String(text) if text == "skip" => Ok(Self::Skip),
            Value::Object(_) => {
                serde_json::from_value(value).map(Self::Other).map_err(|error| error.to_string())
            }
            _ => Err("use `run`, `skip`, or a mapping with `uses`, `with` or `min_success`".to_owned()),
        }
    }
}

impl From<Variant> for Value {
    fn from(variant: Variant) -> Value {
        match variant {
            Variant::Run => "run".into(),
            Variant::Skip => "skip".into(),
            Variant::Other(other) => serde_json::to_value(other).unwrap_or_default(),
        }
    }
}

impl JsonSchema for Variant {
    fn schema_name() -> Cow<'static, str> {
        "Variant".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let other = generator.subschema_for::<OtherUse>();
        json_schema!({
            "description": "`run`, `skip`, or what differs.",
            "anyOf": [{"type": "string", "enum": ["run", "skip"]}, other]
        })
    }
}
