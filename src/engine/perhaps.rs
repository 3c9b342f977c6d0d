//! What a run may have changed although nobody knows: what failed half-way through, and what a person was
//! asked to do and has not spoken about.

use super::event::{Applied, SkipCause};
use super::input::Direction;
use super::state::{IndexedPlan, NodeState, RunState};
use super::unwind;
use crate::model::action::traits;
use crate::model::id::NodeAddress;
use crate::model::policy::Reversibility;
use crate::model::run::{Failure, Mode, NodeStatus};
use crate::plan::{Node, NodeIndex, NodeKind};

/// Why a node may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubtful {
    /// A person was asked to do it by hand.
    Asked,
    /// It failed, and only its own code knows how far it had come.
    Failed,
}

/// Nodes that are not known to have changed anything, and may have all the same. An unwind leaves them.
#[must_use]
pub fn perhaps(plan: &IndexedPlan, state: &RunState) -> Vec<(NodeIndex, Doubtful)> {
    let nodes = (0..).zip(plan.plan.nodes.iter().zip(&state.nodes));
    nodes.filter_map(|(node, (definition, state))| Some((node, doubtful(definition, state)?))).collect()
}

/// The first irreversible step that may have begun, if any: with it the point of no return may be behind.
#[must_use]
pub fn perhaps_for_good<'a>(plan: &'a IndexedPlan, state: &RunState) -> Option<(&'a NodeAddress, Doubtful)> {
    let mut nodes = plan.plan.nodes.iter().zip(&state.nodes);
    nodes.find_map(|(definition, node)| {
        let mode = node.mode.unwrap_or(state.mode);
        let for_good = definition.reversibility_in(mode) == Reversibility::Irreversible;
        // Of a run that was left as it stands nobody waits for an answer.
        let open = for_good && (node.partly || node.status == NodeStatus::AwaitingApproval);
        Some((&definition.address, doubtful(definition, node).filter(|_| open)?))
    })
}

fn doubtful(definition: &Node, node: &NodeState) -> Option<Doubtful> {
    if node.applied != Applied::No || node.direction != Direction::Do {
        return None;
    }
    let by_hand = matches!(definition.kind, NodeKind::Manual { .. });
    let asked = matches!(node.status, NodeStatus::AwaitingApproval | NodeStatus::Cancelled);
    let left_out =
        node.status == NodeStatus::Skipped && matches!(node.skipped, Some(SkipCause::Person { .. }));
    if by_hand && asked {
        Some(Doubtful::Asked)
    } else {
        (node.partly && !left_out).then_some(Doubtful::Failed)
    }
}

/// Says whether an attempt that ends like this, now, may have done a part of its work.
pub(super) fn ends_half_way(definition: &Node, node: &NodeState, failure: &Failure) -> bool {
    let call = definition.call(node.mode.unwrap_or(Mode::Graceful));
    // One in doubt was looked at since: it is known not to have happened.
    node.status == NodeStatus::Running
        && node.direction == Direction::Do
        && unwind::is_effect(definition)
        && call.is_some_and(|call| traits::may_do_a_part(call.action, failure.class))
}

/// Says whether a node is taken back for what a failed try may have done, as its author wants it.
pub(super) const fn is_for_undo(definition: &Node, node: &NodeState) -> bool {
    definition.undo_after_failure && node.partly
}
