//! What one run has shown about a service: when, how far, with which result. Pure; a recovery time only where
//! validation has passed and the run has succeeded.

use schemars::JsonSchema;
use serde::Serialize;

use super::view::not_clean;
use crate::engine::event::DrillOutcome;
use crate::engine::{IndexedPlan, RunState, clock, drill, is_clean, passed, perhaps_for_good};
use crate::model::drill::DrillLevel;
use crate::model::id::{RunId, SiteName};
use crate::model::run::{Intent, Mode, Operation, RunStatus, Verdict};
use crate::model::time::{Duration, Timestamp};

/// A run that says something about the recovery of its service.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in the documented JSON")]
pub struct Exercise {
    /// The run.
    pub run: RunId,
    /// What it did.
    pub operation: Operation,
    /// Mode it ended in.
    pub mode: Mode,
    /// Real, or a drill.
    pub intent: Intent,
    /// How far the drill went.
    pub level: Option<DrillLevel>,
    /// Site it left.
    pub from: Option<SiteName>,
    /// Site it moved to.
    pub to: Option<SiteName>,
    /// What became of it.
    pub status: RunStatus,
    /// Why.
    pub cause: Option<String>,
    /// When it was over.
    pub ended_at: Timestamp,
    /// Digest of what its runbook said.
    #[serde(skip)]
    pub digest: String,
    /// Whether nobody had to intervene, and nothing else speaks against it.
    pub clean: bool,
    /// What makes it not clean, in words.
    #[serde(skip)]
    pub not_clean: Option<String>,
    /// Whether its validation has passed.
    pub validated: bool,
    /// Measured recovery time.
    #[serde(rename = "recovery_time_ms")]
    pub recovery_time: Option<Millis>,
    /// What the recovery time counts to on the way back of a live drill.
    #[serde(rename = "return_time_ms", skip_serializing_if = "Option::is_none")]
    pub return_time: Option<Millis>,
    /// Upper bound of the data lost.
    #[serde(rename = "data_loss_ms")]
    pub data_loss: Option<Millis>,
    /// Objectives against what was measured.
    pub verdict: Verdict,
    /// Why the drill was not begun: a guard was red.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub red_guard: Option<String>,
    /// The irreversible step that a real run has performed, or may have, and ended without moving the users:
    /// the record does not say where data is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_between: Option<String>,
    /// Why somebody said afterwards that it has not passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubted: Option<String>,
    /// The drill left out every step that would have changed something: it has shown nothing.
    #[serde(skip)]
    pub hollow: bool,
    /// The drill was ended for the real operation.
    #[serde(skip)]
    pub promoted: bool,
}

/// A duration that is a number of milliseconds in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Millis(u64);

impl Millis {
    /// The duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        Self(duration.as_millis())
    }
}

/// Says whether runs of an intent exercise anything: a simulated one and a check do not.
#[must_use]
pub const fn exercises(intent: Intent) -> bool {
    match intent {
        Intent::Real | Intent::Drill => true,
        Intent::Check | Intent::Simulate => false,
    }
}

/// Says whether a run counts as the last exercise of the failover of its service: it went there, and it
/// succeeded.
#[must_use]
pub const fn is_exercise(intent: Intent, operation: Operation, status: RunStatus) -> bool {
    let goes = match operation {
        Operation::Failover | Operation::Switchover => true,
        Operation::Failback => false,
    };
    exercises(intent) && goes && matches!(status, RunStatus::Succeeded | RunStatus::SucceededWithWarnings)
}

impl Exercise {
    /// What a run has shown; `None` when it is simulated, only looked, or was withdrawn before it began.
    #[must_use]
    pub fn of(plan: &IndexedPlan, state: &RunState) -> Option<Self> {
        let created = &state.created;
        let succeeded = matches!(state.status, RunStatus::Succeeded | RunStatus::SucceededWithWarnings);
        if !exercises(created.intent) || (state.clock.started_at.is_none() && !succeeded) {
            return None;
        }
        let open = matches!(state.status, RunStatus::AwaitingAttestation);
        let refused = state.drill.attestation.as_ref().filter(|attested| !attested.passed);
        let doubted = refused.map(|attested| {
            let notes = attested.notes.as_deref().unwrap_or("no notes");
            format!("{} attested that it has not passed: {notes}", attested.by.name)
        });
        // What has not passed in somebody's eyes has no recovery time.
        let validated = state.clock.healthy_at.is_some() && (succeeded || open) && doubted.is_none();
        let recovery = state.clock.healthy_at.filter(|_| validated);
        let back = state.clock.returned_at.zip(state.clock.return_started_at).filter(|_| validated);
        Some(Self {
            run: created.run.clone(),
            operation: created.operation,
            mode: state.mode,
            intent: created.intent,
            level: plan.plan.drill.as_ref().map(|drill| drill.level),
            from: created.from.clone(),
            to: created.to.clone(),
            status: state.status,
            cause: state.cause.clone(),
            ended_at: state.clock.ended_at.unwrap_or(state.last_at),
            digest: plan.plan.runbook.digest.clone(),
            clean: is_clean(state),
            not_clean: not_clean(plan, state),
            validated,
            recovery_time: recovery.map(|healthy| healthy.since(state.clock_zero()).into()),
            return_time: back.map(|(returned, began)| returned.since(began).into()),
            data_loss: clock::data_loss(plan, state).map(Millis::from),
            verdict: if validated { clock::verdict(plan, state) } else { Verdict::NotValidated },
            red_guard: drill::red_guard(plan, state),
            left_between: left_between(plan, state),
            doubted,
            hollow: clock::is_hollow(&plan.plan),
            promoted: state.drill.outcome == Some(DrillOutcome::Promoted),
        })
    }

    /// Says whether it succeeded.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        matches!(self.status, RunStatus::Succeeded | RunStatus::SucceededWithWarnings)
    }
}

fn left_between(plan: &IndexedPlan, state: &RunState) -> Option<String> {
    let ended_short = matches!(state.status, RunStatus::Aborted | RunStatus::Failed);
    if state.created.intent != Intent::Real || !ended_short || state.clock.shifted_at.is_some() {
        return None;
    }
    let perhaps = || perhaps_for_good(plan, state).map(|(address, _)| address);
    passed(plan, state).or_else(perhaps).map(ToString::to_string)
}
