//! The report of a run as Markdown: what a review and an auditor read. Pure; never claims what was not
//! measured.

use std::fmt::{Result, Write};

use super::view::RunView;
use crate::engine::event::FenceResult;
use crate::engine::input::Consents;
use crate::engine::{IndexedPlan, RunState};
use crate::model::run::{Identity, Intent};
use crate::model::time::{Duration, Timestamp};
use crate::plan::NodeIndex;

/// What a report says beyond the state: taken from the records themselves.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Version of drctl that started the run.
    pub version: String,
    /// Number of records.
    pub records: u64,
    /// Hash of the last record, in hex.
    pub last_hash: String,
    /// Consents in the order they were given.
    pub given: Vec<Given>,
    /// Safety edges that people overrode.
    pub overrides: Vec<(Timestamp, NodeIndex, Identity, String)>,
}

/// Consents given at one time.
#[derive(Debug, Clone)]
pub struct Given {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Identity,
    /// Which.
    pub consents: Consents,
}

/// Writes the report.
#[must_use]
pub fn report(plan: &IndexedPlan, state: &RunState, view: &RunView, evidence: &Evidence) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = summary(&mut out, plan, state, view)
        .and_then(|()| objectives(&mut out, view))
        .and_then(|()| clock(&mut out, view))
        .and_then(|()| steps(&mut out, view))
        .and_then(|()| people(&mut out, plan, view, evidence))
        .and_then(|()| chain(&mut out, view, evidence));
    out
}

fn summary(out: &mut String, plan: &IndexedPlan, state: &RunState, view: &RunView) -> Result {
    let title = plan.plan.runbook.title.as_deref().unwrap_or(&view.runbook);
    writeln!(out, "# {} of {}: {}\n", capital(view.operation), text(title), view.status.replace('_', " "))?;
    let kind = match state.created.intent {
        Intent::Real => "",
        Intent::Simulate => "**Simulated.** Nothing real was touched; no number here was achieved.\n\n",
        Intent::Check => "**Checks only.** Nothing was changed.\n\n",
        Intent::Drill => "**Drill.**\n\n",
    };
    out.push_str(kind);
    if !state.status.is_terminal() {
        writeln!(out, "**The run is not over.** This report shows it as it stands.\n")?;
    }
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(out, "| run | `{}` |", view.id)?;
    writeln!(out, "| service | {} |", view.runbook)?;
    let site = |site: &Option<String>, other: &str| site.clone().unwrap_or_else(|| other.to_owned());
    writeln!(out, "| from, to | {} → {} |", site(&view.from, "?"), site(&view.to, "the other sites"))?;
    writeln!(out, "| mode | {} |", view.mode)?;
    for warning in &view.warnings {
        writeln!(out, "| warning | {} |", text(warning))?;
    }
    if let Some(cause) = &view.cause {
        writeln!(out, "| cause | {} |", text(cause))?;
    }
    writeln!(out, "| reason | {} |", view.reason.as_deref().map_or_else(|| "none given".to_owned(), text))?;
    writeln!(
        out,
        "| started by | {} ({}), by {} |",
        text(&view.started_by.name),
        view.started_by.authentication,
        view.trigger
    )?;
    writeln!(
        out,
        "| helped along | {} |",
        if view.clean { "no" } else { "yes: people intervened, see below" }
    )?;
    for (name, note) in view.notes.iter().filter(|(_, note)| note.len() < 200 && !note.contains('\n')) {
        writeln!(out, "| {name} | {} |", text(note))?;
    }
    Ok(())
}

fn objectives(out: &mut String, view: &RunView) -> Result {
    let span = |millis: Option<u64>, none: &str| {
        millis.map_or_else(|| none.to_owned(), |millis| Duration::from_millis(millis).to_string())
    };
    writeln!(out, "\n## Objectives\n\n| | objective | measured | verdict |\n|---|---|---|---|")?;
    let (rto, rpo) = (&view.rto, &view.rpo);
    let measured = match rto.recovery_time_ms {
        Some(_) => span(rto.recovery_time_ms, ""),
        None => "no recovery time: validation has not passed".to_owned(),
    };
    writeln!(
        out,
        "| recovery time | {} | {measured} | {} |",
        span(rto.objective_ms, "none"),
        words(rto.verdict.as_str())
    )?;
    let loss = rpo
        .data_loss_ms
        .map_or_else(|| "not measured".to_owned(), |_| format!("at most {}", span(rpo.data_loss_ms, "")));
    let loss = if rpo.not_moved { "none: the service was not moved".to_owned() } else { loss };
    writeln!(
        out,
        "| data loss | {} | {loss} | {} |",
        span(rpo.objective_ms, "none"),
        words(rpo.verdict.as_str())
    )?;
    writeln!(
        out,
        "\nTogether: **{}**. Execution took {}.",
        words(view.objective_verdict.as_str()),
        span(Some(rto.execution_ms), "")
    )?;
    members(out, view)?;
    left(out, view)?;
    if rpo.readings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| recovery point read | source | lag | data reaches |\n|---|---|---|---|")?;
    for reading in &rpo.readings {
        let reach = reading.recovery_point_at.map_or_else(String::new, |at| at.to_string());
        writeln!(
            out,
            "| {} ({}) | {} | {} | {reach} |",
            reading.at,
            reading.when,
            text(&reading.source),
            span(reading.lag_ms, "")
        )?;
    }
    Ok(())
}

fn members(out: &mut String, view: &RunView) -> Result {
    let Some(members) = &view.member_objectives else { return Ok(()) };
    let counts = members.verdicts.iter().map(|(verdict, count)| format!("{count} {}", words(verdict)));
    writeln!(out, "\nObjectives of the runs it began: {}.", counts.collect::<Vec<_>>().join(", "))?;
    if members.missed.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| missed by | run | what |\n|---|---|---|")?;
    for missed in &members.missed {
        writeln!(out, "| `{}` | `{}` | {} |", missed.step, missed.run, missed.text())?;
    }
    Ok(())
}

/// What was not taken back.
fn left(out: &mut String, view: &RunView) -> Result {
    if view.left.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nThese runs have moved their services and were left as they are:\n")?;
    for left in &view.left {
        let command =
            left.command.as_deref().map_or_else(String::new, |command| format!(", back with `{command}`"));
        writeln!(out, "- `{}`: `{}`{command}", left.step, left.run)?;
    }
    Ok(())
}

fn clock(out: &mut String, view: &RunView) -> Result {
    let clock = &view.clock;
    let zero = clock.incident_at.unwrap_or(clock.declared_at);
    writeln!(out, "\n## Clock\n\n| point | time | after the start of the clock |\n|---|---|---|")?;
    let points = [
        ("incident", clock.incident_at),
        ("detected", clock.detected_at),
        ("declared", Some(clock.declared_at)),
        ("first step", clock.started_at),
        ("interrupted", clock.interrupted_at),
        ("point of no return", clock.pnr_at),
        ("traffic shifted", clock.shifted_at),
        ("healthy", clock.healthy_at),
        ("ended", clock.ended_at),
    ];
    for (name, at) in points {
        match at {
            Some(at) => writeln!(out, "| {name} | {at} | {} |", at.since(zero))?,
            None => writeln!(out, "| {name} | - | - |")?,
        }
    }
    Ok(())
}

fn steps(out: &mut String, view: &RunView) -> Result {
    writeln!(
        out,
        "\n## Steps\n\n| step | phase | action | status | attempts | took | note |\n|---|---|---|---|---|---|---|"
    )?;
    for step in &view.steps {
        let took = match (step.started_at, step.ended_at) {
            (Some(start), Some(end)) => end.since(start).to_string(),
            _ => String::new(),
        };
        let mut notes: Vec<String> = step.failure.iter().map(|failure| text(&failure.to_string())).collect();
        match &step.fence {
            Some(FenceResult::Confirmed) => notes.push("fence confirmed".to_owned()),
            Some(FenceResult::Unconfirmed(why)) => {
                notes.push(format!("fence **not** confirmed: {}", text(why)));
            }
            None => {}
        }
        let marks = [(step.adopted, "was already true"), (step.overridden, "safety overridden")];
        notes.extend(marks.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()));
        writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {took} | {} |",
            step.id,
            step.phase.unwrap_or(""),
            step.action.map_or_else(String::new, |action| format!("`{action}`")),
            words(step.status),
            step.attempts,
            notes.join("; ")
        )?;
    }
    Ok(())
}

fn people(out: &mut String, plan: &IndexedPlan, view: &RunView, evidence: &Evidence) -> Result {
    writeln!(out, "\n## People\n")?;
    let who = |by: &Identity| format!("{} ({})", text(&by.name), by.authentication);
    let mut any = false;
    for done in &view.interventions {
        let why = done.reason.as_deref().map_or_else(String::new, |why| format!(": {}", text(why)));
        writeln!(out, "- {} {} by {}{why}", done.at, done.verb, who(&done.by))?;
        any = true;
    }
    for given in &evidence.given {
        for consent in consents(&given.consents) {
            writeln!(out, "- {} consent by {}: {consent}", given.at, who(&given.by))?;
            any = true;
        }
    }
    for (at, node, by, reason) in &evidence.overrides {
        let address = plan.plan.nodes.get(*node as usize).map_or("?", |node| node.address.as_str());
        writeln!(out, "- {at} **safety of `{address}` overridden** by {}: {}", who(by), text(reason))?;
        any = true;
    }
    if any { Ok(()) } else { writeln!(out, "Nobody did anything to the run after its start.") }
}

fn consents(given: &Consents) -> Vec<String> {
    let mut list = Vec::new();
    list.extend(
        given.confirm.as_ref().map(|confirmed| format!("the point of no return, `{}`", text(confirmed))),
    );
    list.extend(given.accept_loss.map(|loss| format!("a data loss of up to {loss}")));
    if given.accept_unmeasured_loss {
        list.push("a data loss nobody could measure".to_owned());
    }
    if given.accept_unfenced {
        list.push("that the old primary may still accept writes".to_owned());
    }
    list
}

fn chain(out: &mut String, view: &RunView, evidence: &Evidence) -> Result {
    writeln!(out, "\n## Evidence\n")?;
    writeln!(out, "- {} records, each chained to the one before by SHA-256", evidence.records)?;
    writeln!(out, "- hash of the last record: `{}`", evidence.last_hash)?;
    writeln!(out, "- plan: `{}`", view.plan_digest)?;
    writeln!(out, "- runbook: `{}`", view.runbook_digest)?;
    writeln!(out, "- drctl {}, fencing token {}", evidence.version, view.fencing_token)?;
    writeln!(out, "- to check: `drctl runs verify {}`", view.id)
}

fn words(word: &str) -> String {
    word.replace('_', " ")
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A text from outside on one line of a table.
fn text(outside: &str) -> String {
    let line: String = outside.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    line.replace('|', "\\|").replace('<', "&lt;")
}
