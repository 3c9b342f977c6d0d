//! One attempt of one node: begin, end, run out of time.

use serde_json::{Map, Value};

use super::context;
use super::decide::{Decision, timed_out};
use super::doubt::doubt;
use super::event::{Applied, AttemptStarted, Event, FenceResult, NodeSucceeded, Reading, SkipCause};
use super::input::{AttemptKey, Direction, Rejection};
use super::ready;
use super::state::{Adoption, AttemptState};
use super::{perhaps, unwind};
use crate::model::action::{ActionName, Doubt, Effect, Role, traits};
use crate::model::run::{Failure, FailureClass, Intent, Mode, NodeStatus, Phase};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{Call, Node, NodeIndex, NodeKind, PlannedUndo, ReadingPoint};
/// Throttling without a deadline is bounded by this many timeouts.
const THROTTLE_TIMEOUTS: u64 = 20;

/// The call an attempt makes: the node's in its mode, or the one that takes it back.
#[must_use]
pub fn call_of(node: &Node, mode: Mode, direction: Direction) -> Option<&Call> {
    match direction {
        Direction::Do => node.call(mode),
        Direction::Undo => match &node.undo {
            Some(PlannedUndo::Call(call)) => Some(call),
            Some(PlannedUndo::Auto) => node.call(mode),
            None => None,
        },
    }
}

/// Begins the next attempt of a node.
pub(super) fn begin(decision: &mut Decision<'_>, node: NodeIndex) {
    start(decision, node, Direction::Do, None);
}

/// Begins the attempt a retry was scheduled for, in the direction of the last one.
pub(super) fn begin_next(decision: &mut Decision<'_>, node: NodeIndex) {
    let Some(definition) = decision.definition(node) else { return };
    let (state, mode) = (decision.node(node), decision.state.mode);
    if state.direction == Direction::Do {
        let unprepared = state.applied == Applied::No && state.prepared.is_none();
        if unprepared && prepares(definition, mode) {
            return decision.emit(Event::NodeReady { node });
        }
    }
    start(decision, node, state.direction, None);
}

fn prepares(definition: &Node, mode: Mode) -> bool {
    if definition.only_asks() {
        return false;
    }
    let call = definition.call(mode);
    call.is_some_and(|call| {
        call.action.spec().prepares && traits::effect(call.action, &call.with) == Effect::Mutate
    })
}

/// Begins an attempt that takes the effect back. What a person takes back by hand is asked for.
pub(super) fn begin_undo(decision: &mut Decision<'_>, node: NodeIndex) {
    start(decision, node, Direction::Undo, None);
    let Some(definition) = decision.definition(node) else { return };
    let Some(call) = call_of(definition, decision.mode_of(node), Direction::Undo) else { return };
    // On the simulated estate nobody is there to be asked: it answers like any other action.
    if call.action == ActionName::ManualTask && decision.plan.plan.intent != Intent::Simulate {
        let message = ready::rendered_text(decision, definition, call.with.get("instructions"));
        decision.emit(Event::ApprovalRequested { node, expires_at: None, message });
    }
}

pub(super) fn start(
    decision: &mut Decision<'_>,
    node: NodeIndex,
    direction: Direction,
    prepared: Option<Value>,
) {
    let Some(definition) = decision.definition(node) else { return };
    let state = decision.node(node);
    let mut deadline = decision.now.plus(definition.timeout);
    if let Some(last) = step_deadline(decision, node, definition, direction) {
        deadline = deadline.min(last);
    }
    let mode = match direction {
        // Sent again it is what it was, or the doubt about it would be forgotten.
        Direction::Do
            if state.current.is_some() || (state.unsettled && state.status == NodeStatus::Retrying) =>
        {
            state.mode.unwrap_or(decision.state.mode)
        }
        Direction::Do => decision.state.mode,
        // The source may have been lost since: what was applied is still what it was.
        Direction::Undo => state.mode.unwrap_or_else(|| {
            // Marked done without an attempt, it may be left out in the mode of the run by now.
            let (now, either) = (decision.state.mode, Mode::Graceful);
            if call_of(definition, now, Direction::Undo).is_some() { now } else { either }
        }),
    };
    if direction == Direction::Do && definition.is_skipped_in(mode) {
        // The mode has changed since the node was ready.
        return decision.emit(Event::NodeSkipped { node, why: SkipCause::Mode });
    }
    // What a person wants done in another way than before is another intent.
    let call = |mode| definition.call(mode);
    let earlier = state.mode.filter(|_| direction == Direction::Do && state.unsettled);
    let other = earlier.is_some_and(|earlier| call(earlier) != call(mode));
    let started = AttemptStarted {
        attempt: AttemptKey { node, attempt: state.attempts + 1 },
        direction,
        generation: state.generation + u32::from(other),
        mode,
        deadline,
        prepared,
    };
    decision.emit(Event::AttemptStarted(started));
}

/// When a node with all its attempts must be over. Taking back has no deadline.
pub(super) fn step_deadline(
    decision: &Decision<'_>,
    node: NodeIndex,
    definition: &Node,
    direction: Direction,
) -> Option<Timestamp> {
    let began = decision.node(node).started_at.unwrap_or(decision.now);
    definition.deadline.filter(|_| direction == Direction::Do).map(|limit| began.plus(limit))
}

/// What undo will need was read; the attempt may begin.
pub(super) fn prepared(
    decision: &mut Decision<'_>,
    node: NodeIndex,
    result: Result<Option<Value>, Failure>,
) -> Result<(), Rejection> {
    let state = decision.node(node);
    if state.status != NodeStatus::Ready || state.adoption == Adoption::Looking {
        return Err(Rejection::Stale(format!("node {node} is not waiting to be prepared")));
    }
    match result {
        Ok(record) => start(decision, node, Direction::Do, record),
        Err(failure) => try_again_or_fail(decision, node, failure, Applied::No),
    }
    Ok(())
}

/// A long operation was started: what finds it again is kept.
pub(super) fn handle_returned(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    handle: Value,
) -> Result<(), Rejection> {
    decision.current(key)?;
    decision.emit(Event::HandleReturned { attempt: key, handle });
    Ok(())
}

/// An attempt reported its end. A report that arrives while the attempt is in doubt resolves the doubt.
pub(super) fn ended(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    result: Result<Map<String, Value>, Failure>,
) -> Result<(), Rejection> {
    let (definition, attempt) = decision.current(key)?;
    if decision.node(key.node).status == NodeStatus::InDoubt && result.is_err() {
        return Err(Rejection::Stale("the attempt is already in doubt".to_owned()));
    }
    match result {
        Ok(outputs) => succeeded(decision, key, definition, &attempt, outputs, false),
        Err(failure) => failed(decision, key, definition, &attempt, failure),
    }
    Ok(())
}

pub(super) fn succeeded(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    definition: &Node,
    attempt: &AttemptState,
    outputs: Map<String, Value>,
    adopted: bool,
) {
    if attempt.direction == Direction::Undo {
        return decision.emit(Event::NodeUndone { node: key.node });
    }
    match &definition.kind {
        NodeKind::Check { .. } => super::check::looked(decision, key.node, definition, Ok(outputs)),
        NodeKind::Reading { point, .. } => {
            take_reading(decision, key.node, definition, *point, &outputs);
            done(decision, key.node, definition, outputs, adopted);
        }
        NodeKind::Effect { .. } => {
            let role = definition.call(attempt.mode).map_or(Role::Ordinary, |call| call.action.spec().role);
            if role == Role::Reading {
                take_reading(decision, key.node, definition, point_now(decision), &outputs);
            }
            done(decision, key.node, definition, outputs, adopted);
        }
        NodeKind::Approval { .. }
        | NodeKind::Manual { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Gate
        | NodeKind::Group { .. } => {}
    }
}

/// Ends a node that did what it should: evaluates its outputs and says whether a fence holds.
pub(super) fn done(
    decision: &mut Decision<'_>,
    node: NodeIndex,
    definition: &Node,
    result: Map<String, Value>,
    adopted: bool,
) {
    let fences = decision.plan.plan.fences(definition, decision.state.mode);
    let fence = match result.get("confirmed") {
        Some(Value::Bool(false)) if ready::is_fence(definition) => {
            let why =
                result.get("reason").and_then(Value::as_str).unwrap_or("the action could not confirm it");
            Some(FenceResult::Unconfirmed(why.to_owned()))
        }
        Some(_) | None => fences.then_some(FenceResult::Confirmed),
    };
    match evaluate_outputs(decision, definition, result) {
        Ok(outputs) => ready::finish(decision, NodeSucceeded { node, outputs, adopted, fence }),
        Err(failure) => ready::fail(decision, node, failure, Applied::Yes),
    }
}

fn evaluate_outputs(
    decision: &Decision<'_>,
    definition: &Node,
    result: Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    if definition.outputs.is_empty() {
        return Ok(result);
    }
    let names = context::context(decision.plan, &decision.state, definition, Some(&result));
    let mut outputs = result;
    for (name, expression) in &definition.outputs {
        let value = expression.evaluate(&names).map_err(|error| {
            let message =
                format!("the effect is applied, but output `{name}` could not be evaluated: {error}");
            Failure::new(FailureClass::Permanent, message)
        })?;
        outputs.insert(name.clone(), value);
    }
    Ok(outputs)
}

/// An attempt is known to have failed, or to have ended with nobody knowing how.
pub(super) fn failed(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    definition: &Node,
    attempt: &AttemptState,
    failure: Failure,
) {
    if matches!(definition.kind, NodeKind::Check { .. }) {
        return super::check::looked(decision, key.node, definition, Err(failure));
    }
    let mutates = mutates(definition, attempt.mode, attempt.direction);
    // Of an operation that was accepted, a look without an answer says nothing.
    let accepted = decision.node(key.node).current.as_ref().is_some_and(|attempt| attempt.handle.is_some());
    match failure.class {
        FailureClass::Unreachable | FailureClass::Throttled if mutates && accepted => {
            doubt(decision, key, &failure.message);
        }
        FailureClass::InDoubt | FailureClass::TimedOut if mutates => doubt(decision, key, &failure.message),
        // It was accepted, so that it may have been applied all the same, in part or later.
        FailureClass::Permanent | FailureClass::Refused if mutates && accepted => {
            give_up(decision, key.node, failure, Applied::Unknown);
        }
        FailureClass::Throttled => throttled(decision, key.node, definition, failure),
        _ if perhaps::holds_unwind(decision, key.node, definition, &failure) => {
            let why = format!("{}; it may have done a part of its work", failure.message);
            decision.emit(Event::AttemptInDoubt { attempt: key, why: why.clone() });
            decision.emit(Event::PersonNeeded { node: key.node, why });
        }
        FailureClass::Transient
        | FailureClass::Unreachable
        | FailureClass::TimedOut
        | FailureClass::InDoubt
        | FailureClass::Permanent
        | FailureClass::Refused => {
            try_again_or_fail(decision, key.node, failure, Applied::No);
        }
    }
}

/// Schedules the next attempt where the policy allows one, else fails the node.
pub(super) fn try_again_or_fail(
    decision: &mut Decision<'_>,
    node: NodeIndex,
    failure: Failure,
    applied: Applied,
) {
    let Some(definition) = decision.definition(node) else { return };
    let state = decision.node(node);
    let may_work = match failure.class {
        FailureClass::Transient
        | FailureClass::Unreachable
        | FailureClass::TimedOut
        | FailureClass::InDoubt
        | FailureClass::Throttled => true,
        FailureClass::Permanent | FailureClass::Refused => false,
    };
    let at = decision.now.plus(backoff(decision, node, definition, state.failures));
    let last = step_deadline(decision, node, definition, state.direction);
    let in_time = last.is_none_or(|last| at < last);
    if may_work && in_time && state.failures + 1 < definition.retry.attempts {
        return decision.emit(Event::RetryScheduled { node, at, failure, counts: true });
    }
    give_up(decision, node, failure, applied);
}

fn give_up(decision: &mut Decision<'_>, node: NodeIndex, failure: Failure, applied: Applied) {
    if decision.node(node).direction == Direction::Undo {
        decision.emit(Event::UndoFailed { node, failure });
    } else {
        ready::fail(decision, node, failure, applied);
    }
}

fn throttled(decision: &mut Decision<'_>, node: NodeIndex, definition: &Node, failure: Failure) {
    let pause = failure.retry_after.unwrap_or(Duration::ZERO).max(backoff(decision, node, definition, 0));
    let at = decision.now.plus(pause);
    let began = decision.node(node).started_at.unwrap_or(decision.now);
    let direction = decision.node(node).direction;
    // The fence of a source that is taken for lost must not hold up everything behind it.
    let is_of_lost = decision.state.mode == Mode::Ungraceful && ready::is_fence(definition);
    let timeouts = if is_of_lost && direction == Direction::Do { 1 } else { THROTTLE_TIMEOUTS };
    let bound = Duration::from_millis(definition.timeout.as_millis().saturating_mul(timeouts));
    let last = step_deadline(decision, node, definition, direction).unwrap_or_else(|| began.plus(bound));
    if at < last {
        decision.emit(Event::RetryScheduled { node, at, failure, counts: false });
    } else {
        give_up(decision, node, failure, Applied::No);
    }
}

/// Doubles from attempt to attempt up to the longest pause; spread by the node's key, so that replay gives
/// the same.
fn backoff(decision: &Decision<'_>, node: NodeIndex, definition: &Node, failures: u32) -> Duration {
    let base = definition.retry.backoff.as_millis();
    let full = base.saturating_mul(1 << failures.min(20)).min(definition.retry.max_backoff.as_millis());
    if !definition.retry.jitter {
        return Duration::from_millis(full);
    }
    let seed = decision.state.created.run.as_str().bytes().chain(definition.address.as_str().bytes());
    let seed = seed.fold(u64::from(failures) + u64::from(node), |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Duration::from_millis(full - full * (seed % 1_000) / 4_000)
}

/// How doubt about an attempt is settled.
pub(super) fn rule(definition: &Node, attempt: &AttemptState) -> Doubt {
    let call = call_of(definition, attempt.mode, attempt.direction);
    call.map_or(Doubt::Ask, |call| traits::doubt(call.action, &call.with))
}

pub(super) fn mutates(definition: &Node, mode: Mode, direction: Direction) -> bool {
    if definition.only_asks() {
        return false;
    }
    let call = call_of(definition, mode, direction);
    call.is_some_and(|call| traits::effect(call.action, &call.with) == Effect::Mutate)
}

/// Says whether what a node does now only looks.
pub(super) fn is_read(decision: &Decision<'_>, definition: &Node, node: NodeIndex) -> bool {
    let mode = decision.mode_of(node);
    !mutates(definition, mode, decision.node(node).direction)
}

/// Looks whether an attempt under way has run out of time.
pub(super) fn check_deadline(decision: &mut Decision<'_>, node: NodeIndex) {
    let Some(attempt) = decision.node(node).current.clone() else { return };
    let Some(definition) = decision.definition(node) else { return };
    // A child run has deadlines of its own.
    if attempt.deadline > decision.now || decision.node(node).child.is_some() {
        return;
    }
    let key = AttemptKey { node, attempt: attempt.number };
    let failure = timed_out("the attempt", attempt.deadline.since(attempt.started_at));
    failed(decision, key, definition, &attempt, failure);
}

fn take_reading(
    decision: &mut Decision<'_>,
    node: NodeIndex,
    definition: &Node,
    point: ReadingPoint,
    outputs: &Map<String, Value>,
) {
    let lag = outputs.get("lag_ms").and_then(Value::as_f64).filter(|lag| *lag >= 0.0 && lag.is_finite());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be finite and positive"
    )]
    let lag = lag.map(|lag| Duration::from_millis(lag as u64));
    let at = outputs.get("recovery_point_at").and_then(Value::as_str).and_then(|text| text.parse().ok());
    if lag.is_none() && at.is_none() {
        return;
    }
    let source = definition.call(decision.state.mode).map_or("", |call| call.action.as_str()).to_owned();
    decision.emit(Event::ReadingTaken(Reading { node, point, source, lag, recovery_point_at: at }));
}

/// Where in the recovery a reading taken now stands.
fn point_now(decision: &Decision<'_>) -> ReadingPoint {
    let over = |phase: Phase| {
        let mut nodes = decision.plan.plan.nodes.iter().zip(&decision.state.nodes);
        nodes.any(|(definition, node)| definition.phase == Some(phase) && node.status.is_settled())
    };
    if over(Phase::Promote) || over(Phase::Restore) {
        ReadingPoint::AfterPromotion
    } else if over(Phase::Fence) {
        ReadingPoint::AtFence
    } else {
        ReadingPoint::BeforeFence
    }
}

/// Says whether an applied effect can be taken back.
pub(super) fn can_undo(definition: &Node) -> bool {
    definition.undo.is_some() && unwind::changes(definition)
}
