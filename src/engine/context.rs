//! The names expressions of a run can read, and the rendering of a call's parameters just before it is made.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::state::{IndexedPlan, RunState};
use crate::model::action::Action;
use crate::model::expression::{self, Context, has_template};
use crate::model::id::SiteName;
use crate::model::run::{Failure, FailureClass, Mode, Operation};
use crate::plan::{Call, Node, Plan, Section};

/// Values that are known only at dispatch and never stored.
#[derive(Clone, Default)]
pub struct Confidential {
    /// Secrets by name.
    pub secrets: BTreeMap<String, String>,
    /// Sensitive parameters by name.
    pub parameters: BTreeMap<String, Value>,
}

/// Names of a run without secrets; `result` is what an attempt returned.
#[must_use]
pub fn context(
    plan: &IndexedPlan,
    state: &RunState,
    node: &Node,
    result: Option<&Map<String, Value>>,
) -> Context {
    let mut names = names(plan, state, node, true);
    if let Some(result) = result {
        names.insert("result".to_owned(), Value::Object(result.clone()));
    }
    Context::new(&Value::Object(names))
}

/// Types a call's parameters for dispatch, with secrets filled in.
///
/// # Errors
/// When a template reads an undefined name or a parameter does not fit. Messages never hold a value.
pub fn render_call(
    plan: &IndexedPlan,
    state: &RunState,
    node: &Node,
    call: &Call,
    confidential: &Confidential,
) -> Result<Action, Failure> {
    let with = Value::Object(call.with.clone());
    let rendered = if has_template(&with) {
        let reads_steps = call.with.values().any(|value| mentions_steps(&value.to_string()));
        let mut names = names(plan, state, node, reads_steps);
        let secrets =
            confidential.secrets.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        names.insert("secrets".to_owned(), Value::Object(secrets.collect()));
        if let Some(Value::Object(params)) = names.get_mut("params") {
            params.extend(confidential.parameters.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        let rendered = expression::render(&with, &Context::new(&Value::Object(names)));
        rendered.map_err(|error| refused(format!("parameters could not be rendered: {error}")))?
    } else {
        with
    };
    Action::new(call.action, rendered).map_err(|error| refused(error.to_string()))
}

/// What cannot be rendered is never begun.
fn refused(message: String) -> Failure {
    Failure::new(FailureClass::Refused, message)
}

fn mentions_steps(text: &str) -> bool {
    text.contains("steps")
}

fn names(plan: &IndexedPlan, state: &RunState, node: &Node, with_steps: bool) -> Map<String, Value> {
    let plan_ = &plan.plan;
    let mut names = Map::new();
    let params = plan_.parameters.iter().map(|(name, value)| (name.clone(), value.clone()));
    names.insert("params".to_owned(), Value::Object(params.collect()));
    let sites = plan_.sites.keys().map(|name| (name.to_string(), site(plan_, name)));
    names.insert("sites".to_owned(), Value::Object(sites.collect()));
    let back = node.section() == Some(Section::Failback);
    let (from, to) = plan_.ends(node);
    names.insert("from".to_owned(), from.map_or(Value::Null, |name| site(plan_, name)));
    names.insert("to".to_owned(), to.map_or(Value::Null, |name| site(plan_, name)));
    let stays = |name: &SiteName| Some(name) != from && !plan_.absent.contains(name);
    let survivors = plan_.sites.keys().filter(|name| stays(name));
    names.insert("survivors".to_owned(), Value::Array(survivors.map(|name| site(plan_, name)).collect()));
    let mode = if back { Mode::Graceful } else { state.mode };
    names.insert("mode".to_owned(), mode.as_str().into());
    names.insert("intent".to_owned(), plan_.intent.as_str().into());
    let operation = if back { Operation::Failback } else { plan_.operation };
    names.insert("operation".to_owned(), operation.as_str().into());
    names.insert("run".to_owned(), run(state));
    if let Some(item) = &node.item {
        names.insert("item".to_owned(), item.clone());
    }
    if with_steps {
        names.insert("steps".to_owned(), Value::Object(steps(plan, state, node.section())));
    }
    names
}

fn site(plan: &Plan, name: &SiteName) -> Value {
    let mut value = plan.sites.get(name).and_then(|site| serde_json::to_value(site).ok()).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("name".to_owned(), name.as_str().into());
    }
    value
}

fn run(state: &RunState) -> Value {
    let created = &state.created;
    json!({
        "id": created.run.as_str(),
        "started_at": state.clock.started_at.unwrap_or(state.created_at).to_string(),
        "incident_at": created.incident_at.map(|time| time.to_string()),
        "reason": created.reason,
        "token": state.token,
    })
}

/// Every authored step under its id, and under its id with `_` for `-`: `steps.find_copy` reads like a
/// name, while
/// `steps.find-copy` would be a subtraction.
///
/// The sections of a drill have names of their own: a step of the failback is not that of the failover.
fn steps(plan: &IndexedPlan, state: &RunState, section: Option<Section>) -> Map<String, Value> {
    let mut steps = Map::new();
    for (node, definition) in state.nodes.iter().zip(&plan.plan.nodes) {
        let Some(step) = &definition.step else { continue };
        let address = definition.address.as_str();
        let address = match section.filter(|section| has_own_names(*section)) {
            Some(section) => {
                address.strip_prefix(section.as_str()).and_then(|rest| rest.strip_prefix('/')).unwrap_or("")
            }
            None => address,
        };
        if address != step.as_str() {
            continue;
        }
        let value = json!({"status": node.status.as_str(), "outputs": node.outputs});
        if step.as_str().contains('-') {
            steps.insert(step.as_str().replace('-', "_"), value.clone());
        }
        steps.insert(step.to_string(), value);
    }
    steps
}

const fn has_own_names(section: Section) -> bool {
    match section {
        Section::Inject | Section::Failback | Section::Cleanup => true,
        Section::Guard | Section::Operation | Section::Verify | Section::Hold => false,
    }
}
