//! The run's status, derived from everything else: one function says what a person reads.

use super::decide::Decision;
use super::event::{Event, FenceResult, Want};
use super::unwind;
use crate::model::run::{NodeStatus, RunStatus};
use crate::plan::NodeIndex;

/// Records the status when it has changed.
pub(super) fn keep(decision: &mut Decision<'_>) {
    let (status, cause) = derive(decision);
    if status != decision.state.status || (status.needs_person() && cause != decision.state.cause) {
        decision.emit(Event::StatusChanged { status, cause });
    }
}

fn derive(decision: &Decision<'_>) -> (RunStatus, Option<String>) {
    let state = &decision.state;
    if state.status == RunStatus::Staged {
        return staged(decision);
    }
    let under_way = state.active.iter().any(|node| is_under_way(decision, *node));
    let reason = || want_reason(decision);
    match state.want {
        Want::Abort if under_way => (RunStatus::Pausing, reason()),
        Want::Abort => (RunStatus::Aborted, reason()),
        Want::Fail if under_way => (RunStatus::Pausing, reason()),
        Want::Fail => (RunStatus::Failed, reason()),
        Want::Unwind => unwinding(decision, under_way),
        Want::Pause if under_way => (RunStatus::Pausing, reason()),
        Want::Pause => (RunStatus::Paused, reason()),
        Want::Run => running(decision, under_way),
    }
}

fn staged(decision: &Decision<'_>) -> (RunStatus, Option<String>) {
    let state = &decision.state;
    if state.want == Want::Abort {
        return (RunStatus::Aborted, want_reason(decision));
    }
    match state.created.staged_until {
        Some(until) if until <= decision.now => {
            (RunStatus::Expired, Some("nobody started it in time".to_owned()))
        }
        Some(_) | None => (RunStatus::Staged, state.cause.clone()),
    }
}

fn running(decision: &Decision<'_>, under_way: bool) -> (RunStatus, Option<String>) {
    let state = &decision.state;
    if let Some(&node) = state.failed.first() {
        let cause = Some(failure_text(decision, node));
        return (if under_way { RunStatus::Pausing } else { RunStatus::Paused }, cause);
    }
    if under_way {
        return (RunStatus::Running, None);
    }
    let with =
        |status: NodeStatus| state.active.iter().copied().find(|node| decision.node(*node).status == status);
    if let Some(node) = with(NodeStatus::InDoubt) {
        return (RunStatus::Stuck, Some(format!("nobody can tell what came of {}", address(decision, node))));
    }
    if let Some(node) = with(NodeStatus::AwaitingApproval) {
        return (RunStatus::AwaitingApproval, Some(address(decision, node)));
    }
    if let Some(blocked) = blocked(decision) {
        return (RunStatus::Stuck, Some(blocked));
    }
    if all_over(decision) { finished(decision) } else { (RunStatus::Running, None) }
}

/// An end without failures; warnings where anything was left out by hand, ignored or overridden.
fn finished(decision: &Decision<'_>) -> (RunStatus, Option<String>) {
    let state = &decision.state;
    let ignored = state.nodes.iter().any(|node| {
        matches!(node.status, NodeStatus::FailedIgnored | NodeStatus::TimedOut) || node.overridden
    });
    let unfenced = state.nodes.iter().any(|node| matches!(node.fence, Some(FenceResult::Unconfirmed(_))));
    if ignored || unfenced || !is_clean(decision) {
        (RunStatus::SucceededWithWarnings, None)
    } else {
        (RunStatus::Succeeded, None)
    }
}

fn is_clean(decision: &Decision<'_>) -> bool {
    super::is_clean(&decision.state)
}

fn all_over(decision: &Decision<'_>) -> bool {
    decision.state.settled as usize == decision.plan.plan.nodes.len()
}

fn unwinding(decision: &Decision<'_>, under_way: bool) -> (RunStatus, Option<String>) {
    let state = &decision.state;
    let undo_failed = state.failed.iter().find(|node| decision.node(**node).status == NodeStatus::UndoFailed);
    if under_way {
        return (RunStatus::Unwinding, want_reason(decision));
    }
    if let Some(&node) = undo_failed {
        return (RunStatus::Stuck, Some(failure_text(decision, node)));
    }
    if let Some(&node) = state.active.first() {
        return (RunStatus::Stuck, Some(format!("nobody can tell what came of {}", address(decision, node))));
    }
    let left = unwind::left_as_is(decision);
    let cause = (!left.is_empty()).then(|| format!("without a way back, left as it is: {}", left.join(", ")));
    (RunStatus::Unwound, cause)
}

/// Says whether something will happen on the node without a person.
fn is_under_way(decision: &Decision<'_>, node: NodeIndex) -> bool {
    let state = decision.node(node);
    match state.status {
        NodeStatus::Ready | NodeStatus::Running | NodeStatus::Waiting => true,
        NodeStatus::Retrying => !decision.state.is_held(),
        NodeStatus::InDoubt => !state.person_needed,
        NodeStatus::AwaitingApproval
        | NodeStatus::Pending
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

/// A node whose needs are over but not met in truth.
fn blocked(decision: &Decision<'_>) -> Option<String> {
    decision.state.frontier.iter().find_map(|node| {
        let definition = decision.definition(*node)?;
        let edge = definition.needs.iter().find(|edge| !super::ready::is_met(decision, **edge))?;
        let need = address(decision, edge.node);
        let status = decision.node(edge.node).status;
        Some(format!("{} must not begin: {need} is {status}", definition.address))
    })
}

fn failure_text(decision: &Decision<'_>, node: NodeIndex) -> String {
    let state = decision.node(node);
    let what = if state.status == NodeStatus::UndoFailed { "undo of " } else { "" };
    let failure = state.failure.as_ref().map_or_else(String::new, |failure| format!(": {}", failure.message));
    format!("{what}{} failed{failure}", address(decision, node))
}

fn address(decision: &Decision<'_>, node: NodeIndex) -> String {
    decision.definition(node).map_or_else(|| node.to_string(), |definition| definition.address.to_string())
}

fn want_reason(decision: &Decision<'_>) -> Option<String> {
    decision.state.want_reason.clone()
}
