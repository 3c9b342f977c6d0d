//! From a runbook and what was chosen for one operation to its plan. Reports every problem, not the first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::context::Scope;
use super::digest::of_runbook;
use super::draft::{Draft, Setting};
use super::error::Problem;
use super::fence::Sides;
use super::node::{Node, NodeVariant, Plan, RunbookReference};
use super::parameters::Bound;
use super::sites::Route;
use super::{FORMAT, expand, gates, graph, looks, parameters, readings, sites};
use crate::model::action::{ActionName, Adapter};
use crate::model::id::SiteName;
use crate::model::limits;
use crate::model::run::{Intent, Mode, Operation};
use crate::model::runbook::{Runbook, Workflow};

/// What the caller chose for one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// What to do to the service.
    pub operation: Operation,
    /// Mode to start in; default: ungraceful for a failover, graceful for the others.
    pub mode: Option<Mode>,
    /// Why the run exists.
    pub intent: Intent,
    /// Site to leave; default: from the roles.
    pub from: Option<SiteName>,
    /// Site to move to; default: from the roles.
    pub to: Option<SiteName>,
    /// Sites the service cannot move to now, with the reason; in `active_active` those that are out already.
    pub unready: BTreeMap<SiteName, String>,
    /// Values of parameters: typed, or texts that are read as the declared type.
    pub parameters: BTreeMap<String, Value>,
}

/// Binds a runbook for one operation.
///
/// # Errors
/// Every reason why the runbook cannot be bound this way.
pub fn bind(runbook: &Runbook, choices: &Choices) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    if choices.intent == Intent::Drill {
        problems.push(Problem::new(
            "a drill is planned by its level",
            "use `drctl drill`, or `drctl plan --drill LEVEL`",
        ));
    }
    let workflow = workflow(runbook, choices.operation, &mut problems);
    let route = sites::route(runbook, choices, &mut problems);
    let bound = parameters::bind(&runbook.parameters, &choices.parameters, &mut problems);
    let Some(workflow) = workflow.filter(|_| problems.is_empty()) else { return Err(sorted(problems)) };
    let mode = choices.mode.unwrap_or(Mode::of(choices.operation));
    let scope = Scope::new(runbook, choices, &route, &bound);
    let nodes = nodes(runbook, workflow, (choices.intent, mode), &route, &scope, &mut problems);
    let Some(nodes) = nodes.filter(|_| problems.is_empty()) else { return Err(sorted(problems)) };
    Ok(whole(runbook, choices, mode, route, bound, nodes))
}

/// A plan of its parts.
pub(super) fn whole(
    runbook: &Runbook,
    choices: &Choices,
    mode: Mode,
    route: Route,
    bound: Bound,
    nodes: Vec<Node>,
) -> Plan {
    Plan {
        format: FORMAT,
        runbook: RunbookReference {
            name: runbook.metadata.name.clone(),
            title: runbook.metadata.title.clone(),
            owner: runbook.metadata.owner.clone(),
            digest: of_runbook(runbook),
        },
        strategy: runbook.strategy,
        operation: choices.operation,
        mode,
        intent: choices.intent,
        from: route.from.clone(),
        to: route.to.clone(),
        absent: sites::absent(choices, &route),
        targets: route.targets,
        sites: runbook.sites.clone(),
        objectives: runbook.objectives,
        parameters: bound.values,
        sensitive: bound.sensitive,
        secrets: runbook.secrets.clone(),
        tolerance: None,
        drill: None,
        measured: BTreeMap::new(),
        nodes,
    }
}

/// The steps of an operation, or why there are none.
pub(super) fn workflow<'a>(
    runbook: &'a Runbook,
    operation: Operation,
    problems: &mut Vec<Problem>,
) -> Option<&'a Workflow> {
    let (found, name) = match operation {
        Operation::Failover | Operation::Switchover => (&runbook.workflows.failover, "failover"),
        Operation::Failback => (&runbook.workflows.failback, "failback"),
    };
    if found.is_none() {
        let help = format!("write the steps under `workflows.{name}.steps`");
        let what = format!("runbook `{}` has no steps for a {operation}", runbook.metadata.name);
        problems.push(Problem::new(what, help));
    }
    found.as_ref()
}

fn nodes(
    runbook: &Runbook,
    workflow: &Workflow,
    (intent, mode): (Intent, Mode),
    route: &Route,
    scope: &Scope,
    problems: &mut Vec<Problem>,
) -> Option<Vec<Node>> {
    let mut draft = expand::expand(&workflow.steps, scope, &Setting::default(), problems);
    draft.classify(&Sides { from: route.from.as_ref(), sites: &runbook.sites });
    if intent == Intent::Real {
        adapters(
            &draft,
            &runbook.recovery_point.iter().map(|entry| entry.uses).collect::<Vec<_>>(),
            problems,
        );
    }
    let order = match graph::order(&draft) {
        Ok(order) => order,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    gates::safety(&mut draft, &order, mode, scope, problems);
    gates::start_checks(&mut draft);
    let irreversible = gates::irreversible(&draft.nodes);
    gates::approvals(&draft, &irreversible, problems);
    let taken = readings::add(&mut draft, &runbook.recovery_point, &irreversible, scope, problems);
    gates::gate(&mut draft, &irreversible, &taken, mode, scope);
    if draft.nodes.len() > limits::PLAN_NODES || draft.edges() > graph::EDGES {
        let help = format!(
            "a plan has at most {} nodes and {} edges; split the runbook",
            limits::PLAN_NODES,
            graph::EDGES
        );
        problems.push(Problem::new("the plan would be too large", help));
        return None;
    }
    match graph::order(&draft) {
        Ok(order) => {
            let nodes = graph::arrange(draft, &order);
            Some(if intent == Intent::Check { looks::only(nodes, mode) } else { nodes })
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// Refuses actions that this build can only simulate.
pub(super) fn adapters(draft: &Draft, readings: &[ActionName], problems: &mut Vec<Problem>) {
    let mut refused: BTreeMap<ActionName, BTreeSet<String>> = BTreeMap::new();
    let mut ask = |owner: String, action: ActionName| {
        if action.adapter() == Adapter::SimulatedOnly {
            refused.entry(action).or_default().insert(owner);
        }
    };
    for node in draft.nodes.iter().filter(|node| !node.is_left_out()) {
        let owner =
            || node.step.as_ref().map_or_else(|| node.address.to_string(), |step| format!("step `{step}`"));
        let variant = match &node.ungraceful {
            Some(NodeVariant::Call(call)) => Some(call.action),
            Some(NodeVariant::Skip | NodeVariant::MinSuccess(_)) | None => None,
        };
        let undo = match &node.undo {
            Some(super::node::PlannedUndo::Call(call)) => Some(call.action),
            Some(super::node::PlannedUndo::Auto) | None => None,
        };
        let action = node.call(Mode::Graceful).map(|call| call.action);
        for action in [action, variant, undo].into_iter().flatten() {
            ask(owner(), action);
        }
    }
    for action in readings {
        ask("recovery_point".to_owned(), *action);
    }
    problems.extend(refused.iter().map(|(action, owners)| Problem::only_simulated(owners, action.as_str())));
}

/// In a stable order, each problem once.
pub(super) fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}
