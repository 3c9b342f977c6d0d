//! What becomes of an attempt nobody has heard of: it is looked at, sent again under its key, or a person
//! says. Must never begin anything beside what may still run.

use serde_json::Map;

use super::attempt::{
    begin, begin_next, call_of, can_undo, done, failed, mutates, rule, start, step_deadline, succeeded,
    try_again_or_fail,
};
use super::decide::Decision;
use super::event::{Applied, Event, FenceResult, NodeSucceeded, Want};
use super::input::{AttemptKey, Direction, Observation, Rejection};
use super::state::{Adoption, AttemptState};
use super::{drill, ready};
use crate::model::action::{Doubt, traits};
use crate::model::run::{Failure, FailureClass, NodeStatus};
use crate::model::time::Duration;
use crate::plan::{Node, NodeIndex};

/// Observations that cannot tell, before a person is asked.
const UNKNOWNS_BEFORE_PERSON: u32 = 3;
/// Sends of an idempotent action that got no answer, before a person is asked; its retries may allow more.
const SENDS_BEFORE_PERSON: u32 = 3;
/// Pause between two observations that could not tell.
const OBSERVE_AGAIN: Duration = Duration::from_secs(2);

/// The outcome of an attempt is unknown: observe, send again under the same key, or ask a person.
pub(super) fn doubt(decision: &mut Decision<'_>, key: AttemptKey, why: &str) {
    if decision.state.attempt(key).is_none() {
        return;
    }
    decision.emit(Event::AttemptInDoubt { attempt: key, why: why.to_owned() });
    // As it stands after that: only now does it say whether its driver was lost.
    let Ok((definition, attempt)) = decision.current(key) else { return };
    if !mutates(definition, attempt.mode, attempt.direction) {
        return start(decision, key.node, attempt.direction, None);
    }
    let lost = attempt.token < decision.state.token;
    match rule(definition, &attempt) {
        Doubt::Observable => {}
        Doubt::Idempotent if lost && let Some(handle) = attempt.handle.clone() => {
            in_progress(decision, key, definition, &attempt, Observation::InProgress(handle));
        }
        Doubt::Idempotent if !is_sent_again(decision, definition, attempt.direction) => {
            ask_person(decision, key.node, why);
        }
        Doubt::Idempotent => send_again(decision, key, definition, &attempt, why),
        Doubt::Ask => ask_person(decision, key.node, why),
    }
}

/// Somebody looked whether the effect is true.
pub(super) fn observed(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    observation: Observation,
) -> Result<(), Rejection> {
    let state = decision.node(key.node);
    // Whatever became of a node since it was looked at, what was seen then must not begin it.
    if state.status == NodeStatus::Ready && state.adoption == Adoption::Looking {
        if key.attempt != state.attempts + 1 {
            return Err(Rejection::Stale(format!("attempt {} of node {} is over", key.attempt, key.node)));
        }
        return adopted(decision, key, observation);
    }
    let (definition, attempt) = decision.current(key)?;
    if decision.node(key.node).status != NodeStatus::InDoubt {
        return Err(Rejection::Stale(format!(
            "attempt {} of node {} is not in doubt",
            key.attempt, key.node
        )));
    }
    if let Observation::InProgress(_) = observation {
        in_progress(decision, key, definition, &attempt, observation);
        return Ok(());
    }
    let asked = decision.node(key.node).asked_again;
    decision.emit(Event::Observed { attempt: key, observation: observation.clone(), deadline: None });
    match observation {
        Observation::Applied(outputs) => succeeded(decision, key, definition, &attempt, outputs, false),
        Observation::NotApplied => {
            not_applied(decision, key, definition, &attempt, "observed not to be applied");
        }
        Observation::NeverBegan(why) => {
            not_applied(decision, key, definition, &attempt, &format!("taken for not begun: {why}"));
        }
        Observation::InProgress(_) => {}
        // A person who wanted it once more has settled what follows from the failure.
        Observation::Failed(failure) if asked => {
            begin_anew(decision, key, definition, &attempt, (failure, asked));
        }
        // No longer in doubt: it goes on as if its end had been seen.
        Observation::Failed(failure) => failed(decision, key, definition, &attempt, failure),
        Observation::Unknown(why) => unknown(decision, key, definition, &attempt, &why),
    }
    Ok(())
}

/// An operation that goes on is followed for another timeout, as long as the step's deadline allows.
fn in_progress(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    definition: &Node,
    attempt: &AttemptState,
    observation: Observation,
) {
    let last = step_deadline(decision, key.node, definition, attempt.direction);
    // What is to be taken back is waited for, however late it is.
    let last = last.filter(|_| {
        decision.state.want != Want::Unwind
            && (decision.state.want != Want::CleanUp || drill::winds_up(definition))
    });
    if last.is_some_and(|last| last <= decision.now) {
        return ask_person(decision, key.node, "it still goes on beyond the deadline of its step");
    }
    let renewed = decision.now.plus(definition.timeout);
    let deadline = if attempt.deadline > decision.now { attempt.deadline } else { renewed };
    let deadline = Some(last.map_or(deadline, |last| deadline.min(last)));
    decision.emit(Event::Observed { attempt: key, observation, deadline });
}

fn not_applied(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    definition: &Node,
    attempt: &AttemptState,
    ground: &str,
) {
    let settle = call_of(definition, attempt.mode, attempt.direction)
        .map_or(Duration::ZERO, |call| call.action.spec().settle);
    // It may have been received until nobody waited for the answer any more.
    let believable = attempt.doubted_at.unwrap_or(attempt.started_at).plus(settle);
    if decision.now < believable {
        // The effect may show late: look again once `not_applied` can be believed.
        let failure = Some(Failure::new(FailureClass::InDoubt, "not visible yet"));
        return decision.emit(Event::ObserveAgain { node: key.node, at: believable, failure });
    }
    let asked = decision.node(key.node).asked_again;
    if attempt.driver_lost || asked {
        // Known not to have happened, and through no fault of the step: begin anew without using up an
        // attempt.
        let why = if asked { ground } else { "not applied before the driver was lost" };
        let failure = Failure::new(FailureClass::Transient, why);
        return begin_anew(decision, key, definition, attempt, (failure, asked));
    }
    let failure = Failure::new(FailureClass::Transient, format!("no reply, and {ground}"));
    try_again_or_fail(decision, key.node, failure, Applied::No);
}

/// Begins another attempt that does not count as one more failure, where the run still wants it.
fn begin_anew(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    definition: &Node,
    attempt: &AttemptState,
    (failure, asked): (Failure, bool),
) {
    let at = decision.now;
    decision.emit(Event::RetryScheduled { node: key.node, at, failure, counts: false });
    if is_wanted(decision, definition, attempt.direction, asked) {
        begin_next(decision, key.node);
    }
}

fn unknown(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    definition: &Node,
    attempt: &AttemptState,
    why: &str,
) {
    let call = call_of(definition, attempt.mode, attempt.direction);
    let harmless = call.is_some_and(|call| traits::may_resend(call.action, &call.with));
    let again = harmless && is_sent_again(decision, definition, attempt.direction);
    let fences = ready::is_fence(definition)
        && ready::may_stay_unconfirmed(decision.plan, &decision.state)
        && attempt.direction == Direction::Do;
    // A fence that only its driver was lost over may well be confirmed: it is sent again, if it may be. One
    // that gave no answer itself holds nobody up.
    if fences && !(again && attempt.driver_lost) {
        let fence = Some(FenceResult::Unconfirmed(why.to_owned()));
        let outputs = Map::new();
        return ready::finish(decision, NodeSucceeded { node: key.node, outputs, adopted: false, fence });
    }
    let asked = decision.node(key.node).asked_again;
    if asked && is_wanted(decision, definition, attempt.direction, true) {
        return start(decision, key.node, attempt.direction, None);
    }
    if again {
        return send_again(decision, key, definition, attempt, why);
    }
    if asked || decision.node(key.node).unknowns >= UNKNOWNS_BEFORE_PERSON {
        return ask_person(decision, key.node, why);
    }
    let at = decision.now.plus(OBSERVE_AGAIN);
    let failure = Some(Failure::new(FailureClass::InDoubt, why));
    decision.emit(Event::ObserveAgain { node: key.node, at, failure });
}

/// The answer of an observation before a node begins.
fn adopted(decision: &mut Decision<'_>, key: AttemptKey, observation: Observation) -> Result<(), Rejection> {
    let definition = decision.definition(key.node);
    let definition = definition.ok_or_else(|| Rejection::Stale("no such node".to_owned()))?;
    if let Observation::InProgress(_) = observation {
        // Somebody is at it: followed like an attempt of one's own, never begun beside it.
        begin(decision, key.node);
        let deadline = decision.node(key.node).current.as_ref().map(|attempt| attempt.deadline);
        decision.emit(Event::Observed { attempt: key, observation, deadline });
        return Ok(());
    }
    let earlier = decision.node(key.node).applied != Applied::No;
    decision.emit(Event::Observed { attempt: key, observation: observation.clone(), deadline: None });
    match observation {
        Observation::Applied(outputs) => done(decision, key.node, definition, outputs, !earlier),
        Observation::InProgress(_) => {}
        Observation::NotApplied
        | Observation::NeverBegan(_)
        | Observation::Failed(_)
        | Observation::Unknown(_) => {
            let prepares =
                definition.call(decision.state.mode).is_some_and(|call| call.action.spec().prepares);
            if !prepares {
                begin(decision, key.node);
            }
        }
    }
    Ok(())
}

/// Says whether an attempt may begin in this direction. That something else failed holds it, unless a person
/// asked for this very one.
fn is_wanted(decision: &Decision<'_>, definition: &Node, direction: Direction, asked: bool) -> bool {
    let cleans = decision.state.want == Want::CleanUp;
    match direction {
        Direction::Do if cleans => drill::winds_up(definition),
        Direction::Do => decision.state.want == Want::Run && (asked || !decision.state.is_held()),
        Direction::Undo => cleans || decision.state.want == Want::Unwind,
    }
}

/// Says whether what may have been sent may be sent again: an effect also when it can be taken back
/// afterwards, but never once everything is to stay as it stands.
fn is_sent_again(decision: &Decision<'_>, definition: &Node, direction: Direction) -> bool {
    match decision.state.want {
        Want::Run | Want::Pause => direction == Direction::Do,
        Want::Unwind => direction == Direction::Undo || can_undo(definition),
        Want::CleanUp => true,
        Want::Abort | Want::Fail => false,
    }
}

/// Sending again is harmless, but not for ever, nor beyond the deadline of the step. A lost driver is no
/// fault of the action: what it sent does not count.
fn send_again(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    definition: &Node,
    attempt: &AttemptState,
    why: &str,
) {
    let limit = definition.retry.attempts.max(SENDS_BEFORE_PERSON);
    if !attempt.driver_lost && attempt.sends >= limit {
        let times = attempt.sends;
        return ask_person(decision, key.node, &format!("sent {times} times without an answer: {why}"));
    }
    let last = step_deadline(decision, key.node, definition, attempt.direction);
    if last.is_some_and(|last| last <= decision.now) {
        return ask_person(decision, key.node, &format!("the deadline of its step has passed: {why}"));
    }
    start(decision, key.node, attempt.direction, None);
}

fn ask_person(decision: &mut Decision<'_>, node: NodeIndex, why: &str) {
    decision.emit(Event::PersonNeeded { node, why: why.to_owned() });
}
