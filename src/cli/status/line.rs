//! The line of one service, drawn. Measured numbers and objectives stand apart: a target is no achievement.

use std::fmt::Write;

use super::coloured;
use crate::app::status::{Line, Measured};
use crate::cli::output;
use crate::cli::table::Table;
use crate::cli::table::Yield::{Cut, Drop};
use crate::cli::table::short;
use crate::evidence::readiness::{Readiness, age};
use crate::evidence::{Exercise, Millis};
use crate::model::drill::DrillLevel;
use crate::model::run::{Intent, RunStatus, Verdict};

fn row(line: &Line) -> Vec<String> {
    let span = |span: Option<Millis>| span.map(|span| short(span.duration()));
    let objective = |value: Option<Millis>| span(value).unwrap_or_else(|| "none".to_owned());
    let measured = |value: Option<Millis>| {
        let Some(text) = span(value) else { return "–".to_owned() };
        let isolated = |it: &Measured| it.level == Some(DrillLevel::Isolated);
        match &line.measured {
            Some(it) if it.stale && isolated(it) => format!("\x1b[2m{text} (isolated, stale)\x1b[0m"),
            Some(it) if it.stale => format!("\x1b[2m{text} (stale)\x1b[0m"),
            Some(it) if isolated(it) => format!("{text} (isolated)"),
            Some(_) | None => text,
        }
    };
    let shown = line.measured.as_ref();
    let drill = line.last_drill.as_ref();
    vec![
        line.service.clone(),
        coloured(line.judgement.readiness),
        line.active.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string),
        measured(shown.and_then(|shown| shown.recovery_time_ms)),
        objective(line.objectives.rto_ms),
        measured(shown.and_then(|shown| shown.data_loss_ms)),
        objective(line.objectives.rpo_ms),
        behind(line),
        drill.map_or_else(|| "never".to_owned(), |drill| told(line, drill)),
        line.next_drill.map_or_else(|| "–".to_owned(), |next| format!("in {}", age(line.now, next))),
        line.last_run.as_ref().map_or_else(|| "never".to_owned(), |run| told(line, run)),
    ]
}

/// When a run was over, what it was and what came of it.
fn told(line: &Line, exercise: &Exercise) -> String {
    let what = match (exercise.intent, exercise.level) {
        (Intent::Drill, Some(level)) => level.to_string(),
        _ => exercise.operation.to_string(),
    };
    let took = exercise.recovery_time.map_or_else(String::new, |took| format!(" {}", short(took.duration())));
    format!("{} ago, {what} {}{took}", age(exercise.ended_at, line.now), result(exercise))
}

/// How far behind the data was when it was last read. What cannot be read is unknown, whatever it was before.
fn behind(line: &Line) -> String {
    let Some(point) = &line.recovery_point else { return "–".to_owned() };
    let was = point
        .lag_ms
        .zip(point.at)
        .map(|(lag, at)| format!("{}, {} ago", short(lag.duration()), age(at, line.now)));
    match (&point.silent, was) {
        (Some(silent), Some(was)) => {
            format!("\x1b[31munknown\x1b[0m for {} (was {was})", age(silent.since, line.now))
        }
        (Some(_) | None, None) => "\x1b[31munknown\x1b[0m".to_owned(),
        (None, Some(was)) if point.behind => format!("\x1b[31m{was}\x1b[0m"),
        (None, Some(was)) => was,
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

/// Draws the lines, and the reasons below where they are wanted.
pub(super) fn render(lines: &[Line], why: bool) -> String {
    const HEAD: [&str; 11] = [
        "SERVICE",
        "READINESS",
        "RUNS IN",
        "RECOVERY",
        "RTO",
        "LOSS",
        "RPO",
        "BEHIND",
        "LAST DRILL",
        "NEXT",
        "LAST REAL RUN",
    ];
    let mut table = Table::new(&HEAD);
    for line in lines {
        table.row(row(line));
    }
    let mut text = table.fit(
        "",
        output::width(),
        &[Cut(10), Drop(10), Cut(8), Drop(9), Drop(2), Drop(8), Drop(5), Cut(7), Drop(6), Drop(7)],
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
