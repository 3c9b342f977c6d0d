//! The JSON of a run: a stable contract of its own, so that events and state may change behind it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::members::{LeftView, MembersView, left};
use super::people::{PersonNeeded, needs_person};
use crate::engine::event::{ChildRun, FenceResult, ParentRun};
use crate::engine::input::Direction;
use crate::engine::{
    Blemish, IndexedPlan, RunState, about_to, blemishes, call_of, clock, is_clean, is_unconfirmed,
};
use crate::model::run::{ClockStart, Failure, Identity, Intent, NodeStatus, Phase, RunStatus, Verdict};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{Node, NodeIndex, NodeKind};

/// A run as shown to people and programs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields are the documented JSON contract, one to one")]
pub struct RunView {
    pub id: String,
    pub runbook: String,
    pub runbook_digest: String,
    pub plan_digest: String,
    pub operation: &'static str,
    pub mode: &'static str,
    pub intent: &'static str,
    /// How many services a fleet moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<usize>,
    pub drill_level: Option<String>,
    pub status: &'static str,
    pub cause: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub reason: Option<String>,
    pub started_by: Identity,
    pub trigger: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentRun>,
    pub fencing_token: u64,
    pub driver: Option<String>,
    pub clean: bool,
    /// Why it is not clean; absent: it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_clean: Option<String>,
    pub clock: ClockView,
    pub rto: RecoveryTimeView,
    pub rpo: DataLossView,
    pub objective_verdict: Verdict,
    /// The runs that this one began, against their own objectives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_objectives: Option<MembersView>,
    /// Runs it began that stay as they are, although it was taken back or given up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<LeftView>,
    pub point_of_no_return: &'static str,
    pub steps: Vec<StepView>,
    pub needs_person: Vec<PersonNeeded>,
    pub interventions: Vec<InterventionView>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
}

/// The split clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the fields are the documented JSON contract")]
pub struct ClockView {
    pub incident_at: Option<Timestamp>,
    pub detected_at: Option<Timestamp>,
    pub declared_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub interrupted_at: Option<Timestamp>,
    pub pnr_at: Option<Timestamp>,
    pub shifted_at: Option<Timestamp>,
    pub healthy_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

/// Recovery time against its objective. `elapsed_ms` counts from the incident, `execution_ms` from the
/// first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecoveryTimeView {
    pub objective_ms: Option<u64>,
    pub counts_from: ClockStart,
    pub elapsed_ms: u64,
    pub execution_ms: u64,
    pub recovery_time_ms: Option<u64>,
    pub forecast_ms: Option<u64>,
    pub verdict: Verdict,
}

/// Data loss against its objective.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DataLossView {
    pub objective_ms: Option<u64>,
    pub readings: Vec<ReadingView>,
    pub data_loss_ms: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_moved: bool,
    /// Nothing could be read in the run: the loss is told by what was read before it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_earlier: bool,
    pub verdict: Verdict,
}

/// A reading of the recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReadingView {
    pub at: Timestamp,
    pub when: &'static str,
    pub source: String,
    pub lag_ms: Option<u64>,
    pub recovery_point_at: Option<Timestamp>,
}

/// A node of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields are the documented JSON contract, one to one")]
pub struct StepView {
    pub id: String,
    pub name: String,
    pub phase: Option<&'static str>,
    pub action: Option<&'static str>,
    pub status: &'static str,
    pub attempts: u32,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub reversibility: &'static str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    pub failure: Option<Failure>,
    /// The run that the node has begun, while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<ChildRun>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<FenceResult>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub overridden: bool,
    /// It is under way for longer than this, which nineteen of twenty earlier runs were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub past_p95_ms: Option<u64>,
    /// What came of the step itself, once its effect is taken back: status, tries, times and failure are
    /// about that then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did: Option<DidView>,
}

/// What came of a step before its effect was taken back.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DidView {
    pub status: &'static str,
    /// The action that takes it back.
    pub undone_by: Option<&'static str>,
    pub attempts: u32,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Something a person did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InterventionView {
    pub at: Timestamp,
    pub verb: String,
    pub by: Identity,
    pub reason: Option<String>,
}

/// Makes the view of a run at a time. `driver` is who holds its lease, where somebody alive does.
#[must_use]
pub fn view(plan: &IndexedPlan, state: &RunState, driver: Option<String>, now: Timestamp) -> RunView {
    let created = &state.created;
    RunView {
        id: created.run.to_string(),
        runbook: created.service.to_string(),
        runbook_digest: created.runbook.clone(),
        plan_digest: created.plan.clone(),
        operation: created.operation.as_str(),
        mode: state.mode.as_str(),
        intent: created.intent.as_str(),
        members: plan.plan.is_fleet().then_some(plan.plan.nodes.len()),
        drill_level: plan.plan.drill.as_ref().map(|drill| drill.level.to_string()),
        status: state.status.as_str(),
        cause: cause(plan, state),
        warnings: warnings(plan, state),
        from: created.from.as_ref().map(ToString::to_string),
        to: created.to.as_ref().map(ToString::to_string),
        reason: created.reason.clone(),
        started_by: created.started_by.clone(),
        trigger: created.trigger.clone(),
        parent: created.parent.clone(),
        fencing_token: state.token,
        driver,
        clean: is_clean(state),
        not_clean: not_clean(plan, state),
        clock: clock_view(state),
        rto: recovery_time(plan, state, now),
        rpo: data_loss(plan, state),
        objective_verdict: clock::verdict(plan, state),
        member_objectives: MembersView::of(plan, state),
        left: left(plan, state),
        point_of_no_return: match (plan.index.gate, state.clock.pnr_at) {
            (None, _) => "none",
            (Some(_), None) => "ahead",
            (Some(_), Some(_)) => "passed",
        },
        steps: (0..)
            .zip(&plan.plan.nodes)
            .map(|(index, node)| step(plan, state, (index, node), now))
            .collect(),
        needs_person: needs_person(plan, state),
        interventions: state.interventions.iter().map(intervention).collect(),
        notes: created.notes.clone(),
    }
}

/// What is waited for changes while it is waited for.
fn cause(plan: &IndexedPlan, state: &RunState) -> Option<String> {
    match state.status {
        RunStatus::Pausing => Some(about_to(plan, state)),
        _ => state.cause.clone(),
    }
}

/// What makes a run not clean, in words that stand beside its numbers.
pub(super) fn not_clean(plan: &IndexedPlan, state: &RunState) -> Option<String> {
    let told: Vec<String> = blemishes(state).into_iter().map(|blemish| told(plan, state, blemish)).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn told(plan: &IndexedPlan, state: &RunState, blemish: Blemish) -> String {
    match blemish {
        Blemish::Intervened => "people intervened".to_owned(),
        Blemish::Overridden => "something was overridden".to_owned(),
        Blemish::Ignored => "failures were ignored".to_owned(),
        Blemish::Unfenced => {
            let nodes = plan.plan.nodes.iter().zip(&state.nodes);
            let fences = nodes.filter(|(_, node)| is_unconfirmed(node));
            let fences: Vec<_> = fences.map(|(definition, _)| definition.address.as_str()).collect();
            format!("the fence could not be confirmed ({})", fences.join(", "))
        }
        Blemish::Children => "runs that it began succeeded with warnings".to_owned(),
    }
}

/// What a run that succeeded did not do, although one would think so.
fn warnings(plan: &IndexedPlan, state: &RunState) -> Vec<String> {
    by_word(plan, state).into_iter().chain(unmoved(plan, state)).collect()
}

/// Validations that a person only said to be done: the recovery time rests on that word.
fn by_word(plan: &IndexedPlan, state: &RunState) -> Option<String> {
    let nodes = plan.plan.nodes.iter().zip(&state.nodes);
    let said = nodes.filter(|(definition, node)| {
        definition.phase == Some(Phase::Validate)
            && !matches!(definition.kind, NodeKind::Manual { .. })
            && node.status == NodeStatus::MarkedDone
    });
    let said: Vec<&str> = said.map(|(definition, _)| definition.address.as_str()).collect();
    (!said.is_empty()).then(|| {
        format!(
            "the service counts as validated by a person's word: {} did not pass, and was marked done",
            said.join(", ")
        )
    })
}

fn unmoved(plan: &IndexedPlan, state: &RunState) -> Option<String> {
    let succeeded = matches!(state.status, RunStatus::Succeeded | RunStatus::SucceededWithWarnings);
    let moves = match state.created.intent {
        Intent::Check => false,
        Intent::Real | Intent::Drill | Intent::Simulate => state.created.to.is_some(),
    };
    if !succeeded || !moves || state.clock.shifted_at.is_some() {
        return None;
    }
    let service = &state.created.service;
    let phases =
        if clock::shift_phases(plan).contains(&Phase::Shift) { "shift" } else { "promote or restore" };
    Some(format!("the service record of {service} has not moved: no step of phase {phases} has succeeded"))
}

fn clock_view(state: &RunState) -> ClockView {
    ClockView {
        incident_at: state.created.incident_at,
        detected_at: state.created.detected_at,
        declared_at: state.created.declared_at,
        started_at: state.clock.started_at,
        interrupted_at: state.clock.interrupted_at,
        pnr_at: state.clock.pnr_at,
        shifted_at: state.clock.shifted_at,
        healthy_at: state.clock.healthy_at,
        ended_at: state.clock.ended_at,
    }
}

fn recovery_time(plan: &IndexedPlan, state: &RunState, now: Timestamp) -> RecoveryTimeView {
    let started = state.clock.started_at.unwrap_or(state.created_at);
    let end = state.clock.healthy_at.or(state.clock.ended_at).unwrap_or(now);
    let open = !state.status.is_terminal() && state.clock.healthy_at.is_none();
    let healthy = clock::recovered_at(plan, state);
    let forecast = if open { clock::forecast(plan, state, now) } else { None };
    RecoveryTimeView {
        objective_ms: plan.plan.objectives.rto.map(Duration::as_millis),
        counts_from: state.clock_start(),
        elapsed_ms: state.elapsed(now).as_millis(),
        execution_ms: end.since(started).as_millis(),
        recovery_time_ms: healthy.map(|healthy| healthy.since(state.clock_zero()).as_millis()),
        forecast_ms: forecast.map(|(forecast, _)| forecast.as_millis()),
        verdict: clock::recovery_time_verdict(plan, state),
    }
}

fn data_loss(plan: &IndexedPlan, state: &RunState) -> DataLossView {
    let earlier = state.created.earlier.iter().map(|reading| ReadingView {
        at: reading.at,
        when: "before-the-run",
        source: reading.source.clone(),
        lag_ms: reading.lag.map(Duration::as_millis),
        recovery_point_at: reading.recovery_point_at,
    });
    let readings = state.readings.iter().map(|(at, reading)| ReadingView {
        at: *at,
        when: reading.point.as_str(),
        source: reading.source.clone(),
        lag_ms: reading.lag.map(Duration::as_millis),
        recovery_point_at: reading.recovery_point_at,
    });
    DataLossView {
        objective_ms: plan.plan.objectives.rpo.map(Duration::as_millis),
        readings: earlier.chain(readings).collect(),
        data_loss_ms: clock::data_loss(plan, state).map(Duration::as_millis),
        not_moved: clock::ended_unmoved(plan, state),
        by_earlier: clock::rests_on_earlier(plan, state),
        verdict: clock::data_loss_verdict(plan, state),
    }
}

fn step(plan: &IndexedPlan, state: &RunState, (index, node): (NodeIndex, &Node), now: Timestamp) -> StepView {
    let it = state.node(index);
    StepView {
        id: node.address.to_string(),
        name: node.title.clone(),
        phase: node.phase.map(Phase::as_str),
        action: match &node.kind {
            NodeKind::Approval { .. } => Some("approval.request"),
            NodeKind::Gate | NodeKind::Group { .. } => None,
            _ => node.call(state.mode).map(|call| call.action.as_str()),
        },
        status: it.status.as_str(),
        attempts: it.attempts,
        started_at: it.started_at,
        ended_at: it.ended_at,
        reversibility: node.reversibility.as_str(),
        outputs: it.outputs.clone(),
        failure: it.failure.clone(),
        child: it.child.clone(),
        fence: it.fence.clone(),
        adopted: it.adopted,
        overridden: it.overridden,
        past_p95_ms: clock::overdue(plan, state, index, now).map(Duration::as_millis),
        did: it.did.as_ref().map(|did| DidView {
            status: did.status.as_str(),
            undone_by: call_of(node, it.mode.unwrap_or(state.mode), Direction::Undo)
                .map(|call| call.action.as_str()),
            attempts: did.attempts,
            started_at: did.started_at,
            ended_at: did.ended_at,
            failure: did.failure.clone(),
        }),
    }
}

fn intervention(intervention: &crate::engine::state::Intervention) -> InterventionView {
    InterventionView {
        at: intervention.at,
        verb: intervention.verb.clone(),
        by: intervention.by.clone(),
        reason: intervention.reason.clone(),
    }
}
