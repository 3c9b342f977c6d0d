//! The line of one service. Measured numbers and objectives stand apart: a target is no achievement.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::coloured;
use super::services::Service;
use crate::app::Standing;
use crate::app::launch::board::next_drill;
use crate::cli::output;
use crate::cli::table::Table;
use crate::cli::table::Yield::{Cut, Drop};
use crate::cli::table::short;
use crate::evidence::readiness::{Definition, FRESHNESS, Judgement, Readiness, age};
use crate::evidence::{Exercise, Millis};
use crate::model::drill::DrillLevel;
use crate::model::id::{RunId, SiteName};
use crate::model::run::{Intent, RunStatus, Verdict};
use crate::model::runbook::Runbook;
use crate::model::time::Timestamp;
use crate::model::values::SiteRole;

/// A service and how it stands.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) service: String,
    runbook: Option<String>,
    owner: Option<String>,
    #[serde(flatten)]
    pub(super) judgement: Judgement,
    /// Where it runs: by its record, else by its runbook.
    active: Option<SiteName>,
    /// Since when, by its record; absent: it has none.
    active_since: Option<Timestamp>,
    quarantined: BTreeMap<SiteName, RunId>,
    objectives: Objectives,
    measured: Option<Measured>,
    last_drill: Option<Exercise>,
    last_run: Option<Exercise>,
    /// When the next drill begins by its schedule.
    next_drill: Option<Timestamp>,
    #[serde(skip)]
    now: Timestamp,
}

/// What the business asked for.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the fields are the documented JSON contract")]
struct Objectives {
    rto_ms: Option<Millis>,
    rpo_ms: Option<Millis>,
    freshness_ms: Millis,
}

/// What the last failover or switchover that succeeded, real or drilled, has shown.
#[derive(Debug, Serialize)]
struct Measured {
    run: RunId,
    at: Timestamp,
    age_ms: Millis,
    /// How far the drill went; inside a boundary it leaves steps out, and their time with them.
    level: Option<DrillLevel>,
    /// Too old, or of another version of the runbook.
    stale: bool,
    recovery_time_ms: Option<Millis>,
    data_loss_ms: Option<Millis>,
    verdict: Verdict,
}

impl Line {
    pub(super) fn of(service: &Service, standing: Standing, now: Timestamp) -> Self {
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
            last_drill: drill,
            last_run: real,
            next_drill: runbook.and_then(|runbook| next_drill(runbook, now)),
            now,
        }
    }

    fn row(&self) -> Vec<String> {
        let span = |span: Option<Millis>| span.map(|span| short(span.duration()));
        let objective = |value: Option<Millis>| span(value).unwrap_or_else(|| "none".to_owned());
        let measured = |value: Option<Millis>| {
            let Some(text) = span(value) else { return "–".to_owned() };
            let isolated = |it: &Measured| it.level == Some(DrillLevel::Isolated);
            match &self.measured {
                Some(it) if it.stale && isolated(it) => format!("\x1b[2m{text} (isolated, stale)\x1b[0m"),
                Some(it) if it.stale => format!("\x1b[2m{text} (stale)\x1b[0m"),
                Some(it) if isolated(it) => format!("{text} (isolated)"),
                Some(_) | None => text,
            }
        };
        let shown = self.measured.as_ref();
        let drill = self.last_drill.as_ref();
        vec![
            self.service.clone(),
            coloured(self.judgement.readiness),
            self.active.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string),
            measured(shown.and_then(|shown| shown.recovery_time_ms)),
            objective(self.objectives.rto_ms),
            measured(shown.and_then(|shown| shown.data_loss_ms)),
            objective(self.objectives.rpo_ms),
            drill.map_or_else(|| "never".to_owned(), |drill| self.told(drill)),
            self.next_drill.map_or_else(|| "–".to_owned(), |next| format!("in {}", age(self.now, next))),
            self.last_run.as_ref().map_or_else(|| "never".to_owned(), |run| self.told(run)),
        ]
    }

    /// When a run was over, what it was and what came of it.
    fn told(&self, exercise: &Exercise) -> String {
        let what = match (exercise.intent, exercise.level) {
            (Intent::Drill, Some(level)) => level.to_string(),
            _ => exercise.operation.to_string(),
        };
        let took =
            exercise.recovery_time.map_or_else(String::new, |took| format!(" {}", short(took.duration())));
        format!("{} ago, {what} {}{took}", age(exercise.ended_at, self.now), result(exercise))
    }
}

/// What came of a run, in a word.
fn result(exercise: &Exercise) -> String {
    let (colour, word) = match exercise.status {
        _ if exercise.red_guard.is_some() => ("33", "not begun".to_owned()),
        RunStatus::Succeeded | RunStatus::SucceededWithWarnings if exercise.verdict == Verdict::Missed => {
            ("33", "missed".to_owned())
        }
        RunStatus::Succeeded | RunStatus::SucceededWithWarnings if !exercise.validated => {
            ("33", "not validated".to_owned())
        }
        RunStatus::Succeeded => ("32", "ok".to_owned()),
        RunStatus::SucceededWithWarnings => ("33", "ok with help".to_owned()),
        RunStatus::Failed => ("31", "failed".to_owned()),
        other => ("33", other.as_str().replace('_', " ")),
    };
    format!("\x1b[{colour}m{word}\x1b[0m")
}

/// Where the runbook says that the service runs.
fn home(runbook: &Runbook) -> Option<SiteName> {
    let mut sites = runbook.sites.iter().filter(|(_, site)| site.role == SiteRole::Active);
    match (sites.next(), sites.next()) {
        (Some((name, _)), None) => Some(name.clone()),
        _ => None,
    }
}

/// Draws the lines, and the reasons below where they are wanted.
pub(super) fn render(lines: &[Line], why: bool) -> String {
    const HEAD: [&str; 10] = [
        "SERVICE",
        "READINESS",
        "RUNS IN",
        "RECOVERY",
        "RTO",
        "LOSS",
        "RPO",
        "LAST DRILL",
        "NEXT",
        "LAST REAL RUN",
    ];
    let mut table = Table::new(&HEAD);
    for line in lines {
        table.row(line.row());
    }
    let mut text = table.fit(
        "",
        output::width(),
        &[Cut(9), Drop(9), Cut(7), Drop(8), Drop(2), Drop(7), Drop(5), Drop(6)],
    );
    // Writing into a string cannot fail.
    if why {
        for line in lines.iter().filter(|line| !line.judgement.reasons.is_empty()) {
            let _ = write!(text, "\n{}: {}\n", line.service, coloured(line.judgement.readiness));
            for reason in &line.judgement.reasons {
                let told = if reason.makes == Readiness::Ready { "note" } else { reason.code };
                let _ = writeln!(text, "  {told}: {}", reason.text);
                if let Some(command) = &reason.command {
                    let _ = writeln!(text, "    {command}");
                }
            }
        }
    }
    if lines.len() > 1 {
        let count = |readiness| lines.iter().filter(|line| line.judgement.readiness == readiness).count();
        let all = Readiness::ALL.iter().map(|readiness| (*readiness, count(*readiness)));
        let all: Vec<_> = all.filter(|(_, count)| *count > 0).collect();
        let all: Vec<_> = all.iter().map(|(word, count)| format!("{count} {}", coloured(*word))).collect();
        let _ = write!(text, "\n{}", all.join(" · "));
        if !why && lines.iter().any(|line| line.judgement.readiness != Readiness::Ready) {
            let _ = write!(text, "; --why says why");
        }
    }
    text
}
