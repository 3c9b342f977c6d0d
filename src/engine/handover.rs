//! When a drill may be ended for a real run, and what that run has to wait for before it begins: nothing may
//! be done beside what is under way, nor believed while it is being taken back. Changes nothing.

use super::event::DrillOutcome;
use super::input::Direction;
use super::state::{IndexedPlan, NodeState, RunState};
use super::takeover::is_done_by;
use super::{attempt, drill, transition, unwind};
use crate::model::id::NodeAddress;
use crate::model::run::{NodeStatus, Phase, RunStatus};
use crate::plan::{Node, NodeIndex, Plan, Section};

/// Something of a drill that a real run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The node.
    pub node: NodeAddress,
    /// The real run would touch the same, so that it must not begin beside it. Else it only should not: a
    /// fault stands, or a sweep goes on.
    pub strict: bool,
}

/// The step that moves the service of a live drill back just now. While there is one the drill is not ended:
/// half a move has no way back, and where the users are is known when it is over.
#[must_use]
pub fn returning(plan: &IndexedPlan, state: &RunState) -> Option<NodeIndex> {
    let moves = |node: &Node| {
        node.section() == Some(Section::Failback)
            && matches!(node.phase, Some(Phase::Promote | Phase::Restore | Phase::Shift))
            && unwind::is_effect(node)
    };
    if !drill::is_moved(plan, state) || state.clock.return_shifted_at.is_some() {
        return None;
    }
    let nodes = (0..).zip(plan.plan.nodes.iter().zip(&state.nodes));
    let mut going = nodes.filter(|(_, (definition, node))| moves(definition) && is_busy(node));
    going.next().map(|(index, _)| index)
}

/// Says whether a drill was told to end for a real run. What it keeps for that run is settled then: whoever
/// comes later goes on from the same.
#[must_use]
pub fn is_made_real(state: &RunState) -> bool {
    state.drill.outcome == Some(DrillOutcome::Promoted)
}

/// Says whether a drill was told to end for a real run and has left it something to go on from.
#[must_use]
pub fn is_handed_over(plan: &IndexedPlan, state: &RunState) -> bool {
    let moved = || drill::is_moved(plan, state) && state.clock.return_shifted_at.is_none();
    is_made_real(state) && (!state.drill.keep.is_empty() || moved())
}

/// Steps that a drill could not take back and that the real run does itself: they are the run's from then on,
/// and the drill must not take them back later.
#[must_use]
pub fn contested(plan: &IndexedPlan, state: &RunState, real: &Plan) -> Vec<NodeAddress> {
    let nodes = (0..).zip(plan.plan.nodes.iter().zip(&state.nodes));
    let contested = nodes.filter(|(index, (definition, node))| {
        definition.section() == Some(Section::Operation)
            && is_given_up(node)
            && !state.drill.keep.contains(index)
            && is_done_by(plan, state, *index, real)
    });
    contested.map(|(_, (definition, _))| definition.address.clone()).collect()
}

/// Says whether an effect was not taken back and only a person can see to that.
pub(super) fn is_given_up(node: &NodeState) -> bool {
    node.status == NodeStatus::UndoFailed
        || (node.status == NodeStatus::InDoubt && node.person_needed)
        || is_asked_back(node)
}

/// What of a drill that was told to end for a real run is still in its way, in the order of the plan.
#[must_use]
pub fn in_the_way(plan: &IndexedPlan, state: &RunState, real: &Plan) -> Vec<Hold> {
    if state.status != RunStatus::CleaningUp {
        return Vec::new();
    }
    let moved = drill::is_moved(plan, state);
    let mut holds = Vec::new();
    for (index, (definition, node)) in (0..).zip(plan.plan.nodes.iter().zip(&state.nodes)) {
        if !unwind::is_effect(definition) {
            continue;
        }
        let busy = is_busy(node);
        let kept = state.drill.keep.contains(&index);
        let goes = unwind::stands(node) && attempt::can_undo(definition) && !kept;
        let (waits, strict) = match definition.section() {
            Some(Section::Inject) => (busy || goes, false),
            Some(Section::Operation) if is_done_by(plan, state, index, real) => {
                (busy || (goes && !moved), true)
            }
            Some(Section::Failback) => (busy, true),
            Some(Section::Cleanup) => (busy, false),
            Some(Section::Operation | Section::Guard | Section::Verify | Section::Hold) | None => {
                (false, false)
            }
        };
        if waits {
            holds.push(Hold { node: definition.address.clone(), strict });
        }
    }
    holds
}

/// Says whether something goes on about a node that ends without a person.
fn is_busy(node: &NodeState) -> bool {
    transition::is_active(node.status) && !node.person_needed && !is_asked_back(node)
}

/// Says whether a person was asked to take the effect back by hand.
fn is_asked_back(node: &NodeState) -> bool {
    node.status == NodeStatus::AwaitingApproval && node.direction == Direction::Undo
}
