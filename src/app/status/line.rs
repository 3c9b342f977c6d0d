//! What is told of one service: how ready it is, and what was measured. Measured numbers and objectives stand
//! apart: a target is no achievement.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::services::Service;
use crate::app::launch::board::next_drill;
use crate::app::{Standing, home};
use crate::engine::readings::{ServiceReadings, Silence};
use crate::evidence::readiness::{Definition, FRESHNESS, Judgement};
use crate::evidence::{Exercise, Millis};
use crate::model::drill::DrillLevel;
use crate::model::id::{RunId, SiteName};
use crate::model::run::Verdict;
use crate::model::time::Timestamp;

/// A service and how it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Line {
    pub(crate) service: String,
    pub(crate) runbook: Option<String>,
    pub(crate) owner: Option<String>,
    #[serde(flatten)]
    pub(crate) judgement: Judgement,
    /// Where it runs: by its record, else by its runbook.
    pub(crate) active: Option<SiteName>,
    /// Since when, by its record; absent: it has none.
    pub(crate) active_since: Option<Timestamp>,
    pub(crate) quarantined: BTreeMap<SiteName, RunId>,
    pub(crate) objectives: Objectives,
    pub(crate) measured: Option<Measured>,
    /// How far the data to recover from reached when a server last looked; absent: none has looked.
    pub(crate) recovery_point: Option<RecoveryPoint>,
    pub(crate) last_drill: Option<Exercise>,
    pub(crate) last_run: Option<Exercise>,
    /// When the next drill begins by its schedule.
    pub(crate) next_drill: Option<Timestamp>,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

/// What the business asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the fields are the documented JSON contract")]
pub(crate) struct Objectives {
    pub(crate) rto_ms: Option<Millis>,
    pub(crate) rpo_ms: Option<Millis>,
    pub(crate) freshness_ms: Millis,
}

/// What the last failover or switchover that succeeded, real or drilled, has shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Measured {
    pub(crate) run: RunId,
    pub(crate) at: Timestamp,
    pub(crate) age_ms: Millis,
    /// How far the drill went; inside a boundary it leaves steps out, and their time with them.
    pub(crate) level: Option<DrillLevel>,
    /// Too old, or of another version of the runbook.
    pub(crate) stale: bool,
    pub(crate) recovery_time_ms: Option<Millis>,
    pub(crate) data_loss_ms: Option<Millis>,
    pub(crate) verdict: Verdict,
}

/// How far the data to recover from reaches, by the last look of a server.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RecoveryPoint {
    /// When it was last read; absent: never.
    pub(crate) at: Option<Timestamp>,
    /// How long ago that was.
    pub(crate) age_ms: Option<Millis>,
    /// How far behind the data was then.
    pub(crate) lag_ms: Option<Millis>,
    /// Up to when the data was there for certain.
    pub(crate) reaches: Option<Timestamp>,
    /// What was read.
    pub(crate) sources: Vec<String>,
    /// Since when it cannot be read any more, and why: how far behind it is now, nobody knows.
    pub(crate) silent: Option<Silence>,
    /// It was further behind than the objective allows.
    pub(crate) behind: bool,
}

impl RecoveryPoint {
    fn of(readings: &ServiceReadings, now: Timestamp) -> Self {
        Self {
            at: readings.at(),
            age_ms: readings.at().map(|at| now.since(at).into()),
            lag_ms: readings.lag().map(Millis::from),
            reaches: readings.reaches(),
            sources: readings.last.iter().map(|reading| reading.source.clone()).collect(),
            silent: readings.silent.clone(),
            behind: readings.behind,
        }
    }
}

impl Line {
    pub(crate) fn of(
        service: &Service,
        standing: Standing,
        readings: Option<&ServiceReadings>,
        now: Timestamp,
    ) -> Self {
        let runbook = service.runbook();
        let Standing { record, drill, real, shown, judgement } = standing;
        let stale =
            |code: &&str| matches!(*code, "stale" | "runbook_changed" | "does_not_compile" | "defined_twice");
        let stale = judgement.reasons.iter().any(|reason| stale(&reason.code));
        let objectives = runbook.map(|runbook| runbook.objectives).unwrap_or_default();
        let freshness = match service.definition() {
            Definition::Sound { freshness, .. } => freshness,
            Definition::Broken { .. } | Definition::Twice { .. } => FRESHNESS,
        };
        Self {
            service: service.name.to_string(),
            runbook: service.paths.first().map(|path| path.display().to_string()),
            owner: runbook.and_then(|runbook| runbook.metadata.owner.clone()),
            judgement,
            active: record.active.or_else(|| runbook.and_then(home)),
            active_since: record.since,
            quarantined: record.quarantined,
            objectives: Objectives {
                rto_ms: objectives.rto.map(Millis::from),
                rpo_ms: objectives.rpo.map(Millis::from),
                freshness_ms: freshness.into(),
            },
            measured: shown.map(|shown| Measured {
                at: shown.ended_at,
                age_ms: now.since(shown.ended_at).into(),
                level: shown.level,
                stale,
                recovery_time_ms: shown.recovery_time,
                data_loss_ms: shown.data_loss,
                verdict: shown.verdict,
                run: shown.run,
            }),
            recovery_point: readings
                .filter(|_| runbook.is_some_and(|runbook| !runbook.recovery_point.is_empty()))
                .map(|readings| RecoveryPoint::of(readings, now)),
            last_drill: drill,
            last_run: real,
            next_drill: runbook.and_then(|runbook| next_drill(runbook, now)),
            now,
        }
    }
}
