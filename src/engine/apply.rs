//! Folds one event into the state. Total: the same live and in replay, and no event can make it panic.

use super::apply_node::{
    attempt_started, in_doubt, known_failure, look_again, looked, node_failed, node_reset, node_skipped,
    node_succeeded, observed, ready, retry_scheduled,
};
use super::event::{Applied, ClockMark, DrillOutcome, Event, Want};
use super::input::{Consents, Direction};
use super::state::{IndexedPlan, Intervention, RunState};
use super::transition::{current, edit, over, set};
use crate::model::run::{Failure, FailureClass, Identity, Mode, NodeStatus, RunStatus};
use crate::model::time::Timestamp;

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
        Event::ChildReported { node, child } => edit(state, *node, |node| node.child = Some(child.clone())),
        Event::AttemptInDoubt { attempt, why } => in_doubt(plan, state, *attempt, why),
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
                // Somebody has taken it away by hand.
                if node.direction == Direction::Do {
                    node.turn_back();
                }
                node.applied = Applied::No;
                node.generation += 1;
                (node.unsettled, node.partly) = (false, false);
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
        Event::RunStarted { by } => begun(state, by),
        Event::TookOver { token, holder, host, traces, skew } => {
            children_unheard(state);
            host.clone_into(&mut state.host);
            state.traces.clone_from(traces);
            took_over(state, *token, holder, *skew);
        }
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
        Event::WantChanged { want, reason, .. } => want_changed(state, *want, reason.as_ref()),
        Event::ModeSwitched { mode, .. } => switch_mode(plan, state, *mode, at),
        Event::AdoptionRequested { .. } => state.adopt = true,
        Event::RequestAnswered { id, verb, by, reason, refused, .. } => {
            state.answered.insert(id.clone());
            intervened(state, verb, by, reason.as_ref(), refused.is_none(), at);
        }
        Event::DrillCut { reason, .. } => drill_ends(state, DrillOutcome::Aborted, reason.as_ref()),
        Event::CleanupBegan { outcome, reason, keep, .. } => {
            drill_ends(state, *outcome, reason.as_ref());
            state.drill.keep = keep.iter().copied().collect();
            want_changed(state, Want::CleanUp, reason.as_ref());
        }
        Event::Attested(attested) => state.drill.attestation = Some(attested.clone()),
        Event::BurnReached { percent, .. } => state.burn = *percent,
        Event::ForecastBreached { .. } => state.forecast_breached = true,
        Event::ForecastRecovered { .. } => state.forecast_breached = false,
        Event::ClockMarked { mark } => clock_marked(state, *mark, at),
        Event::StatusChanged { status, cause } => status_changed(state, *status, cause.as_ref(), at),
        Event::NodeReady { .. }
        | Event::AttemptStarted(_)
        | Event::HandleReturned { .. }
        | Event::ChildReported { .. }
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

fn status_changed(state: &mut RunState, status: RunStatus, cause: Option<&String>, at: Timestamp) {
    state.status = status;
    state.cause = cause.cloned();
    if status.is_terminal() {
        state.clock.ended_at = Some(at);
    }
}

/// Winding a drill up begins, or is to begin as soon as it can.
fn drill_ends(state: &mut RunState, outcome: DrillOutcome, reason: Option<&String>) {
    state.drill.outcome = Some(outcome);
    state.drill.reason = reason.cloned();
}

fn want_changed(state: &mut RunState, want: Want, reason: Option<&String>) {
    state.want = want;
    state.wants += 1;
    state.want_reason = reason.cloned();
    children_unheard(state);
}

/// What was wanted, or who drives, has changed: whether a child waits is known when it has been heard again.
fn children_unheard(state: &mut RunState) {
    for index in state.active.clone() {
        edit(state, index, |node| {
            if let Some(child) = node.child.as_mut() {
                child.waits = false;
            }
        });
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
        ClockMark::ReturnStarted => state.clock.return_started_at = Some(at),
        ClockMark::ReturnShifted => state.clock.return_shifted_at = Some(at),
        ClockMark::Returned => state.clock.returned_at = Some(at),
    }
}

fn begun(state: &mut RunState, by: &Identity) {
    state.status = RunStatus::Pending;
    state.begun_by = Some(by.name.clone());
}

fn took_over(state: &mut RunState, token: u64, holder: &str, skew: crate::model::time::Duration) {
    state.token = token;
    state.holder = Some(holder.to_owned());
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

fn merge(consents: &mut Consents, more: &Consents) {
    if more.confirm.is_some() {
        consents.confirm.clone_from(&more.confirm);
    }
    consents.accept_loss = consents.accept_loss.max(more.accept_loss);
    consents.accept_unmeasured_loss |= more.accept_unmeasured_loss;
    consents.accept_unfenced |= more.accept_unfenced;
}
