//! Folds what became of one node into the state. Total, like `apply`.

use super::event::{Applied, AttemptStarted, NodeSucceeded, SkipCause};
use super::input::{AttemptKey, Direction, Observation};
use super::perhaps::{ends_half_way, is_for_undo, is_resent};
use super::state::{Adoption, AttemptState, IndexedPlan, RunState};
use super::transition::{current, edit, over, set};
use crate::model::run::{Failure, NodeStatus};
use crate::model::time::Timestamp;
use crate::plan::NodeIndex;

pub(super) fn looked(
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

pub(super) fn node_failed(
    plan: &IndexedPlan,
    state: &mut RunState,
    node: NodeIndex,
    failure: &Failure,
    applied: Applied,
) {
    let at = state.last_at;
    half_way(plan, state, node, failure);
    edit(state, node, |node| {
        let accepted = node.current.as_ref().is_some_and(|attempt| attempt.handle.is_some());
        node.look_first = accepted && applied == Applied::Unknown;
        node.unsettled = (node.unsettled && applied != Applied::Yes) || node.look_first;
        node.generation += u32::from(!node.unsettled);
    });
    over(state, node, |node| {
        node.failure = Some(failure.clone());
        node.applied = applied;
    });
    set(plan, state, node, NodeStatus::Failed, at);
}

/// Keeps in mind that a try failed which may have done a part of its work.
fn half_way(plan: &IndexedPlan, state: &mut RunState, node: NodeIndex, failure: &Failure) {
    let Some(definition) = plan.plan.nodes.get(node as usize) else { return };
    if !ends_half_way(definition, state.node(node), failure) {
        return;
    }
    let mode = state.node(node).mode.unwrap_or(state.mode);
    // Asked for again it must be known to be the same: it may have been carried out.
    let resent = is_resent(definition, mode);
    edit(state, node, |node| {
        node.partly = true;
        node.unsettled |= resent;
    });
}

/// What follows a known failure is another intent with a key of its own, unless an earlier send of this one
/// may have been applied all the same: only its own key tells it apart from a second effect.
pub(super) fn known_failure(state: &mut RunState, node: NodeIndex) {
    edit(state, node, |node| {
        let accepted = node.current.as_ref().is_some_and(|attempt| attempt.handle.is_some());
        node.generation += u32::from(accepted || !node.unsettled);
    });
}

pub(super) fn ready(plan: &IndexedPlan, state: &mut RunState, node: NodeIndex, at: Timestamp) {
    state.clock.started_at = state.clock.started_at.or(Some(at));
    let it = state.node(node);
    let look = it.look_first || (state.adopt && it.adoption == Adoption::No);
    edit(state, node, |node| {
        if look {
            (node.adoption, node.look_first) = (Adoption::Looking, false);
        }
    });
    set(plan, state, node, NodeStatus::Ready, at);
}

pub(super) fn attempt_started(
    plan: &IndexedPlan,
    state: &mut RunState,
    started: &AttemptStarted,
    at: Timestamp,
) {
    state.clock.started_at = state.clock.started_at.or(Some(at));
    let (token, host, traces) = (state.token, state.host.clone(), state.traces.clone());
    edit(state, started.attempt.node, |node| {
        match started.direction {
            Direction::Undo if node.direction == Direction::Do => node.turn_back(),
            Direction::Do if node.direction == Direction::Undo => {
                (node.failures, node.started_at, node.unsettled, node.did) = (0, None, false, None);
            }
            Direction::Do | Direction::Undo => {}
        }
        node.attempts = started.attempt.attempt;
        node.until = None;
        node.person_needed = false;
        node.asked_again = false;
        node.direction = started.direction;
        node.generation = started.generation;
        if node.current.is_none() {
            node.child = None;
        }
        node.unsettled |= node.current.is_some();
        if started.direction == Direction::Do {
            // What was read while the effect may have been there is nothing to go back to.
            let (first, now) = (node.prepared.take(), started.prepared.clone());
            let untouched = node.applied == Applied::No && !node.partly;
            node.prepared = if untouched { now.or(first) } else { first.or(now) };
            node.applied = Applied::Unknown;
            node.mode = Some(started.mode);
        }
        node.current = Some(AttemptState {
            number: started.attempt.attempt,
            direction: started.direction,
            generation: started.generation,
            // Any known outcome ends the attempt, so that what is still there is the same intent.
            sends: node.current.as_ref().map_or(1, |it| it.sends + u32::from(!it.driver_lost)),
            token,
            host,
            traces,
            mode: started.mode,
            started_at: at,
            deadline: started.deadline,
            handle: None,
            doubted_at: None,
            driver_lost: false,
            doubt: None,
        });
    });
    set(plan, state, started.attempt.node, NodeStatus::Running, at);
}

pub(super) fn in_doubt(plan: &IndexedPlan, state: &mut RunState, key: AttemptKey, why: &str) {
    let (token, at) = (state.token, state.last_at);
    edit(state, key.node, |node| node.until = None);
    // One that was adopted stays so: that nobody saw its end is still the fault of the driver that was lost.
    current(state, key, |attempt| {
        attempt.driver_lost |= attempt.token < token;
        attempt.doubted_at = Some(at);
        attempt.doubt = Some(why.to_owned());
    });
    set(plan, state, key.node, NodeStatus::InDoubt, at);
}

pub(super) fn observed(
    plan: &IndexedPlan,
    state: &mut RunState,
    key: AttemptKey,
    observation: &Observation,
    deadline: Option<Timestamp>,
) {
    let at = state.last_at;
    match observation {
        Observation::Applied(_) => edit(state, key.node, |node| {
            if node.adoption == Adoption::Looking {
                node.adoption = Adoption::Looked;
            }
        }),
        Observation::NotApplied | Observation::NeverBegan(_) => edit(state, key.node, |node| {
            node.unknowns = 0;
            node.partly &= !matches!(observation, Observation::NotApplied);
            // A look that was never answered says nothing of an effect that is being taken back.
            if node.adoption == Adoption::Looking && node.direction == Direction::Do {
                node.generation += u32::from(node.unsettled);
                node.applied = Applied::No;
                node.adoption = Adoption::Looked;
            }
            node.unsettled = false;
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
        Observation::Failed(_) if state.node(key.node).status == NodeStatus::InDoubt => {
            edit(state, key.node, |node| {
                node.unknowns = 0;
                node.asked_again = false;
            });
            // What follows from the failure is decided as of an attempt whose end was seen.
            set(plan, state, key.node, NodeStatus::Running, at);
        }
        Observation::Failed(_) | Observation::Unknown(_) => edit(state, key.node, |node| {
            node.unknowns += 1;
            if node.adoption == Adoption::Looking {
                node.adoption = Adoption::Looked;
            }
        }),
    }
}

pub(super) fn retry_scheduled(
    plan: &IndexedPlan,
    state: &mut RunState,
    node: NodeIndex,
    at: Timestamp,
    failure: &Failure,
    counts: bool,
) {
    let now = state.last_at;
    half_way(plan, state, node, failure);
    known_failure(state, node);
    let kept = plan.plan.nodes.get(node as usize).is_some_and(|it| is_for_undo(it, state.node(node)));
    over(state, node, |node| {
        node.failures += u32::from(counts);
        node.failure = Some(failure.clone());
        node.until = Some(at);
        if node.direction == Direction::Do {
            // This try is known not to have happened; an earlier one without an answer is not.
            node.applied = if node.unsettled || kept { Applied::Unknown } else { Applied::No };
        }
    });
    set(plan, state, node, NodeStatus::Retrying, now);
}

pub(super) fn node_succeeded(
    plan: &IndexedPlan,
    state: &mut RunState,
    succeeded: &NodeSucceeded,
    at: Timestamp,
) {
    over(state, succeeded.node, |node| {
        node.outputs.clone_from(&succeeded.outputs);
        node.adopted = succeeded.adopted;
        node.fence.clone_from(&succeeded.fence);
        node.failure = None;
        node.applied = Applied::Yes;
        node.generation += 1;
        (node.unsettled, node.partly) = (false, false);
    });
    set(plan, state, succeeded.node, NodeStatus::Succeeded, at);
}

pub(super) fn node_skipped(
    plan: &IndexedPlan,
    state: &mut RunState,
    node: NodeIndex,
    why: &SkipCause,
    at: Timestamp,
) {
    over(state, node, |node| node.skipped = Some(why.clone()));
    set(plan, state, node, NodeStatus::Skipped, at);
}

/// A person wants an attempt in doubt made again: what has become of it is looked at once more before.
pub(super) fn look_again(state: &mut RunState, node: NodeIndex, at: Timestamp) {
    edit(state, node, |node| {
        (node.failures, node.unknowns) = (0, 0);
        (node.person_needed, node.asked_again) = (false, true);
        node.until = None;
        // The step has all its time again.
        node.started_at = Some(at);
    });
}

/// Makes a failed node pending again, or one whose undo failed or is in doubt applied again. One that was
/// left out is to begin after all.
pub(super) fn node_reset(plan: &IndexedPlan, state: &mut RunState, node: NodeIndex, at: Timestamp) {
    if state.node(node).status == NodeStatus::Skipped {
        state.drill.asked.insert(node);
        over(state, node, |node| {
            node.skipped = None;
            (node.started_at, node.ended_at) = (None, None);
        });
        set(plan, state, node, NodeStatus::Pending, at);
        return state.recount(plan);
    }
    let passed_over = matches!(state.node(node).status, NodeStatus::FailedIgnored | NodeStatus::TimedOut);
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
    if passed_over {
        // What needs it has gone on without it.
        return state.recount(plan);
    }
    if state.open_needs.get(node as usize) == Some(&0) && state.node(node).status == NodeStatus::Pending {
        state.frontier.insert(node);
    }
}
