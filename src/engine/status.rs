//! The run's status, derived from everything else: one function says what a person reads.

use super::clean::is_clean;
use super::decide::Decision;
use super::event::{Event, Want};
use super::state::{IndexedPlan, NodeState, RunState};
use super::{child, drill, moved, unwind};
use crate::model::run::{Intent, NodeStatus, RunStatus};
use crate::plan::NodeIndex;

/// Nodes named as waited for; the others are counted.
pub(super) const WAITS_NAMED: usize = 4;

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
    let under_way = state.active.iter().any(|node| is_under_way(state, *node));
    let reason = || want_reason(decision);
    match state.want {
        Want::Abort | Want::Fail | Want::Pause if under_way => pausing(decision),
        Want::Abort => (RunStatus::Aborted, given_up(decision)),
        Want::Fail => (RunStatus::Failed, reason()),
        Want::Unwind => unwinding(decision, under_way),
        Want::CleanUp => drill::status(decision, under_way, finished(decision)),
        Want::Pause => (RunStatus::Paused, reason()),
        Want::Run => running(decision, under_way),
    }
}

/// What a run that starts nothing new is about to become, what it waits for, and why. Changes as steps end.
#[must_use]
pub fn about_to(plan: &IndexedPlan, state: &RunState) -> String {
    let word = match state.want {
        Want::Run | Want::Pause | Want::Unwind | Want::CleanUp => "pausing",
        Want::Abort => "aborting",
        Want::Fail => "giving up",
    };
    let mut waits: Vec<String> = state
        .active
        .iter()
        .filter(|node| is_under_way(state, **node))
        .map(|node| address(plan, *node))
        .collect();
    let more = waits.len().saturating_sub(WAITS_NAMED);
    waits.truncate(WAITS_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let failed = child::trouble(plan, state)
        .or_else(|| state.failed.first().map(|node| failure_text(plan, state, *node)));
    let why = match state.want {
        Want::Run => failed,
        Want::Pause | Want::Unwind | Want::CleanUp | Want::Abort | Want::Fail => state.want_reason.clone(),
    };
    let why = why.map_or_else(String::new, |why| format!("; reason: {why}"));
    format!("{word}, waits for {}{more}{why}", waits.join(", "))
}

fn pausing(decision: &Decision<'_>) -> (RunStatus, Option<String>) {
    (RunStatus::Pausing, Some(about_to(decision.plan, &decision.state)))
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
    if under_way && state.is_in_trouble() {
        return pausing(decision);
    }
    if under_way {
        return (RunStatus::Running, None);
    }
    if let Some(&node) = state.failed.first() {
        let cause = child::trouble(decision.plan, state);
        return (RunStatus::Paused, Some(cause.unwrap_or_else(|| failure_text(decision.plan, state, node))));
    }
    let with =
        |status: NodeStatus| state.active.iter().copied().find(|node| decision.node(*node).status == status);
    if let Some(node) = with(NodeStatus::InDoubt) {
        return (RunStatus::Stuck, Some(doubtful(decision, node)));
    }
    if let Some(waiting) = child::waiting(decision.plan, state) {
        return waiting;
    }
    if let Some(node) = with(NodeStatus::AwaitingApproval) {
        return (RunStatus::AwaitingApproval, Some(address(decision.plan, node)));
    }
    if let Some(blocked) = blocked(decision) {
        return (RunStatus::Stuck, Some(blocked));
    }
    if all_over(decision) { finished(decision) } else { (RunStatus::Running, None) }
}

/// An end without failures; warnings where anything was left out by hand, ignored or overridden.
fn finished(decision: &Decision<'_>) -> (RunStatus, Option<String>) {
    let state = &decision.state;
    if state.created.intent != Intent::Drill
        && let Some(node) = super::clock::unmoved(decision.plan, state)
    {
        let why = failure_text(decision.plan, state, node);
        return (RunStatus::Failed, Some(format!("the service has not moved: {why}")));
    }
    let clean = is_clean(state);
    (if clean { RunStatus::Succeeded } else { RunStatus::SucceededWithWarnings }, None)
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
        return (RunStatus::Stuck, Some(failure_text(decision.plan, state, node)));
    }
    let asked = |node: &&NodeIndex| decision.node(**node).status == NodeStatus::AwaitingApproval;
    if let Some(&node) = state.active.iter().find(|node| !asked(node)) {
        return (RunStatus::Stuck, Some(doubtful(decision, node)));
    }
    if let Some(&node) = state.active.iter().find(asked) {
        let what = format!("{} is to be taken back by hand", address(decision.plan, node));
        return (RunStatus::AwaitingApproval, Some(what));
    }
    if let Some(kept) =
        (0..).zip(&state.nodes).map(|(node, _)| node).find(|node| unwind::is_outstanding(decision, *node))
    {
        let what =
            "is not taken back: a run inside this one has promoted meanwhile; `drctl abort` holds as it is";
        return (RunStatus::Stuck, Some(format!("{} {what}", address(decision.plan, kept))));
    }
    let left = unwind::left_as_is(decision);
    let left = (!left.is_empty()).then(|| left.join("; "));
    (RunStatus::Unwound, both(left, moved::record_stays(decision.plan, state)))
}

/// Why a run was given up; when that was amid being taken back, also what is still said of its service.
fn given_up(decision: &Decision<'_>) -> Option<String> {
    let (plan, state) = (decision.plan, &decision.state);
    let stays = moved::record_stays(plan, state).filter(|_| moved::is_begun(plan, state));
    both(want_reason(decision), stays)
}

fn both(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one}; {other}")),
        (one, other) => one.or(other),
    }
}

/// Says whether something will happen on the node without a person.
fn is_under_way(run: &RunState, node: NodeIndex) -> bool {
    let state = run.node(node);
    match state.status {
        NodeStatus::Running => run.waiting_child(node).is_none(),
        NodeStatus::Ready | NodeStatus::Waiting => true,
        NodeStatus::Retrying => !run.is_held(),
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
        let need = address(decision.plan, edge.node);
        let status = decision.node(edge.node).status;
        let left_out =
            matches!(status, NodeStatus::Skipped | NodeStatus::FailedIgnored | NodeStatus::TimedOut);
        let run = &decision.state.created.run;
        let way = if left_out {
            format!("; `drctl skip {run} {need} --override --reason \"…\"` takes that risk")
        } else {
            String::new()
        };
        Some(format!("{} must not begin: {need} is {status}{way}", definition.address))
    })
}

fn doubtful(decision: &Decision<'_>, node: NodeIndex) -> String {
    let why = why_in_doubt(decision.node(node)).map_or_else(String::new, |why| format!(": {why}"));
    format!("nobody can tell what came of {}{why}", address(decision.plan, node))
}

/// Why nobody knows what came of a node: how its attempt was lost, and why looking did not help.
#[must_use]
pub fn why_in_doubt(node: &NodeState) -> Option<String> {
    let lost = node.current.as_ref().and_then(|attempt| attempt.doubt.as_deref());
    let unseen = node.failure.as_ref().map(|failure| failure.message.as_str());
    match (lost, unseen) {
        (Some(lost), Some(unseen)) if unseen.contains(lost) => Some(unseen.to_owned()),
        (Some(lost), Some(unseen)) => Some(format!("{lost}; {unseen}")),
        (lost, unseen) => lost.or(unseen).map(str::to_owned),
    }
}

pub(super) fn failure_text(plan: &IndexedPlan, state: &RunState, node: NodeIndex) -> String {
    let state = state.node(node);
    let what = if state.status == NodeStatus::UndoFailed { "undo of " } else { "" };
    let failure = state.failure.as_ref().map_or_else(String::new, |failure| format!(": {}", failure.message));
    format!("{what}{} failed{failure}", address(plan, node))
}

pub(super) fn address(plan: &IndexedPlan, node: NodeIndex) -> String {
    let definition = plan.plan.nodes.get(node as usize);
    definition.map_or_else(|| node.to_string(), |definition| definition.address.to_string())
}

fn want_reason(decision: &Decision<'_>) -> Option<String> {
    decision.state.want_reason.clone()
}
