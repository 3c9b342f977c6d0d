//! What has moved a service, and whether the run has taken it back.

use super::event::Applied;
use super::state::{IndexedPlan, NodeState, RunState};
use super::{child, unwind};
use crate::model::run::{Intent, NodeStatus, Phase};
use crate::model::runbook::Strategy;
use crate::plan::{Node, NodeKind, Section};

/// Says whether the run has moved its service and then taken all back that moved it: the service is where it
/// was before. What a drill moved is brought back by its failback, which is another move.
#[must_use]
pub fn is_taken_back(plan: &IndexedPlan, state: &RunState) -> bool {
    state.clock.shifted_at.is_some()
        && plan.plan.drill.is_none()
        && moving(plan, state).any(|(_, node)| node.status == NodeStatus::Undone)
        && !moving(plan, state).any(|(definition, node)| stands(definition, node))
}

/// Why the service record goes on saying that the service has moved although the run was taken back; `None`:
/// it does not.
pub(super) fn record_stays(plan: &IndexedPlan, state: &RunState) -> Option<String> {
    let at_once = plan.plan.strategy == Some(Strategy::ActiveActive);
    let said = match (&plan.plan.from, &plan.plan.to) {
        (_, Some(to)) => format!("in {to}"),
        (Some(from), None) if at_once => format!("without {from}"),
        (_, None) => return None,
    };
    if state.created.intent != Intent::Real || state.clock.shifted_at.is_none() {
        return None;
    }
    let standing = moving(plan, state).filter(|(definition, node)| stands(definition, node));
    let standing: Vec<_> = standing.map(|(definition, _)| definition.address.to_string()).collect();
    let service = &state.created.service;
    (!standing.is_empty()).then(|| {
        format!(
            "the service record still says that {service} runs {said}, because of {}; `drctl service set {service} \
             SITE` corrects it",
            child::few(standing, ", ")
        )
    })
}

/// Says whether something that moved the service was taken back.
pub(super) fn is_begun(plan: &IndexedPlan, state: &RunState) -> bool {
    moving(plan, state).any(|(_, node)| matches!(node.status, NodeStatus::Undone | NodeStatus::UndoFailed))
}

/// The nodes that change where the service is, each with what became of it.
fn moving<'a>(plan: &'a IndexedPlan, state: &'a RunState) -> impl Iterator<Item = (&'a Node, &'a NodeState)> {
    let moves = |definition: &Node| {
        matches!(definition.phase, Some(Phase::Promote | Phase::Restore | Phase::Shift))
            && definition.section().is_none_or(Section::is_recovery)
            && (unwind::is_effect(definition) || matches!(definition.kind, NodeKind::Manual { .. }))
    };
    let nodes = plan.plan.nodes.iter().zip(state.nodes.iter().map(AsRef::as_ref));
    nodes.filter(move |(definition, _)| moves(definition))
}

/// Says whether what a node did, or may have done, is there.
fn stands(definition: &Node, node: &NodeState) -> bool {
    node.applied != Applied::No
        && node.status != NodeStatus::Undone
        && !child::was_taken_back(definition, node)
}
