//! What there is to exercise: the steps of the runbook as it is now, each variant for itself. Groups do
//! nothing of their own and are not counted.

use std::collections::BTreeSet;

use crate::model::id::StepId;
use crate::model::run::{Mode, Operation, Phase};
use crate::model::runbook::Runbook;
use crate::plan::{Node, NodeKind, NodeVariant, Plan, cases, plan_of};

/// A step, or what it does in one mode.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) workflow: Operation,
    pub(super) step: StepId,
    pub(super) name: String,
    pub(super) phase: Option<Phase>,
    pub(super) action: &'static str,
    /// The only mode in which it does that.
    pub(super) mode: Option<Mode>,
    /// Addresses of the nodes that perform it.
    pub(super) items: BTreeSet<String>,
    /// Whether it is repeated for items.
    pub(super) repeated: bool,
    /// Its condition.
    pub(super) when: Option<String>,
    /// Whether its effect can be taken back.
    pub(super) undo: bool,
}

/// Says whether a runbook has steps of a workflow.
pub(super) fn has(runbook: &Runbook, workflow: Operation) -> bool {
    match workflow {
        Operation::Failover | Operation::Switchover => runbook.workflows.failover.is_some(),
        Operation::Failback => runbook.workflows.failback.is_some(),
    }
}

/// Every unit of a runbook, in the order of its plans, and why some workflow has none.
pub(super) fn units(runbook: &Runbook) -> (Vec<Unit>, Vec<String>) {
    let (mut units, mut problems) = (Vec::new(), Vec::new());
    for workflow in [Operation::Failover, Operation::Failback].into_iter().filter(|it| has(runbook, *it)) {
        match planned(runbook, workflow) {
            Ok(plan) => gather(&mut units, workflow, &plan),
            Err(problem) => problems.push(format!("the {workflow} cannot be planned: {problem}")),
        }
    }
    (units, problems)
}

/// The plan of a workflow the first way that can be planned: which way it is matters little to what its
/// steps are.
fn planned(runbook: &Runbook, workflow: Operation) -> Result<Plan, String> {
    let mut problem = "it has no route".to_owned();
    let wanted = cases(runbook);
    let wanted = wanted.iter().filter(|case| case.operation == workflow && case.mode == Mode::Graceful);
    for case in wanted {
        match plan_of(runbook, case, &std::collections::BTreeMap::new()) {
            Ok(plan) => return Ok(plan),
            Err(problems) => problem = problems.first().map_or(problem, |first| first.what.clone()),
        }
    }
    Err(problem)
}

fn gather(units: &mut Vec<Unit>, workflow: Operation, plan: &Plan) {
    for node in plan.nodes.iter().filter(|node| is_main(node)) {
        let Some(step) = &node.step else { continue };
        let modes: &[Option<Mode>] = match &node.ungraceful {
            Some(NodeVariant::Call(_)) => &[Some(Mode::Graceful), Some(Mode::Ungraceful)],
            Some(NodeVariant::Skip) => &[Some(Mode::Graceful)],
            Some(NodeVariant::MinSuccess(_)) | None => &[None],
        };
        for mode in modes {
            let known = units
                .iter_mut()
                .find(|unit| unit.workflow == workflow && unit.step == *step && unit.mode == *mode);
            let address = node.address.to_string();
            if let Some(unit) = known {
                unit.items.insert(address);
                continue;
            }
            let call = node.call(mode.unwrap_or(Mode::Graceful));
            units.push(Unit {
                workflow,
                step: step.clone(),
                name: if node.item.is_some() { step.to_string() } else { node.title.clone() },
                phase: node.phase,
                action: call.map_or("approval.request", |call| call.action.as_str()),
                mode: *mode,
                items: BTreeSet::from([address]),
                repeated: node.item.is_some(),
                when: node.when.as_ref().map(|when| when.as_str().to_owned()),
                undo: node.undo.is_some(),
            });
        }
    }
}

/// Says whether a node is what its step does: not what is looked at before or after, nor a group.
pub(super) fn is_main(node: &Node) -> bool {
    let Some(step) = &node.step else { return false };
    let own = node.address.as_str().trim_start_matches("failback/");
    let own = own
        .strip_prefix(step.as_str())
        .is_some_and(|rest| rest.is_empty() || (rest.starts_with('[') && rest.ends_with(']')));
    own && !matches!(node.kind, NodeKind::Group { .. } | NodeKind::Gate)
}
