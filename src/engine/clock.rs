//! The recovery clock: points passed, burn, live forecast, data loss and verdicts. Numbers are honest or
//! absent.

use super::decide::Decision;
use super::event::{Applied, ClockMark, Event, FenceResult, Want};
use super::state::{IndexedPlan, RunState};
use super::{child, drill, moved};
use crate::model::action::{Effect, traits};
use crate::model::run::{Intent, NodeStatus, Phase, RunStatus, Verdict};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{Node, NodeIndex, NodeKind, Plan, ReadingPoint, Section};

/// Parts of the objective that are reported when they are used up, in percent.
const BURN: [u32; 4] = [50, 75, 90, 100];

/// Fewer samples than this have no p95 to be late by.
const SAMPLES: u32 = 5;

/// Records what the clock shows: points passed, burn, forecast.
pub(super) fn keep(decision: &mut Decision<'_>) {
    if decision.state.want != Want::CleanUp {
        mark_forward(decision);
    }
    // What a real run has taken over is brought back by nobody, whatever became of the last step of the way.
    if decision.state.clock.return_started_at.is_some() && !drill::is_promoted(decision) {
        mark(decision, ClockMark::ReturnShifted, decision.state.clock.return_shifted_at, &[Phase::Shift]);
        mark(decision, ClockMark::Returned, decision.state.clock.returned_at, &[Phase::Validate]);
    }
    let Some(objective) = decision.plan.plan.objectives.rto else { return };
    let over = decision.state.clock.healthy_at.is_some() || decision.state.want == Want::CleanUp;
    if over || decision.state.status == RunStatus::Staged {
        return;
    }
    let elapsed = decision.state.elapsed(decision.now);
    let used = elapsed.as_millis().saturating_mul(100) / objective.as_millis().max(1);
    if let Some(&percent) = BURN.iter().rev().find(|percent| u64::from(**percent) <= used)
        && percent > decision.state.burn
    {
        decision.emit(Event::BurnReached { percent, elapsed });
    }
    keep_forecast(decision, objective);
}

/// Records the points of the recovery itself that have been passed.
pub(super) fn mark_forward(decision: &mut Decision<'_>) {
    mark(decision, ClockMark::Shifted, decision.state.clock.shifted_at, shift_phases(decision.plan));
    if unmoved(decision.plan, &decision.state).is_some() {
        return;
    }
    mark(decision, ClockMark::Healthy, decision.state.clock.healthy_at, &[Phase::Validate]);
}

fn keep_forecast(decision: &mut Decision<'_>, objective: Duration) {
    let Some((forecast, node)) = forecast(decision.plan, &decision.state, decision.now) else { return };
    if forecast > objective && !decision.state.forecast_breached {
        decision.emit(Event::ForecastBreached { forecast, objective, node: Some(node) });
    } else if forecast <= objective && decision.state.forecast_breached {
        decision.emit(Event::ForecastRecovered { forecast });
    }
}

/// Phases whose end means that the service is where it belongs.
#[must_use]
pub fn shift_phases(plan: &IndexedPlan) -> &'static [Phase] {
    let has_shift = plan.plan.nodes.iter().any(|node| node.phase == Some(Phase::Shift));
    if has_shift { &[Phase::Shift] } else { &[Phase::Promote, Phase::Restore] }
}

/// A node that had to move the service and whose failure was ignored, while no other one has moved it. What
/// is found healthy then is where the service was.
pub(super) fn unmoved(plan: &IndexedPlan, state: &RunState) -> Option<NodeIndex> {
    if state.clock.shifted_at.is_some() {
        return None;
    }
    let phases = shift_phases(plan);
    let failed = |(definition, node): (&Node, NodeStatus)| {
        definition.section().is_none_or(Section::is_recovery)
            && definition.phase.is_some_and(|phase| phases.contains(&phase))
            && matches!(node, NodeStatus::FailedIgnored | NodeStatus::TimedOut)
    };
    let nodes = plan.plan.nodes.iter().zip(&state.nodes).map(|(definition, node)| (definition, node.status));
    (0..).zip(nodes).find(|(_, node)| failed(*node)).map(|(index, _)| index)
}

fn mark(decision: &mut Decision<'_>, mark: ClockMark, passed: Option<Timestamp>, phases: &[Phase]) {
    if passed.is_some() || (mark == ClockMark::Healthy && is_hollow(&decision.plan.plan)) {
        return;
    }
    let mut any = false;
    // A fleet is healthy when all its members are.
    let all = decision.plan.plan.is_fleet() && mark == ClockMark::Healthy;
    for (definition, node) in decision.plan.plan.nodes.iter().zip(&decision.state.nodes) {
        let back = definition.section() == Some(Section::Failback);
        let beside = definition.section().is_some_and(|section| !section.is_recovery()) && !back;
        if beside || back != is_return(mark) {
            continue;
        }
        if all || definition.phase.is_some_and(|phase| phases.contains(&phase)) {
            any |= matches!(node.status, NodeStatus::Succeeded | NodeStatus::MarkedDone);
            if !node.status.is_settled() || is_failed_validation(mark, node.status) {
                return;
            }
        }
    }
    if any {
        decision.emit(Event::ClockMarked { mark });
    }
}

/// Says whether a drill leaves out every step that would have changed something: whatever it finds healthy,
/// it has recovered nothing.
#[must_use]
pub fn is_hollow(plan: &Plan) -> bool {
    let changes = |node: &&Node| match &node.kind {
        NodeKind::Effect { call } => traits::effect(call.action, &call.with) == Effect::Mutate,
        NodeKind::Manual { .. } => true,
        NodeKind::Check { .. }
        | NodeKind::Reading { .. }
        | NodeKind::Approval { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Gate
        | NodeKind::Group { .. } => false,
    };
    let own = |node: &&Node| node.section() == Some(Section::Operation);
    let mut changes = plan.nodes.iter().filter(own).filter(changes).peekable();
    plan.intent == Intent::Drill && changes.peek().is_some() && changes.all(Node::is_left_out)
}

/// Whether a point is one of the way back of a live drill.
fn is_return(mark: ClockMark) -> bool {
    match mark {
        ClockMark::ReturnStarted | ClockMark::ReturnShifted | ClockMark::Returned => true,
        ClockMark::PointOfNoReturn | ClockMark::Shifted | ClockMark::Healthy => false,
    }
}

/// A validation that failed and was ignored validates nothing.
fn is_failed_validation(mark: ClockMark, status: NodeStatus) -> bool {
    matches!(mark, ClockMark::Healthy | ClockMark::Returned)
        && matches!(status, NodeStatus::FailedIgnored | NodeStatus::TimedOut)
}

/// Expected recovery time by what earlier runs took, else by the estimates, and the node most of it goes
/// to. `None` once nothing is left to
/// do.
#[must_use]
pub fn forecast(plan: &IndexedPlan, state: &RunState, now: Timestamp) -> Option<(Duration, NodeIndex)> {
    if !state.clock_runs() {
        return planned_interruption(plan);
    }
    let open = state.active.iter().chain(&state.frontier).chain(&state.failed);
    let ends = open.map(|&node| (node_end(plan, state, node, now), node));
    let (end, node) = ends.max_by_key(|(end, node)| (*end, std::cmp::Reverse(*node)))?;
    Some((end.since(state.clock_zero()), node))
}

/// What a node that is under way took at most in nineteen of twenty earlier runs, once it takes longer;
/// `None` while it is within that, or too little was measured to say so.
#[must_use]
pub fn overdue(plan: &IndexedPlan, state: &RunState, node: NodeIndex, now: Timestamp) -> Option<Duration> {
    let (it, definition) = (state.node(node), plan.plan.nodes.get(node as usize)?);
    let check = matches!(definition.kind, NodeKind::Check { .. });
    let since = match it.status {
        NodeStatus::Running if !check && it.child.is_none() => it.current.as_ref()?.started_at,
        // All looks of a check together are what was measured.
        NodeStatus::Running | NodeStatus::Waiting if check => it.started_at?,
        NodeStatus::Running
        | NodeStatus::Waiting
        | NodeStatus::Pending
        | NodeStatus::Ready
        | NodeStatus::AwaitingApproval
        | NodeStatus::Retrying
        | NodeStatus::InDoubt
        | NodeStatus::Succeeded
        | NodeStatus::Failed
        | NodeStatus::FailedIgnored
        | NodeStatus::TimedOut
        | NodeStatus::Skipped
        | NodeStatus::MarkedDone
        | NodeStatus::Undone
        | NodeStatus::UndoFailed
        | NodeStatus::Cancelled => return None,
    };
    let measured = plan.plan.measured.get(&definition.address).filter(|it| it.samples >= SAMPLES)?;
    (it.direction == super::input::Direction::Do && now.since(since) > measured.p95).then_some(measured.p95)
}

/// How long a planned move is expected to interrupt the service, from the first node that touches it.
fn planned_interruption(plan: &IndexedPlan) -> Option<(Duration, NodeIndex)> {
    let touching = (0..).zip(&plan.plan.nodes).filter(|(_, node)| node.interrupts());
    let tails = touching.map(|(index, _)| (plan.index.tail[index as usize], index));
    tails.max_by_key(|(tail, node)| (*tail, std::cmp::Reverse(*node)))
}

fn node_end(plan: &IndexedPlan, state: &RunState, node: NodeIndex, now: Timestamp) -> Timestamp {
    let estimate = plan.index.expected.get(node as usize).copied().unwrap_or_default();
    let tail = plan.index.tail.get(node as usize).copied().unwrap_or_default();
    // What comes after the recovery, such as cleaning up, has no tail and does not count.
    let estimate = estimate.min(tail);
    let begun = state.node(node).started_at.unwrap_or(now);
    begun.plus(estimate).max(now).plus(tail.minus(estimate))
}

/// When the forecast will pass the objective if nothing happens until then; the driver wakes up for it.
pub(super) fn breach_at(plan: &IndexedPlan, state: &RunState) -> Option<Timestamp> {
    let open = state.clock.healthy_at.is_none() && state.want != Want::CleanUp;
    let objective = plan.plan.objectives.rto.filter(|_| open)?;
    if state.forecast_breached || !state.clock_runs() {
        return None;
    }
    let limit = state.clock_zero().plus(objective);
    let open = state.active.iter().chain(&state.frontier).chain(&state.failed);
    let slack = open.map(|&node| {
        let estimate = plan.index.expected.get(node as usize).copied().unwrap_or_default();
        let tail = plan.index.tail.get(node as usize).copied().unwrap_or_default();
        tail.minus(estimate.min(tail))
    });
    let after = slack.max()?;
    Some(Timestamp::from_millis(limit.as_millis() - i64::try_from(after.as_millis()).unwrap_or(i64::MAX) + 1))
}

/// When the next part of the objective will be used up.
pub(super) fn burn_at(plan: &IndexedPlan, state: &RunState) -> Option<Timestamp> {
    let runs = state.clock.healthy_at.is_none() && state.clock_runs() && state.want != Want::CleanUp;
    let objective = plan.plan.objectives.rto.filter(|_| runs)?;
    let percent = BURN.into_iter().find(|percent| *percent > state.burn)?;
    let part = Duration::from_millis((objective.as_millis() * u64::from(percent)).div_ceil(100));
    Some(state.clock_zero().plus(part))
}

/// When the source stopped accepting writes.
enum WritesEnded {
    /// At the incident, or when its fences were confirmed.
    At(Timestamp),
    /// There is nothing to fence it by, and nobody said when.
    WhenRead,
    /// A fence could not be confirmed, and nobody said when the incident was: for all that is known, it
    /// still accepts them.
    MayGoOn,
}

/// Says whether a run ended without having moved its service, nor begun anything that may have: whatever was
/// read meanwhile, its data is where it was.
#[must_use]
pub fn ended_unmoved(plan: &IndexedPlan, state: &RunState) -> bool {
    let moves = |definition: &Node| {
        matches!(definition.phase, Some(Phase::Promote | Phase::Restore | Phase::Shift))
            && matches!(definition.kind, NodeKind::Effect { .. } | NodeKind::Manual { .. })
    };
    let mut moving = plan.plan.nodes.iter().zip(&state.nodes).filter(|(definition, _)| moves(definition));
    let short_of_success = match state.status {
        RunStatus::Failed | RunStatus::Aborted | RunStatus::Expired | RunStatus::Unwound => true,
        RunStatus::Pending
        | RunStatus::Staged
        | RunStatus::Running
        | RunStatus::Pausing
        | RunStatus::Paused
        | RunStatus::AwaitingApproval
        | RunStatus::Stuck
        | RunStatus::Unwinding
        | RunStatus::CleaningUp
        | RunStatus::Succeeded
        | RunStatus::SucceededWithWarnings
        | RunStatus::AwaitingAttestation
        | RunStatus::CleanupIncomplete => false,
    };
    short_of_success
        && state.clock.pnr_at.is_none()
        && state.clock.shifted_at.is_none()
        && moving.all(|(_, node)| node.applied == Applied::No && !node.partly)
}

/// Upper bound of the data lost, from the readings; `None` when nothing was read, or nothing was moved.
///
/// A reading at the fence counts most, because nothing was written after it; the worst source counts. Where
/// the fence is not confirmed, what the promoted site had counts instead, and the loss grows until it is
/// promoted. Where the run could read nothing, what was read before it counts: everything written since is
/// taken to be lost.
#[must_use]
pub fn data_loss(plan: &IndexedPlan, state: &RunState) -> Option<Duration> {
    if ended_unmoved(plan, state) {
        return None;
    }
    let ended = writes_ended(plan, state);
    read_loss(state, &ended).or_else(|| earlier_loss(state, &ended))
}

/// Says whether the data loss is told by readings from before the run alone.
#[must_use]
pub fn rests_on_earlier(plan: &IndexedPlan, state: &RunState) -> bool {
    !state.created.earlier.is_empty()
        && !ended_unmoved(plan, state)
        && read_loss(state, &writes_ended(plan, state)).is_none()
}

/// The loss by what was read before the run.
fn earlier_loss(state: &RunState, ended: &WritesEnded) -> Option<Duration> {
    let lost_at = match ended {
        WritesEnded::At(time) => *time,
        WritesEnded::WhenRead => state.created.declared_at,
        WritesEnded::MayGoOn => state.clock.pnr_at.unwrap_or(state.last_at),
    };
    state.created.earlier.iter().map(|reading| lost_at.since(reading.reaches())).max()
}

/// The loss by what the run has read.
fn read_loss(state: &RunState, ended: &WritesEnded) -> Option<Duration> {
    let order = match ended {
        WritesEnded::At(_) | WritesEnded::WhenRead => {
            [ReadingPoint::AtFence, ReadingPoint::AfterPromotion, ReadingPoint::BeforeFence]
        }
        WritesEnded::MayGoOn => {
            [ReadingPoint::AfterPromotion, ReadingPoint::AtFence, ReadingPoint::BeforeFence]
        }
    };
    order.into_iter().find_map(|point| {
        let mut newest: std::collections::BTreeMap<NodeIndex, Duration> = std::collections::BTreeMap::new();
        for (at, reading) in state.readings.iter().filter(|(_, reading)| reading.point == point) {
            let lost_at = match ended {
                WritesEnded::At(time) => (*time).min(*at),
                WritesEnded::WhenRead => *at,
                WritesEnded::MayGoOn if point == ReadingPoint::AfterPromotion => *at,
                WritesEnded::MayGoOn => state.clock.pnr_at.unwrap_or(state.last_at).max(*at),
            };
            let loss = match (reading.recovery_point_at, reading.lag) {
                (Some(reached), _) => lost_at.since(reached),
                (None, Some(lag)) => lag.plus(lost_at.since(*at)),
                (None, None) => continue,
            };
            newest.insert(reading.node, loss);
        }
        newest.into_values().max()
    })
}

/// Whether the data loss grows for as long as nobody decides.
pub(super) fn loss_grows(plan: &IndexedPlan, state: &RunState) -> bool {
    match writes_ended(plan, state) {
        WritesEnded::MayGoOn => state.clock.pnr_at.is_none(),
        WritesEnded::At(_) | WritesEnded::WhenRead => false,
    }
}

fn writes_ended(plan: &IndexedPlan, state: &RunState) -> WritesEnded {
    let fences = plan.plan.nodes.iter().zip(&state.nodes).filter(|(_, node)| node.fence.is_some());
    let mut confirmed = None;
    for (_, node) in fences {
        match (&node.fence, node.ended_at) {
            (Some(FenceResult::Confirmed), Some(at)) => confirmed = confirmed.max(Some(at)),
            (Some(FenceResult::Confirmed | FenceResult::Unconfirmed(_)) | None, _) => {
                return state.created.incident_at.map_or(WritesEnded::MayGoOn, WritesEnded::At);
            }
        }
    }
    confirmed.or(state.created.incident_at).map_or(WritesEnded::WhenRead, WritesEnded::At)
}

/// When the service was found healthy where the run had moved it; `None` also when that is taken back.
#[must_use]
pub fn recovered_at(plan: &IndexedPlan, state: &RunState) -> Option<Timestamp> {
    state.clock.healthy_at.filter(|_| !is_given_back(plan, state))
}

/// Says whether what the run has done is or was taken back: whatever it had found healthy, it recovered
/// nothing.
fn is_given_back(plan: &IndexedPlan, state: &RunState) -> bool {
    state.want == Want::Unwind || moved::is_taken_back(plan, state)
}

/// Recovery time against its objective.
#[must_use]
pub fn recovery_time_verdict(plan: &IndexedPlan, state: &RunState) -> Verdict {
    let Some(objective) = plan.plan.objectives.rto else { return Verdict::NotMeasured };
    match recovered_at(plan, state) {
        None => Verdict::NotValidated,
        Some(healthy) if healthy.since(state.clock_zero()) <= objective => Verdict::Met,
        Some(_) => Verdict::Missed,
    }
}

/// Data loss against its objective.
#[must_use]
pub fn data_loss_verdict(plan: &IndexedPlan, state: &RunState) -> Verdict {
    match (plan.plan.objectives.rpo, data_loss(plan, state)) {
        (Some(objective), Some(loss)) if loss <= objective => Verdict::Met,
        (Some(_), Some(_)) => Verdict::Missed,
        (Some(_) | None, _) => Verdict::NotMeasured,
    }
}

/// Both together, and what became of the objectives of the runs that this one began: one that missed its own
/// makes the whole miss, and met needs all of them measured.
#[must_use]
pub fn verdict(plan: &IndexedPlan, state: &RunState) -> Verdict {
    let own = own_verdict(plan, state);
    let kept = child::kept(plan, state);
    if own != Verdict::NotValidated && kept.iter().any(|child| child.verdict == Verdict::Missed) {
        return Verdict::Missed;
    }
    let is_open = kept.iter().any(child::Kept::is_open);
    if own == Verdict::Met && is_open { Verdict::Partial } else { own }
}

/// Both together: met needs both measured; an objective that does not exist is not missing.
fn own_verdict(plan: &IndexedPlan, state: &RunState) -> Verdict {
    let time = recovery_time_verdict(plan, state);
    let loss = data_loss_verdict(plan, state);
    match (time, loss) {
        (Verdict::NotValidated, _) => Verdict::NotValidated,
        (_, Verdict::Met | Verdict::Missed) if is_given_back(plan, state) => Verdict::NotValidated,
        (Verdict::Missed, _) | (_, Verdict::Missed) => Verdict::Missed,
        (Verdict::Met, Verdict::Met) => Verdict::Met,
        (Verdict::Met, _) if plan.plan.objectives.rpo.is_none() => Verdict::Met,
        (_, Verdict::Met) if plan.plan.objectives.rto.is_none() => Verdict::Met,
        (Verdict::Met, _) | (_, Verdict::Met) => Verdict::Partial,
        (Verdict::NotMeasured | Verdict::Partial, _) => Verdict::NotMeasured,
    }
}
