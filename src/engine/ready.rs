//! Begins nodes whose needs are met.

use super::attempt;
use super::decide::Decision;
use super::event::{Applied, Event, FenceResult, NodeSucceeded, SkipCause, Want};
use super::input::Direction;
use super::state::{IndexedPlan, RunState};
use super::{approval, context, drill, perhaps};
use crate::model::action::{ActionName, Effect, traits};
use crate::model::expression;
use crate::model::policy::{MinSuccess, OnFailure, Stragglers};
use crate::model::run::{Failure, FailureClass, Mode, NodeStatus, Phase, RunStatus};
use crate::model::time::Duration;
use crate::plan::{Call, CheckPurpose, Edge, EdgeKind, Node, NodeIndex, NodeKind, NodeVariant};

/// Begins every node that may begin, until nothing changes.
pub(super) fn advance(decision: &mut Decision<'_>) {
    loop {
        if decision.state.status == RunStatus::Staged || decision.state.is_in_trouble() {
            return;
        }
        let before = decision.events.len();
        for node in decision.state.frontier.clone() {
            if decision.state.frontier.contains(&node) && !decision.state.is_in_trouble() {
                begin(decision, node);
            }
        }
        if decision.events.len() == before {
            return;
        }
    }
}

/// Says whether a need that is over is met in truth.
#[must_use]
pub(super) fn is_met(decision: &Decision<'_>, edge: Edge) -> bool {
    let need = decision.node(edge.node);
    match edge.kind {
        EdgeKind::Ordinary | EdgeKind::Graceful => true,
        EdgeKind::Safety => match need.status {
            NodeStatus::Succeeded | NodeStatus::MarkedDone => true,
            NodeStatus::Skipped | NodeStatus::FailedIgnored | NodeStatus::TimedOut => need.overridden,
            NodeStatus::Pending
            | NodeStatus::Ready
            | NodeStatus::Running
            | NodeStatus::Waiting
            | NodeStatus::AwaitingApproval
            | NodeStatus::Retrying
            | NodeStatus::InDoubt
            | NodeStatus::Failed
            | NodeStatus::Undone
            | NodeStatus::UndoFailed
            | NodeStatus::Cancelled => false,
        },
    }
}

/// Begins a node whose needs are all over, if it may.
pub(super) fn begin(decision: &mut Decision<'_>, node: NodeIndex) {
    let Some(definition) = decision.definition(node) else { return };
    if !drill::may_begin(decision, definition) {
        return;
    }
    if !definition.needs.iter().all(|edge| is_met(decision, *edge)) {
        return; // Blocked; the status says by what.
    }
    if let Some(lane) = definition.lane
        && decision.state.lanes.get(&lane.id).is_some_and(|running| *running >= lane.width)
    {
        return;
    }
    if definition.is_left_out() {
        return decision.emit(Event::NodeSkipped { node, why: SkipCause::Drill });
    }
    if definition.is_skipped_in(decision.state.mode) {
        return decision.emit(Event::NodeSkipped { node, why: SkipCause::Mode });
    }
    if let Some(when) = &definition.when {
        match when.is_true(&context::context(decision.plan, &decision.state, definition, None)) {
            Ok(true) => {}
            Ok(false) => return decision.emit(Event::NodeSkipped { node, why: SkipCause::When }),
            Err(error) => {
                let message = format!("`when: {}` could not be evaluated: {error}", when.as_str());
                return fail(decision, node, Failure::new(FailureClass::Permanent, message), Applied::No);
            }
        }
    }
    begin_kind(decision, node, definition);
}

fn begin_kind(decision: &mut Decision<'_>, node: NodeIndex, definition: &Node) {
    match &definition.kind {
        NodeKind::Effect { call } => begin_effect(decision, node, definition, call),
        NodeKind::Check { .. } | NodeKind::Reading { .. } => attempt::begin(decision, node),
        NodeKind::Approval { approval } => approval::request(decision, node, definition, approval),
        NodeKind::Manual { call } => {
            let message = rendered_text(decision, definition, call.with.get("instructions"));
            decision.emit(Event::ApprovalRequested { node, expires_at: None, message });
        }
        NodeKind::Wait { call } => match parameter(decision, definition, call, "duration") {
            Ok(value) => {
                if let Some(Ok(duration)) = value.as_str().map(str::parse::<Duration>) {
                    let until = decision.now.plus(duration);
                    decision.emit(Event::WaitStarted { node, until });
                } else {
                    let message = "`duration` is not a duration such as 30s";
                    fail(decision, node, Failure::new(FailureClass::Permanent, message), Applied::No);
                }
            }
            Err(failure) => fail(decision, node, failure, Applied::No),
        },
        NodeKind::Assert { call } => match parameter(decision, definition, call, "condition") {
            Ok(serde_json::Value::Bool(true)) => succeed(decision, node),
            Ok(_) => {
                let message = call
                    .with
                    .get("message")
                    .and_then(|text| text.as_str())
                    .unwrap_or("the condition is not true");
                fail(decision, node, Failure::new(FailureClass::Permanent, message), Applied::No);
            }
            Err(failure) => fail(decision, node, failure, Applied::No),
        },
        NodeKind::Gate => approval::try_gate(decision, node),
        // Where not all must succeed, none may have by now.
        NodeKind::Group { .. } if threshold(decision, node).is_some() => settle_group(decision, node),
        NodeKind::Group { .. } => succeed(decision, node),
    }
}

fn parameter(
    decision: &Decision<'_>,
    definition: &Node,
    call: &Call,
    name: &str,
) -> Result<serde_json::Value, Failure> {
    let value = call.with.get(name).cloned().unwrap_or_default();
    let names = context::context(decision.plan, &decision.state, definition, None);
    expression::render(&value, &names).map_err(|error| {
        Failure::new(FailureClass::Permanent, format!("`{name}` could not be rendered: {error}"))
    })
}

/// A text for people with its templates filled in; as written where that is not possible.
pub(super) fn rendered_text(
    decision: &Decision<'_>,
    definition: &Node,
    text: Option<&serde_json::Value>,
) -> Option<String> {
    let text = text.filter(|text| text.is_string())?;
    let names = context::context(decision.plan, &decision.state, definition, None);
    let rendered = expression::render(text, &names).unwrap_or_else(|_| text.clone());
    Some(rendered.as_str().map_or_else(|| rendered.to_string(), str::to_owned))
}

fn begin_effect(decision: &mut Decision<'_>, node: NodeIndex, definition: &Node, call: &Call) {
    let call = definition.call(decision.state.mode).unwrap_or(call);
    let mutates = traits::effect(call.action, &call.with) == Effect::Mutate;
    let look = decision.state.adopt || decision.node(node).look_first;
    if mutates && (look || call.action.spec().prepares) {
        decision.emit(Event::NodeReady { node });
    } else {
        attempt::begin(decision, node);
    }
}

fn succeed(decision: &mut Decision<'_>, node: NodeIndex) {
    finish(decision, NodeSucceeded { node, outputs: serde_json::Map::new(), adopted: false, fence: None });
}

/// Records a success and what it means for the node's group.
pub(super) fn finish(decision: &mut Decision<'_>, succeeded: NodeSucceeded) {
    let node = succeeded.node;
    decision.emit(Event::NodeSucceeded(succeeded));
    look_at_group(decision, node);
}

/// Records a failure for good and what the author wants to follow from it.
pub(super) fn fail(decision: &mut Decision<'_>, node: NodeIndex, failure: Failure, applied: Applied) {
    let Some(definition) = decision.definition(node) else { return };
    let state = decision.node(node);
    let mode = state.mode.unwrap_or(decision.state.mode);
    let counts = perhaps::runs_undo(definition, mode) || perhaps::is_resent(definition, mode);
    let half_way = counts && perhaps::ends_half_way(definition, state, &failure);
    let unsettled = state.unsettled || half_way || perhaps::is_for_undo(definition, state);
    let applied = if unsettled && applied == Applied::No { Applied::Unknown } else { applied };
    if unreachable_fence(decision, node, definition, &failure) {
        let fence = Some(FenceResult::Unconfirmed(failure.message));
        return finish(
            decision,
            NodeSucceeded { node, outputs: serde_json::Map::new(), adopted: false, fence },
        );
    }
    decision.emit(Event::NodeFailed { node, failure, applied });
    if let Some(group) = group_of(decision, node) {
        if threshold(decision, group).is_some() {
            decision.emit(Event::FailureIgnored { node });
            return look_at_group(decision, node);
        }
        if group_of(decision, group).is_some_and(|outer| threshold(decision, outer).is_some()) {
            return fail_member(decision, node, group);
        }
    }
    match on_failure(decision, definition) {
        OnFailure::Pause => {}
        OnFailure::Continue => {
            decision.emit(Event::FailureIgnored { node });
            leave_out_guarded(decision, node, definition);
            look_at_group(decision, node);
        }
        OnFailure::Abort => want(decision, Want::Fail, definition),
        OnFailure::Unwind if super::unwind::is_possible(decision) => {
            want(decision, Want::Unwind, definition);
        }
        // Past the point of no return taking back is not offered: hold for a person.
        OnFailure::Unwind => {}
    }
}

/// A part of a member has failed: the member as a whole has, and what is left of it does not begin.
fn fail_member(decision: &mut Decision<'_>, node: NodeIndex, whole: NodeIndex) {
    decision.emit(Event::FailureIgnored { node });
    let failure = decision.node(node).failure.clone();
    let failure = failure.unwrap_or_else(|| Failure::new(FailureClass::Permanent, "a part of it failed"));
    fail(decision, whole, failure, Applied::No);
    let Some(NodeKind::Group { members, .. }) = decision.definition(whole).map(|group| &group.kind) else {
        return;
    };
    for &member in members {
        give_up(decision, member, SkipCause::Failed);
    }
}

/// A precheck that failed and is ignored leaves out the step it guards: a failed precheck means no effect.
fn leave_out_guarded(decision: &mut Decision<'_>, node: NodeIndex, definition: &Node) {
    if !matches!(definition.kind, NodeKind::Check { purpose: CheckPurpose::Precheck, .. }) {
        return;
    }
    let serves = &decision.plan.index.serves;
    let Some(step) = serves.get(node as usize).copied().flatten() else { return };
    let others = (0..).zip(serves).filter(|(_, served)| **served == Some(step)).map(|(other, _)| other);
    for other in others.chain([step]) {
        give_up(decision, other, SkipCause::Failed);
    }
}

/// A lost source must not stop an ungraceful run: that its fence is unconfirmed is accepted by name at the
/// gate. Without a gate nobody would be asked, and a second primary could come up beside the first.
fn unreachable_fence(decision: &Decision<'_>, node: NodeIndex, definition: &Node, failure: &Failure) -> bool {
    // A source that answers with errors only is as good as lost. One that says no was asked wrongly.
    let absent = match failure.class {
        FailureClass::Unreachable | FailureClass::TimedOut | FailureClass::InDoubt => true,
        // One that was seen not to have taken effect can be looked at, and so is not lost.
        FailureClass::Transient | FailureClass::Throttled => {
            decision.node(node).status != NodeStatus::InDoubt
        }
        FailureClass::Permanent | FailureClass::Refused => false,
    };
    is_fence(definition) && absent && may_stay_unconfirmed(decision.plan, &decision.state)
}

/// Says whether a run may go on behind a fence that nobody has confirmed: somebody has accepted it, or is
/// asked for it at the gate before anything becomes writable elsewhere, or nothing does.
pub(super) fn may_stay_unconfirmed(plan: &IndexedPlan, state: &RunState) -> bool {
    state.mode == Mode::Ungraceful && (state.consents.accept_unfenced || !plan.plan.moves_unasked(state.mode))
}

/// Says whether a node belongs to the fence, so that a lost source does not stop an ungraceful run at it.
/// Whether it fenced anything is another question: [`crate::plan::Plan::fences`].
#[must_use]
pub(super) fn is_fence(definition: &Node) -> bool {
    let NodeKind::Effect { call } = &definition.kind else { return false };
    let role = call.action.spec().role == crate::model::action::Role::Fence;
    role || (definition.phase == Some(Phase::Fence)
        && traits::effect(call.action, &call.with) == Effect::Mutate)
}

/// A look at the start must not hold up a run whose source is lost; the same check runs again before its
/// step.
fn on_failure(decision: &Decision<'_>, definition: &Node) -> OnFailure {
    let start = matches!(definition.kind, NodeKind::Check { purpose: CheckPurpose::Start, .. });
    let ungraceful = decision.state.mode == Mode::Ungraceful;
    let intent = decision.plan.plan.intent;
    if start && (ungraceful || intent == crate::model::run::Intent::Check) {
        OnFailure::Continue
    } else {
        definition.on_failure
    }
}

/// What a step's policy wants does not count against what is wanted already.
fn want(decision: &mut Decision<'_>, want: Want, definition: &Node) {
    match decision.state.want {
        Want::Run | Want::Pause => {}
        Want::Abort | Want::Fail | Want::Unwind | Want::CleanUp => return,
    }
    let reason = format!("{} failed, and its policy is {}", definition.address, definition.on_failure);
    if drill::gives_up(decision, &reason) {
        return;
    }
    let reason = Some(reason);
    decision.emit(Event::WantChanged { want, by: None, reason });
}

fn group_of(decision: &Decision<'_>, node: NodeIndex) -> Option<NodeIndex> {
    decision.plan.index.group_of.get(node as usize).copied().flatten()
}

/// How many members of a group must succeed, where not all must.
fn threshold(decision: &Decision<'_>, group: NodeIndex) -> Option<(usize, Stragglers, usize)> {
    let definition = decision.definition(group)?;
    let NodeKind::Group { members, min_success, stragglers } = &definition.kind else { return None };
    let ungraceful: Option<MinSuccess> = match &definition.ungraceful {
        Some(NodeVariant::MinSuccess(min)) if decision.state.mode == Mode::Ungraceful => Some(*min),
        Some(NodeVariant::MinSuccess(_) | NodeVariant::Skip | NodeVariant::Call(_)) | None => None,
    };
    let min = ungraceful.or(*min_success)?;
    Some((min.of(members.len()), *stragglers, members.len()))
}

/// Settles a group as soon as enough of its members have succeeded, or too many have not.
fn look_at_group(decision: &mut Decision<'_>, member: NodeIndex) {
    if let Some(group) = group_of(decision, member) {
        settle_group(decision, group);
    }
}

fn settle_group(decision: &mut Decision<'_>, group: NodeIndex) {
    let Some((needed, stragglers, total)) = threshold(decision, group) else { return };
    if decision.node(group).status != NodeStatus::Pending {
        return;
    }
    let Some(NodeKind::Group { members, .. }) = decision.definition(group).map(|group| &group.kind) else {
        return;
    };
    let count = |decision: &Decision<'_>, test: fn(NodeStatus) -> bool| {
        members.iter().filter(|member| test(decision.node(**member).status)).count()
    };
    let done = count(decision, |status| {
        matches!(status, NodeStatus::Succeeded | NodeStatus::MarkedDone | NodeStatus::Skipped)
    });
    let lost = count(decision, |status| {
        matches!(status, NodeStatus::FailedIgnored | NodeStatus::TimedOut | NodeStatus::Failed)
    });
    if done >= needed {
        if stragglers == Stragglers::Cancel {
            for &member in members {
                give_up(decision, member, SkipCause::Enough);
            }
        }
        succeed(decision, group);
    } else if total - lost < needed {
        let message = format!("only {} of {total} can still succeed, {needed} must", total - lost);
        fail(decision, group, Failure::new(FailureClass::Permanent, message), Applied::No);
    }
}

/// Leaves out a member that has not begun or only waits. An effect under way is never dropped.
fn give_up(decision: &mut Decision<'_>, node: NodeIndex, why: SkipCause) {
    if decision.node(node).direction == Direction::Undo {
        return; // It is being taken back, which nobody's success makes superfluous.
    }
    match decision.node(node).status {
        NodeStatus::Pending
        | NodeStatus::Ready
        | NodeStatus::Waiting
        | NodeStatus::AwaitingApproval
        | NodeStatus::Retrying => decision.emit(Event::NodeSkipped { node, why }),
        NodeStatus::Running
        | NodeStatus::InDoubt
        | NodeStatus::Succeeded
        | NodeStatus::Failed
        | NodeStatus::FailedIgnored
        | NodeStatus::TimedOut
        | NodeStatus::Skipped
        | NodeStatus::MarkedDone
        | NodeStatus::Undone
        | NodeStatus::UndoFailed
        | NodeStatus::Cancelled => {}
    }
}

/// The run will not go on: nodes that only wait or look are cancelled, effects under way end by themselves.
pub(super) fn give_up_waiting(decision: &mut Decision<'_>) {
    for node in decision.state.active.clone() {
        let Some(definition) = decision.definition(node) else { continue };
        let cleans = decision.state.want == Want::CleanUp;
        let undoes = cleans || decision.state.want == Want::Unwind;
        let is_undo = decision.node(node).direction == Direction::Undo;
        if (is_undo && undoes) || (cleans && drill::winds_up(definition)) {
            continue;
        }
        let only_looks = attempt::is_read(decision, definition, node);
        let drop = match decision.node(node).status {
            NodeStatus::Ready | NodeStatus::Waiting | NodeStatus::AwaitingApproval | NodeStatus::Retrying => {
                true
            }
            NodeStatus::Running | NodeStatus::InDoubt => only_looks,
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
        };
        if drop {
            decision
                .emit(Event::NodeCancelled { node, why: format!("the run will {}", decision.state.want) });
        }
    }
}

/// A timed wait has ended, or a check looks again.
pub(super) fn wait_is_over(decision: &mut Decision<'_>, node: NodeIndex) {
    let Some(definition) = decision.definition(node) else { return };
    match &definition.kind {
        NodeKind::Wait { call } => {
            debug_assert_eq!(call.action, ActionName::WaitFor);
            succeed(decision, node);
        }
        NodeKind::Check { .. } => attempt::begin(decision, node),
        NodeKind::Effect { .. }
        | NodeKind::Reading { .. }
        | NodeKind::Approval { .. }
        | NodeKind::Manual { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Gate
        | NodeKind::Group { .. } => {}
    }
}
