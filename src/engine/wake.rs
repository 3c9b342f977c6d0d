//! When the driver must look at a run again although nothing has happened.

use super::clock;
use super::state::{IndexedPlan, RunState};
use crate::model::run::{NodeStatus, RunStatus};
use crate::model::time::Timestamp;
use crate::plan::NodeIndex;

/// The earliest time at which time alone changes something; `None` when nothing waits for time.
#[must_use]
pub fn next_wake(plan: &IndexedPlan, state: &RunState, now: Timestamp) -> Option<Timestamp> {
    if state.status.is_terminal() {
        return None;
    }
    if state.status == RunStatus::Staged {
        return state.created.staged_until;
    }
    let nodes = state.active.iter().filter_map(|node| node_wake(state, *node, now));
    nodes.chain(clock::breach_at(plan, state)).chain(clock::burn_at(plan, state)).min()
}

fn node_wake(state: &RunState, node: NodeIndex, now: Timestamp) -> Option<Timestamp> {
    let node = state.node(node);
    match node.status {
        NodeStatus::Running if node.child.is_some() => None,
        NodeStatus::Running => node.current.as_ref().map(|attempt| attempt.deadline),
        NodeStatus::Waiting | NodeStatus::AwaitingApproval => node.until,
        NodeStatus::Retrying if !state.is_held() => node.until,
        // Once it is due the observation is in flight, and its answer comes by itself.
        NodeStatus::InDoubt if !node.person_needed => node.until.filter(|until| *until > now),
        NodeStatus::InDoubt
        | NodeStatus::Retrying
        | NodeStatus::Ready
        | NodeStatus::Pending
        | NodeStatus::Succeeded
        | NodeStatus::Failed
        | NodeStatus::FailedIgnored
        | NodeStatus::TimedOut
        | NodeStatus::Skipped
        | NodeStatus::MarkedDone
        | NodeStatus::Undone
        | NodeStatus::UndoFailed
        | NodeStatus::Cancelled => None,
    }
}
