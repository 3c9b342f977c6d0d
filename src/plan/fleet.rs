//! From a roster to its plan: one node that begins a run for each member, at the address of its service.
//! Which runs those are is planned by `nest`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::digest::of_value;
use super::draft::{Draft, Setting};
use super::error::Problem;
use super::node::{Call, EdgeKind, Lane, NodeKind, Plan, RunbookReference};
use super::{FORMAT, graph};
use crate::model::action::ActionName;
use crate::model::fleet::{Placed, Roster};
use crate::model::id::{NodeAddress, SiteName, StepId};
use crate::model::run::{Intent, Mode, Operation};
use crate::model::{limits, shell};

/// What the caller chose for a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetChoices {
    /// What to do to each service.
    pub operation: Operation,
    /// Mode to start in; default: ungraceful for a failover, graceful for the others.
    pub mode: Option<Mode>,
    /// Why the run exists.
    pub intent: Intent,
    /// Site every member leaves that names none itself.
    pub from: Option<SiteName>,
    /// Site every member moves to that names none itself.
    pub to: Option<SiteName>,
}

/// Makes the plan of a fleet.
///
/// # Errors
/// Every reason why there is none.
pub fn bind_fleet(roster: &Roster, choices: &FleetChoices) -> Result<Plan, Vec<Problem>> {
    let mut draft = Draft::default();
    let lane = roster.max_parallel.map(|width| Lane { id: 1, width: width.max(1) });
    let mut problems = Vec::new();
    let mut known = HashMap::new();
    for member in &roster.members {
        match StepId::new(member.service.as_str()) {
            Ok(step) => {
                let node = draft.push(node(member, step, lane, choices));
                known.insert(&member.service, node);
            }
            Err(error) => problems.push(Problem::new(error.to_string(), "rename the service")),
        }
    }
    for member in &roster.members {
        for need in &member.needs {
            if let (Some(node), Some(need)) = (known.get(&member.service), known.get(need)) {
                draft.need(*node, *need, EdgeKind::Safety);
            }
        }
    }
    if draft.nodes.len() > limits::PLAN_NODES || draft.edges() > graph::EDGES {
        let help = "make two fleets of it, or needs between fewer members";
        problems.push(Problem::new("the plan would be too large", help));
    }
    let order = graph::order(&draft).map_err(|problem| problems.push(problem));
    let Some(order) = order.ok().filter(|_| problems.is_empty()) else { return Err(problems) };
    Ok(Plan {
        format: FORMAT,
        runbook: RunbookReference {
            name: roster.metadata.name.clone(),
            title: roster.metadata.title.clone(),
            owner: roster.metadata.owner.clone(),
            // A roster has only strings as keys and finite numbers, so it always has a JSON form.
            digest: of_value(&serde_json::to_value(roster).unwrap_or_default()),
        },
        strategy: None,
        operation: choices.operation,
        mode: choices.mode.unwrap_or(Mode::of(choices.operation)),
        intent: choices.intent,
        from: None,
        to: None,
        targets: Vec::new(),
        absent: BTreeSet::new(),
        sites: BTreeMap::new(),
        objectives: roster.objectives,
        parameters: BTreeMap::new(),
        sensitive: BTreeMap::new(),
        secrets: BTreeMap::new(),
        tolerance: Some(roster.tolerance()),
        drill: None,
        measured: BTreeMap::new(),
        nodes: graph::arrange(draft, &order),
    })
}

fn node(member: &Placed, step: StepId, lane: Option<Lane>, choices: &FleetChoices) -> super::node::Node {
    let spec = ActionName::RunbookRun.spec();
    let service = &member.service;
    let mut with = Map::new();
    with.insert("runbook".to_owned(), service.as_str().into());
    if !member.with.is_empty() {
        with.insert("with".to_owned(), Value::Object(member.with.clone()));
    }
    let sites = [
        ("from", member.from.as_ref().or(choices.from.as_ref())),
        ("to", member.to.as_ref().or(choices.to.as_ref())),
    ];
    for (key, site) in sites {
        if let Some(site) = site {
            with.insert(key.to_owned(), site.as_str().into());
        }
    }
    let call = Call { action: ActionName::RunbookRun, with, deferred: false, sensitive: false, child: None };
    let setting = Setting { step: Some(step), title: service.to_string(), lane, ..Setting::default() };
    let mut node =
        setting.node(NodeAddress::typed(service.as_str()), service.to_string(), NodeKind::Effect { call });
    node.timeout = spec.timeout;
    node.estimate = spec.estimate;
    node.reversibility = spec.reversibility;
    node.manual = Some(by_hand(member, choices));
    node
}

/// The same member without the fleet: to the same site, with the same values.
fn by_hand(member: &Placed, choices: &FleetChoices) -> String {
    let mut words = vec![format!("drctl {} {}", choices.operation, member.service)];
    let sites = [("from", &member.from, &choices.from), ("to", &member.to, &choices.to)];
    for (flag, own, whole) in sites {
        let site = own.as_ref().or(whole.as_ref());
        words.extend(site.map(|site| format!("--{flag} {}", shell::word(site.as_str()))));
    }
    words.extend(choices.mode.map(|mode| format!("--mode {mode}")));
    let values = member.with.iter().map(|(name, value)| format!("{name}={}", typed(value)));
    words.extend(values.map(|value| format!("--set {}", shell::word(&value))));
    words.push("--reason \"…\"".to_owned());
    words.join(" ")
}

/// A value as it is typed at the command line.
fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(typed).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
