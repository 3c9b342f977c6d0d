//! Folds one event into the state. Total: the same live and in replay, and no event can make it panic.

use std::sync::Arc;

use super::event::{Applied, AttemptStarted, ClockMark, Event, NodeSucceeded, SkipCause};
use super::input::{AttemptKey, Consents, Direction, Observation};
use super::state::{Adoption, AttemptState, IndexedPlan, Intervention, NodeState, RunState};
use crate::model::run::{Failure, FailureClass, Identity, Mode, NodeStatus};
use crate::model::time::Timestamp;
use crate::plan::NodeIndex;

/// Folds an event recorded at a time into the state.
pub fn apply(plan: &IndexedPlan, state: &mut RunState, event: &Event, at: Timestamp) {
    state.sequence += 1;
    state.last_at = at;
    match event {
        Event::NodeReady { node } => ready(plan, state, *node, at),
        Event::AttemptStarted(started) => attempt_started(plan, state, started, at),
        Event::HandleReturned { attempt, handle } => {
            current(state, *attempt, |current| current.handle = Some(handle.clone()));
        }
        Event::AttemptInDoubt { attempt, .. } => in_doubt(plan, state, *attempt),
        Event::Observed { attempt, observation, deadline } => {
            observed(plan, state, *attempt, observation, *deadline);
        }
        Event::ObserveAgain { node, at: until, failure } => edit(state, *node, |node| {
            node.until = Some(*until);
            node.failure.clone_from(failure);
        }),
        Event::PersonNeeded { node, why } => edit(state, *node, |node| {
            node.failure = Some(Failure::new(FailureClass::InDoubt, why.clone()));
            node.person_needed = true;
            node.asked_again = false;
        }),
        Event::RetryScheduled { node, at, failure, counts } => {
            retry_scheduled(plan, state, *node, *at, failure, *counts);
        }
        Event::Looked { node, streak, again_at, failure } => {
            looked(plan, state, *node, *streak, *again_at, failure.as_ref());
        }
        Event::WaitStarted { node, until } => {
            edit(state, *node, |node| node.until = Some(*until));
            set(plan, state, *node, NodeStatus::Waiting, at);
        }
        Event::NodeSucceeded(succeeded) => node_succeeded(plan, state, succeeded, at),
        Event::NodeFailed { node, failure, applied } => node_failed(plan, state, *node, failure, *applied),
        Event::FailureIgnored { node } => set(plan, state, *node, NodeStatus::FailedIgnored, at),
        Event::NodeSkipped { node, why } => node_skipped(plan, state, *node, why, at),
        Event::NodeMarkedDone { node, outputs, .. } => {
            over(state, *node, |node| {
                node.outputs.clone_from(outputs);
                node.applied = Applied::Yes;
            });
            set(plan, state, *node, NodeStatus::MarkedDone, at);
        }
        Event::SafetyOverridden { node, .. } => edit(state, *node, |node| node.overridden = true),
        Event::NodeCancelled { node, .. } => {
            over(state, *node, |_| {});
            set(plan, state, *node, NodeStatus::Cancelled, at);
        }
        Event::NodeReset { node, look: true, .. } => look_again(state, *node, at),
        Event::NodeReset { node, look: false, .. } => node_reset(plan, state, *node, at),
        Event::NodeUndone { node } => {
            over(state, *node, |node| {
                node.applied = Applied::No;
                node.generation += 1;
                node.unsettled = false;
            });
            set(plan, state, *node, NodeStatus::Undone, at);
        }
        Event::UndoFailed { node, failure } => {
            known_failure(state, *node);
            over(state, *node, |node| node.failure = Some(failure.clone()));
            set(plan, state, *node, NodeStatus::UndoFailed, at);
        }
        of_run_or_people => apply_to_run(plan, state, of_run_or_people, at),
    }
}

/// Folds what is about the run or what people said.
fn apply_to_run(plan: &IndexedPlan, state: &mut RunState, event: &Event, at: Timestamp) {
    match event {
        Event::RunCreated(_) => {}
        Event::RunStarted { .. } => state.status = crate::model::run::RunStatus::Pending,
        Event::TookOver { token, holder, host, skew } => took_over(state, *token, holder, host, *skew),
        Event::ApprovalRequested { node, expires_at, .. } => {
            edit(state, *node, |node| {
                node.until = *expires_at;
                node.votes.clear();
            });
            set(plan, state, *node, NodeStatus::AwaitingApproval, at);
        }
        Event::VoteCast { node, by, granted } => {
            edit(state, *node, |node| node.votes.push((by.clone(), *granted)));
        }
        Event::ApprovalExpired { node } => edit(state, *node, |node| node.until = None),
        Event::GateReached { missing } => {
            state.missing.clone_from(missing);
            if let Some(gate) = plan.index.gate {
                set(plan, state, gate, NodeStatus::AwaitingApproval, at);
            }
        }
        Event::ConsentsGiven { consents, .. } => merge(&mut state.consents, consents),
        Event::GatePassed { .. } => state.missing.clear(),
        Event::ReadingTaken(reading) => state.readings.push((at, reading.clone())),
        Event::WantChanged { want, reason, .. } => {
            state.want = *want;
            state.want_reason.clone_from(reason);
        }
        Event::ModeSwitched { mode, .. } => switch_mode(plan, state, *mode, at),
        Event::AdoptionRequested { .. } => state.adopt = true,
        Event::RequestAnswered { id, verb, by, reason, refused } => {
            state.answered.insert(id.clone());
            intervened(state, verb, by, reason.as_ref(), refused.is_none(), at);
        }
        Event::BurnReached { percent, .. } => state.burn = *percent,
        Event::ForecastBreached { .. } => state.forecast_breached = true,
        Event::ForecastRecovered { .. } => state.forecast_breached = false,
        Event::ClockMarked { mark } => clock_marked(state, *mark, at),
        Event::StatusChanged { status, cause } => {
            state.status = *status;
            state.cause.clone_from(cause);
            if status.is_terminal() {
                state.clock.ended_at = Some(at);
            }
        }
        Event::NodeReady { .. }
        | Event::AttemptStarted(_)
        | Event::HandleReturned { .. }
        | Event::AttemptInDoubt { .. }
        | Event::Observed { .. }
        | Event::ObserveAgain { .. }
        | Event::PersonNeeded { .. }
        | Event::RetryScheduled { .. }
        | Event::Looked { .. }
        | Event::WaitStarted { .. }
        | Event::NodeSucceeded(_)
        | Event::NodeFailed { .. }
        | Event::FailureIgnored { .. }
        | Event::NodeSkipped { .. }
        | Event::NodeMarkedDone { .. }
        | Event::SafetyOverridden { .. }
        | Event::NodeCancelled { .. }
        | Event::NodeReset { .. }
        | Event::NodeUndone { .. }
        | Event::UndoFailed { .. } => {}
    }
}

fn intervened(
    state: &mut RunState,
    verb: &str,
    by: &Identity,
    reason: Option<&String>,
    granted: bool,
    at: Timestamp,
) {
    if !granted {
        return;
    }
    let (verb, by, reason) = (verb.to_owned(), by.clone(), reason.cloned());
    state.interventions.push(Intervention { at, verb, by, reason });
}

fn clock_marked(state: &mut RunState, mark: ClockMark, at: Timestamp) {
    match mark {
        ClockMark::PointOfNoReturn => state.clock.pnr_at = Some(at),
        ClockMark::Shifted => state.clock.shifted_at = Some(at),
        ClockMark::Healthy => state.clock.healthy_at = Some(at),
    }
}

fn looked(
    plan: &IndexedPlan,
    state: &mut RunState,
    node: NodeIndex,
    streak: u32,
    again_at: Timestamp,
    failure: Option<&Failure>,
) {
    let at = state.last_at;
    edit(state, node, |node| {
        node.current = None;
        node.streak = streak;
        node.until = Some(again_at);
        node.failure = failure.cloned();
    });
    set(plan, state, node, NodeStatus::Waiting, at);
}

fn edit(state: &mut RunState, node: NodeIndex, change: impl FnOnce(&mut NodeState)) {
    if let Some(node) = state.nodes.get_mut(node as usize) {
        change(Arc::make_mut(node));
    }
}

/// Ends whatever the node was doing.
fn over(state: &mut RunState, node: NodeIndex, change: impl FnOnce(&mut NodeState)) {
    edit(state, node, |node| {
        node.current = None;
        node.until = None;
        node.person_needed = false;
        node.asked_again = false;
        node.unknowns = 0;
        change(node);
    });
}

fn node_failed(
    plan: &IndexedPlan,
    state: &mut RunState,
    node: NodeIndex,
    failure: &Failure,
    applied: Applied,
) {
    let at = state.last_at;
    edit(state, node, |node| node.unsettled &= applied != Applied::Yes);
    known_failure(state, node);
    over(state, node, |node| {
        node.failure = Some(failure.clone());
        node.applied = applied;
    });
    set(plan, state, node, NodeStatus::Failed, at);
}

/// What follows a known failure is another intent with a key of its own, unless an earlier send of this one
/// may have been applied all the same: only its own key tells it apart from a second effect.
fn known_failure(state: &mut RunState, node: NodeIndex) {
    edit(state, node, |node| {
        let accepted = node.current.as_ref().is_some_and(|attempt| attempt.handle.is_some());
        node.generation += u32::from(accepted || !node.unsettled);
    });
}

fn current(state: &mut RunState, key: AttemptKey, change: impl FnOnce(&mut AttemptState)) {
    edit(state, key.node, |node| {
        if let Some(attempt) = node.current.as_mut().filter(|attempt| attempt.number == key.attempt) {
            change(attempt);
        }
    });
}

/// Moves a node to a status and keeps every derived set in step.
fn set(plan: &IndexedPlan, state: &mut RunState, node: NodeIndex, status: NodeStatus, at: Timestamp) {
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

fn took_over(state: &mut RunState, token: u64, holder: &str, host: &str, skew: crate::model::time::Duration) {
    state.token = token;
    state.holder = Some(holder.to_owned());
    host.clone_into(&mut state.host);
    if skew.as_millis() == 0 {
        return;
    }
    for index in state.active.clone() {
        edit(state, index, |node| {
            node.until = node.until.map(|until| until.plus(skew));
            if let Some(attempt) = node.current.as_mut() {
                attempt.deadline = attempt.deadline.plus(skew);
            }
        });
    }
}

/// A source that is declared lost interrupts the service, whatever the plan has touched so far.
fn switch_mode(plan: &IndexedPlan, state: &mut RunState, mode: Mode, at: Timestamp) {
    state.mode = mode;
    if mode == Mode::Ungraceful {
        state.clock.interrupted_at = state.clock.interrupted_at.or(Some(at));
    }
    state.recount(plan);
}

fn ready(plan: &IndexedPlan, state: &mut RunState, node: NodeIndex, at: Timestamp) {
    state.clock.started_at = state.clock.started_at.or(Some(at));
    let look = state.adopt && state.node(node).adoption == Adoption::No;
    edit(state, node, |node| {
        if look {
            node.adoption = Adoption::Looking;
        }
    });
    set(plan, state, node, NodeStatus::Ready, at);
}

fn attempt_started(plan: &IndexedPlan, state: &mut RunState, started: &AttemptStarted, at: Timestamp) {
    state.clock.started_at = state.clock.started_at.or(Some(at));
    let (token, host) = (state.token, state.host.clone());
    edit(state, started.attempt.node, |node| {
        node.attempts = started.attempt.attempt;
        node.until = None;
        node.person_needed = false;
        node.asked_again = false;
        if node.direction != started.direction {
            // Taking back is work of its own: what the effect used up of time and retries does not count.
            (node.failures, node.started_at, node.unsettled) = (0, None, false);
        }
        node.direction = started.direction;
        node.generation = started.generation;
        node.unsettled |= node.current.is_some();
        if started.direction == Direction::Do {
            // What was read while the effect may have been there is nothing to go back to.
            let (first, now) = (node.prepared.take(), started.prepared.clone());
            node.prepared = if node.applied == Applied::No { now.or(first) } else { first.or(now) };
            node.applied = Applied::Unknown;
            node.mode = Some(started.mode);
        }
        node.current = Some(AttemptState {
            number: started.attempt.attempt,
            direction: started.direction,
            generation: started.generation,
            // Any known outcome ends the attempt, so that what is still there is the same intent.
            sends: node.current.as_ref().map_or(1, |earlier| earlier.sends + 1),
            token,
            host,
            mode: started.mode,
            started_at: at,
            deadline: started.deadline,
            handle: None,
            driver_lost: false,
        });
    });
    set(plan, state, started.attempt.node, NodeStatus::Running, at);
}

fn in_doubt(plan: &IndexedPlan, state: &mut RunState, key: AttemptKey) {
    let (token, at) = (state.token, state.last_at);
    edit(state, key.node, |node| node.until = None);
    // One that was adopted stays so: that nobody saw its end is still the fault of the driver that was lost.
    current(state, key, |attempt| attempt.driver_lost |= attempt.token < token);
    set(plan, state, key.node, NodeStatus::InDoubt, at);
}

fn observed(
    plan: &IndexedPlan,
    state: &mut RunState,
    key: AttemptKey,
    observation: &Observation,
    deadline: Option<Timestamp>,
) {
    let at = state.last_at;
    match observation {
        Observation::Applied(_) => {}
        Observation::NotApplied => edit(state, key.node, |node| {
            node.unknowns = 0;
            if node.adoption == Adoption::Looking {
                node.generation += u32::from(node.unsettled);
            }
            node.unsettled = false;
            if node.adoption == Adoption::Looking {
                node.adoption = Adoption::Looked;
            }
        }),
        Observation::InProgress(handle) => {
            let token = state.token;
            current(state, key, |attempt| {
                attempt.handle = Some(handle.clone());
                attempt.token = token;
                attempt.deadline = deadline.unwrap_or(attempt.deadline);
            });
            edit(state, key.node, |node| {
                node.unknowns = 0;
                node.asked_again = false;
                if node.adoption == Adoption::Looking {
                    node.adoption = Adoption::Looked;
                }
            });
            set(plan, state, key.node, NodeStatus::Running, at);
        }
        Observation::Unknown(_) => edit(state, key.node, |node| {
            node.unknowns += 1;
            if node.adoption == Adoption::Looking {
                node.adoption = Adoption::Looked;
            }
        }),
    }
}

fn retry_scheduled(
    plan: &IndexedPlan,
    state: &mut RunState,
    node: NodeIndex,
    at: Timestamp,
    failure: &Failure,
    counts: bool,
) {
    let now = state.last_at;
    known_failure(state, node);
    over(state, node, |node| {
        node.failures += u32::from(counts);
        node.failure = Some(failure.clone());
        node.until = Some(at);
        if node.direction == Direction::Do {
            // This try is known not to have happened; an earlier one without an answer is not.
            node.applied = if node.unsettled { Applied::Unknown } else { Applied::No };
        }
    });
    set(plan, state, node, NodeStatus::Retrying, now);
}

fn node_succeeded(plan: &IndexedPlan, state: &mut RunState, succeeded: &NodeSucceeded, at: Timestamp) {
    over(state, succeeded.node, |node| {
        node.outputs.clone_from(&succeeded.outputs);
        node.adopted = succeeded.adopted;
        node.fence.clone_from(&succeeded.fence);
        node.failure = None;
        node.applied = Applied::Yes;
        node.generation += 1;
        node.unsettled = false;
    });
    set(plan, state, succeeded.node, NodeStatus::Succeeded, at);
}

fn node_skipped(plan: &IndexedPlan, state: &mut RunState, node: NodeIndex, why: &SkipCause, at: Timestamp) {
    over(state, node, |node| node.skipped = Some(why.clone()));
    set(plan, state, node, NodeStatus::Skipped, at);
}

/// A person wants an attempt in doubt made again: what has become of it is looked at once more before.
fn look_again(state: &mut RunState, node: NodeIndex, at: Timestamp) {
    edit(state, node, |node| {
        (node.failures, node.unknowns) = (0, 0);
        (node.person_needed, node.asked_again) = (false, true);
        node.until = None;
        // The step has all its time again.
        node.started_at = Some(at);
    });
}

/// Makes a failed node pending again, or one whose undo failed or is in doubt applied again.
fn node_reset(plan: &IndexedPlan, state: &mut RunState, node: NodeIndex, at: Timestamp) {
    let taken_back = state.node(node).direction == Direction::Undo;
    let doubtful = state.node(node).status == NodeStatus::InDoubt;
    over(state, node, |node| {
        node.failures = 0;
        node.streak = 0;
        node.unsettled |= doubtful;
        node.generation += u32::from(!node.unsettled);
        node.started_at = None;
        node.ended_at = None;
    });
    set(plan, state, node, if taken_back { NodeStatus::Succeeded } else { NodeStatus::Pending }, at);
    if state.open_needs.get(node as usize) == Some(&0) && state.node(node).status == NodeStatus::Pending {
        state.frontier.insert(node);
    }
}

fn merge(consents: &mut Consents, more: &Consents) {
    if more.confirm.is_some() {
        consents.confirm.clone_from(&more.confirm);
    }
    consents.accept_loss = consents.accept_loss.max(more.accept_loss);
    consents.accept_unmeasured_loss |= more.accept_unmeasured_loss;
    consents.accept_unfenced |= more.accept_unfenced;
}
