//! A report as Markdown. Text from outside is one line without markup; nothing else is said than in the
//! other forms.

use std::fmt::{Result, Write};

use super::{Report, boundary, plan::WARNINGS, sentence, span, who, words, work};
use crate::evidence::view::RunView;
use crate::model::run::Identity;
use crate::model::time::Duration;

/// Most steps and moments that are listed; the JSON holds more.
const MOST_ROWS: usize = 1_000;
/// Longest note of a run that is shown, in characters.
const NOTE: usize = 200;

pub(super) fn write(report: &Report) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = summary(&mut out, report)
        .and_then(|()| verdicts(&mut out, report))
        .and_then(|()| clock(&mut out, report))
        .and_then(|()| plan(&mut out, report))
        .and_then(|()| boundary::write(&mut out, report.drill.as_ref()))
        .and_then(|()| steps(&mut out, report))
        .and_then(|()| resources(&mut out, report))
        .and_then(|()| warnings(&mut out, report))
        .and_then(|()| people(&mut out, report))
        .and_then(|()| review(&mut out, report))
        .and_then(|()| controls(&mut out, report))
        .and_then(|()| timeline(&mut out, report))
        .and_then(|()| record(&mut out, report));
    out
}

fn summary(out: &mut String, report: &Report) -> Result {
    let run = &report.run;
    writeln!(out, "# {}: {}\n", text(&report.title), words(run.status))?;
    for mark in &report.marks {
        writeln!(out, "**{}.**\n", text(&sentence(mark)))?;
    }
    let told: Vec<_> = report.summary.iter().map(|sentence| text(sentence)).collect();
    writeln!(out, "{}\n", told.join(" "))?;
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(out, "| run | `{}` |", run.id)?;
    writeln!(out, "| service | {} |", run.runbook)?;
    let site = |site: &Option<String>, other: &str| site.clone().unwrap_or_else(|| other.to_owned());
    writeln!(out, "| from, to | {} → {} |", site(&run.from, "?"), site(&run.to, "the other sites"))?;
    writeln!(out, "| mode | {} |", run.mode)?;
    writeln!(out, "| status at {} | {} |", report.as_of, words(run.status))?;
    for warning in &run.warnings {
        writeln!(out, "| warning | {} |", text(warning))?;
    }
    if let Some(cause) = &run.cause {
        writeln!(out, "| cause | {} |", text(cause))?;
    }
    writeln!(out, "| reason | {} |", run.reason.as_deref().map_or_else(|| "none given".to_owned(), text))?;
    writeln!(out, "| started by | {}, by {} |", text(&who(&run.started_by)), text(&run.trigger))?;
    let clean = match &run.not_clean {
        None => "yes".to_owned(),
        Some(why) => format!("**no**: {}, see below", text(why)),
    };
    writeln!(out, "| clean | {clean} |")?;
    let shown = run
        .notes
        .iter()
        .filter(|(name, note)| *name != WARNINGS && note.len() < NOTE && !note.contains('\n'));
    for (name, note) in shown {
        writeln!(out, "| {} | {} |", text(name), text(note))?;
    }
    Ok(())
}

fn verdicts(out: &mut String, report: &Report) -> Result {
    writeln!(out, "\n## Objectives\n\n| | objective | measured | verdict |\n|---|---|---|---|")?;
    for row in &report.verdicts {
        let objective = row.objective.as_deref().unwrap_or("");
        writeln!(out, "| {} | {objective} | {} | {} |", row.what, text(&row.measured), row.verdict)?;
    }
    if !report.marks.is_empty() {
        writeln!(out, "\nBeside every number: {}.", text(&report.marks.join("; ")))?;
    }
    members(out, &report.run)?;
    left(out, &report.run)?;
    if report.run.rpo.readings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| recovery point read | source | lag | data reaches |\n|---|---|---|---|")?;
    for reading in &report.run.rpo.readings {
        let reach = reading.recovery_point_at.map_or_else(String::new, |at| at.to_string());
        let lag = reading.lag_ms.map_or_else(String::new, span);
        writeln!(out, "| {} ({}) | {} | {lag} | {reach} |", reading.at, reading.when, text(&reading.source))?;
    }
    Ok(())
}

fn members(out: &mut String, run: &RunView) -> Result {
    let Some(members) = &run.member_objectives else { return Ok(()) };
    let counts = members.verdicts.iter().map(|(verdict, count)| format!("{count} {}", words(verdict)));
    let counts: Vec<_> = counts.collect();
    if !counts.is_empty() {
        writeln!(out, "\nObjectives of the runs it began: {}.", counts.join(", "))?;
    }
    writeln!(
        out,
        "\n| run of | run | status | recovery time | data loss | verdict |\n|---|---|---|---|---|---|"
    )?;
    for member in members.runs.iter().take(MOST_ROWS) {
        let [time, loss, verdict] = member.row();
        let status = words(&member.status);
        writeln!(out, "| `{}` | `{}` | {status} | {time} | {loss} | {verdict} |", member.step, member.run)?;
    }
    more(out, members.runs.len(), "runs")?;
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
fn left(out: &mut String, run: &RunView) -> Result {
    if run.left.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nThese runs have moved their services and were left as they are:\n")?;
    for left in &run.left {
        let command =
            left.command.as_deref().map_or_else(String::new, |command| format!(", back with `{command}`"));
        writeln!(out, "- `{}`: `{}`{command}", left.step, left.run)?;
    }
    Ok(())
}

fn clock(out: &mut String, report: &Report) -> Result {
    writeln!(out, "\n## Clock\n\n| point | time | after the start of the clock |\n|---|---|---|")?;
    for point in &report.clock {
        match (point.at, point.after_ms) {
            (Some(at), Some(after)) => writeln!(out, "| {} | {at} | {} |", point.point, offset(after))?,
            _ => writeln!(out, "| {} | - | - |", point.point)?,
        }
    }
    writeln!(out, "\nThe recovery clock counts from the {}.", report.run.rto.counts_from)
}

/// Time since the start of the clock, with a sign before it.
pub(super) fn offset(after: i64) -> String {
    let long = Duration::from_millis(after.unsigned_abs());
    if after < 0 { format!("-{long}") } else { long.to_string() }
}

fn plan(out: &mut String, report: &Report) -> Result {
    let plan = &report.plan;
    writeln!(out, "\n## Plan as executed\n\n| | |\n|---|---|")?;
    writeln!(out, "| plan | `{}` |", plan.digest)?;
    writeln!(out, "| runbook | `{}` |", plan.runbook_digest)?;
    for (what, value) in [("owner", &plan.owner), ("strategy", &plan.strategy)] {
        if let Some(value) = value {
            writeln!(out, "| {what} | {} |", text(value))?;
        }
    }
    writeln!(out, "| nodes | {} of {} done |", plan.done, plan.nodes)?;
    writeln!(out, "| expected recovery time | {} (an estimate) |", span(plan.estimate_ms))?;
    let point = plan.point_of_no_return.as_ref();
    writeln!(
        out,
        "| point of no return | {} ({}) |",
        point.map_or_else(|| "none".to_owned(), |at| format!("`{at}`")),
        report.run.point_of_no_return
    )?;
    for (rank, target) in (1..).zip(&plan.targets) {
        let taken = if target.taken { ": taken" } else { "" };
        writeln!(out, "| target {rank} | {}{taken} |", text(&target.site))?;
    }
    Ok(())
}

fn steps(out: &mut String, report: &Report) -> Result {
    writeln!(
        out,
        "\n## Steps\n\n| step | phase | action | status | attempts | took | note |\n|---|---|---|---|---|---|---|"
    )?;
    let rows = work::all(&report.run.steps);
    for row in rows.iter().take(MOST_ROWS) {
        writeln!(
            out,
            "| `{}`{} | {} | {} | {} | {} | {} | {} |",
            row.step.id,
            row.suffix(),
            row.step.phase.unwrap_or(""),
            row.action.map_or_else(String::new, |action| format!("`{action}`")),
            words(row.status),
            row.attempts,
            row.took(),
            text(&row.notes().join("; "))
        )?;
    }
    more(out, rows.len(), "steps")
}

fn more(out: &mut String, all: usize, what: &str) -> Result {
    match all.checked_sub(MOST_ROWS) {
        Some(rest) if rest > 0 => writeln!(out, "\n{rest} more {what} are in the JSON report."),
        Some(_) | None => Ok(()),
    }
}

fn resources(out: &mut String, report: &Report) -> Result {
    writeln!(out, "\n## Resources touched\n")?;
    if report.resources.is_empty() {
        return writeln!(out, "None.");
    }
    writeln!(
        out,
        "| step | action | effect | parameters as planned | input | output |\n|---|---|---|---|---|---|"
    )?;
    for touched in report.resources.iter().take(MOST_ROWS) {
        let parameters: Vec<_> =
            touched.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let short = |digest: &str| digest.get(..12).unwrap_or_default().to_owned();
        writeln!(
            out,
            "| `{}` | `{}` | {} | {} | `{}` | {} |",
            touched.step,
            touched.action,
            touched.effect,
            text(&parameters.join(", ")),
            short(&touched.input_digest),
            touched.output_digest.as_deref().map_or_else(String::new, |it| format!("`{}`", short(it)))
        )?;
    }
    more(out, report.resources.len(), "resources")
}

fn warnings(out: &mut String, report: &Report) -> Result {
    writeln!(out, "\n## Warnings at start\n")?;
    if report.warnings.is_empty() {
        return writeln!(out, "None were recorded.");
    }
    for warning in &report.warnings {
        let line = warning.line.map_or_else(String::new, |line| format!(" (line {line})"));
        let accepted = match (&warning.accepted, &warning.accepted_until) {
            (Some(why), Some(until)) => format!(" **Accepted** until {}: {}", text(until), text(why)),
            _ => String::new(),
        };
        let (code, message) = (text(&warning.code), text(&warning.message));
        writeln!(out, "- {} {code}{line}: {message}.{accepted}", text(&warning.severity))?;
    }
    Ok(())
}

fn people(out: &mut String, report: &Report) -> Result {
    writeln!(out, "\n## People\n")?;
    let who = |by: &Identity| text(&who(by));
    let mut any = false;
    for done in &report.run.interventions {
        let why = done.reason.as_deref().map_or_else(String::new, |why| format!(": {}", text(why)));
        writeln!(out, "- {} {} by {}{why}", done.at, text(&done.verb), who(&done.by))?;
        any = true;
    }
    for given in &report.consents {
        writeln!(out, "- {} consent by {} to {}", given.at, who(&given.by), text(&given.to))?;
        any = true;
    }
    for vote in &report.approvals {
        let word = if vote.granted { "approved" } else { "refused" };
        writeln!(out, "- {} `{}` {word} by {}", vote.at, vote.step, who(&vote.by))?;
        any = true;
    }
    if !any {
        writeln!(out, "Nobody did anything to the run after its start.")?;
    }
    writeln!(out, "\n### Overrides\n")?;
    if report.overrides.is_empty() {
        return writeln!(out, "None.");
    }
    for done in &report.overrides {
        let by = done.by.as_ref().map_or_else(String::new, |by| format!(" by {}", who(by)));
        let why = done.reason.as_deref().map_or_else(String::new, |why| format!(": {}", text(why)));
        writeln!(out, "- {} **{}**{by}{why}", done.at, text(&done.what))?;
    }
    Ok(())
}

fn review(out: &mut String, report: &Report) -> Result {
    writeln!(out, "\n## Attestation\n")?;
    if report.attestations.is_empty() {
        writeln!(out, "None: nobody has said yet whether the run showed what it was to show.")?;
    }
    for attested in &report.attestations {
        let word = if attested.passed { "passed" } else { "not passed" };
        let (by, notes) = (text(&who(&attested.by)), text(&attested.notes));
        writeln!(out, "- {} **{word}**, says {by}: {notes}", attested.at)?;
    }
    writeln!(out, "\n## Findings\n")?;
    if report.findings.is_empty() {
        return writeln!(out, "None are recorded.");
    }
    writeln!(out, "| | finding | owner | due | state |\n|---|---|---|---|---|")?;
    for finding in &report.findings {
        let state = match (finding.closed_at, &finding.closed_how) {
            (Some(at), how) => format!("closed {at}: {}", text(how.as_deref().unwrap_or_default())),
            (None, _) => "open".to_owned(),
        };
        let (found, owner) = (text(&finding.text), text(&finding.owner));
        writeln!(out, "| {} | {found} | {owner} | {} | {state} |", finding.id, finding.due)?;
    }
    Ok(())
}

fn controls(out: &mut String, report: &Report) -> Result {
    writeln!(out, "\n## Controls\n\nOne run meets no control: this is what an auditor may look at.\n")?;
    writeln!(out, "| control | asks that | evidence towards it | because |\n|---|---|---|---|")?;
    for control in &report.controls {
        let evidence = if control.evidence { "yes" } else { "no" };
        let because = text(&control.because);
        writeln!(
            out,
            "| {} {} | {} | {evidence} | {because} |",
            control.framework, control.control, control.asks
        )?;
    }
    Ok(())
}

fn timeline(out: &mut String, report: &Report) -> Result {
    writeln!(out, "\n## Timeline\n\n| | time | what |\n|---|---|---|")?;
    for moment in report.timeline.iter().take(MOST_ROWS) {
        writeln!(out, "| {} | {} | {} |", moment.sequence, moment.at, text(&moment.text))?;
    }
    more(out, report.timeline.len(), "moments")
}

fn record(out: &mut String, report: &Report) -> Result {
    let record = &report.record;
    writeln!(out, "\n## Record\n")?;
    writeln!(out, "- {} records, each chained to the one before by SHA-256", record.records)?;
    writeln!(out, "- hash of the last record: `{}`", record.last_hash)?;
    if let Some(hash) = &record.evidence_hash {
        writeln!(out, "- hash of the last finding: `{hash}`")?;
    }
    for drive in &report.drivers {
        writeln!(out, "- {} driven by {}, fencing token {}", drive.at, text(&drive.holder), drive.token)?;
    }
    writeln!(out, "- drctl {}, fencing token {}", text(&record.drctl), report.run.fencing_token)?;
    let id = &report.run.id;
    writeln!(out, "- to check: `drctl runs verify {id}`; for others: `drctl evidence bundle {id}`")
}

/// A text from outside on one line, without markup.
pub(super) fn text(outside: &str) -> String {
    let mut line = String::with_capacity(outside.len());
    for letter in outside.chars() {
        match letter {
            letter if letter.is_control() => line.push(' '),
            '<' => line.push_str("&lt;"),
            '\\' | '|' | '[' | ']' | '`' | '*' => line.extend(['\\', letter]),
            letter => line.push(letter),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_has_no_markup_left() {
        let hostile = "a|b\n# c <script>[x](y) `d` **e** \\";
        assert_eq!(text(hostile), r"a\|b # c &lt;script>\[x\](y) \`d\` \*\*e\*\* \\");
    }

    #[test]
    fn times_before_the_clock_have_a_sign() {
        assert_eq!((offset(-1_500).as_str(), offset(60_000).as_str()), ("-1s 500ms", "1m"));
    }
}
