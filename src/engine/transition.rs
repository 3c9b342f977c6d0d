//! How a node moves from one status to the next, with every set derived from that. Total, like `apply`.

use std::sync::Arc;

use super::input::AttemptKey;
use super::state::{AttemptState, IndexedPlan, NodeState, RunState};
use crate::model::run::NodeStatus;
use crate::model::time::Timestamp;
use crate::plan::NodeIndex;

pub(super) fn edit(state: &mut RunState, node: NodeIndex, change: impl FnOnce(&mut NodeState)) {
    if let Some(node) = state.nodes.get_mut(node as usize) {
        change(Arc::make_mut(node));
    }
}

/// Ends whatever the node was doing.
pub(super) fn over(state: &mut RunState, node: NodeIndex, change: impl FnOnce(&mut NodeState)) {
    edit(state, node, |node| {
        node.current = None;
        node.child = None;
        node.until = None;
        node.person_needed = false;
        node.asked_again = false;
        node.unknowns = 0;
        change(node);
    });
}

pub(super) fn current(state: &mut RunState, key: AttemptKey, change: impl FnOnce(&mut AttemptState)) {
    edit(state, key.node, |node| {
        if let Some(attempt) = node.current.as_mut().filter(|attempt| attempt.number == key.attempt) {
            change(attempt);
        }
    });
}

/// Moves a node to a status and keeps every derived set in step.
pub(super) fn set(
    plan: &IndexedPlan,
    state: &mut RunState,
    node: NodeIndex,
    status: NodeStatus,
    at: Timestamp,
) {
    let Some(definition) = plan.plan.nodes.get(node as usize) else { return };
    let before = state.node(node).status;
    let was_active = is_active(before);
    let begins =
        matches!(status, NodeStatus::Running | NodeStatus::AwaitingApproval | NodeStatus::MarkedDone);
    if begins && definition.interrupts() {
        state.clock.interrupted_at = state.clock.interrupted_at.or(Some(at));
    }
    edit(state, node, |node| {
        node.status = status;
        if is_active(status) {
            node.started_at = node.started_at.or(Some(at));
            node.ended_at = None;
        } else if status != NodeStatus::Pending {
            node.started_at = node.started_at.or(Some(at));
            node.ended_at = Some(at);
        }
    });
    state.frontier.remove(&node);
    if is_active(status) {
        state.active.insert(node)
    } else {
        state.active.remove(&node)
    };
    let waits_for_person = matches!(status, NodeStatus::Failed | NodeStatus::UndoFailed);
    if waits_for_person {
        state.failed.insert(node)
    } else {
        state.failed.remove(&node)
    };
    if let Some(lane) = definition.lane {
        let count = state.lanes.entry(lane.id).or_default();
        match (was_active, is_active(status)) {
            (false, true) => *count += 1,
            (true, false) => *count = count.saturating_sub(1),
            (true, true) | (false, false) => {}
        }
    }
    if status.is_settled() && !before.is_settled() {
        state.settled += 1;
        settle(plan, state, node);
    } else if before.is_settled() && !status.is_settled() {
        state.settled = state.settled.saturating_sub(1);
    }
}

fn settle(plan: &IndexedPlan, state: &mut RunState, node: NodeIndex) {
    let Some(successors) = plan.index.successors.get(node as usize) else { return };
    for &successor in successors {
        let Some(definition) = plan.plan.nodes.get(successor as usize) else { continue };
        let waited = definition.needs.iter().any(|edge| edge.node == node && state.waits_for(*edge));
        let Some(open) = state.open_needs.get_mut(successor as usize).filter(|_| waited) else { continue };
        *open = open.saturating_sub(1);
        if *open == 0 && state.node(successor).status == NodeStatus::Pending {
            state.frontier.insert(successor);
        }
    }
}

/// Says whether a node in this status has begun and is not over.
pub(super) const fn is_active(status: NodeStatus) -> bool {
    match status {
        NodeStatus::Ready
        | NodeStatus::Running
        | NodeStatus::Waiting
        | NodeStatus::AwaitingApproval
        | NodeStatus::Retrying
        | NodeStatus::InDoubt => true,
        NodeStatus::Pending
        | NodeStatus::Succeeded
        | NodeStatus::Failed
        | NodeStatus::FailedIgnored
        | NodeStatus::TimedOut
        | NodeStatus::Skipped
        | NodeStatus::MarkedDone
        | NodeStatus::Undone
        | NodeStatus::UndoFailed
        | NodeStatus::Cancelled => false,
    }
}
