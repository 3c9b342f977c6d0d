//! The result of a run, for people. Targets and achievements are never mixed.

use std::fmt::Write;

use crate::cli::output;
use crate::cli::table::wrap;
use crate::evidence::{RunView, StepView, first_line};
use crate::model::run::Verdict;
use crate::model::time::Duration;

/// Column at which the values begin.
const VALUES: usize = 17;

/// Most members that are named one by one.
const NAMED: usize = 20;

/// Renders the result of a run.
#[must_use]
pub(crate) fn render(view: &RunView) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write_head(&mut text, view);
    let _ = write_numbers(&mut text, view);
    let mut text = folded(&text);
    let _ = write_left(&mut text, view);
    let _ = write_people(&mut text, view);
    let _ = write_journal(&mut text, view);
    text
}

/// Lines broken at the width of the terminal, below the column of what they say.
fn folded(text: &str) -> String {
    let lines = text.lines().flat_map(|line| wrap(line, output::width(), VALUES));
    lines.map(|line| line + "\n").collect()
}

fn write_head(text: &mut String, view: &RunView) -> std::fmt::Result {
    let from = view.from.as_deref().unwrap_or("?");
    let to = view.to.as_deref().unwrap_or("the other sites");
    let simulated = if view.intent == "simulate" { "  [simulated]" } else { "" };
    let colour = match view.status {
        "succeeded" => "32",
        "succeeded_with_warnings" => "33",
        _ => "31",
    };
    match view.members {
        Some(members) => {
            writeln!(text, "{} {} {}: {members} services{simulated}", view.runbook, view.operation, view.id)?;
        }
        None => writeln!(text, "{} {} {}: {from} to {to}{simulated}", view.runbook, view.operation, view.id)?,
    }
    match view.cause.as_deref().map(first_line) {
        // Of a run that is about to stop the cause says what it becomes.
        Some(cause) if view.status == "pausing" => {
            writeln!(text, "  status         \x1b[1;{colour}m{cause}\x1b[0m")?;
        }
        Some(cause) => writeln!(text, "  status         \x1b[1;{colour}m{}\x1b[0m: {cause}", view.status)?,
        None => writeln!(text, "  status         \x1b[1;{colour}m{}\x1b[0m", view.status)?,
    }
    for warning in &view.warnings {
        writeln!(text, "  \x1b[1;33mwarning\x1b[0m        {warning}")?;
    }
    if let Some(why) = &view.not_clean {
        writeln!(text, "  not clean      {why}: see `drctl runs show {}`", view.id)?;
    }
    Ok(())
}

fn write_numbers(text: &mut String, view: &RunView) -> std::fmt::Result {
    let span = |millis: u64| Duration::from_millis(millis).to_string();
    let objective = |millis: Option<u64>| millis.map_or_else(|| "none".to_owned(), span);
    let rto = &view.rto;
    let measured = match rto.recovery_time_ms {
        Some(time) => {
            format!("{} since the {}, {} of execution", span(time), rto.counts_from, span(rto.execution_ms))
        }
        None => format!("none: not validated ({} elapsed)", span(rto.elapsed_ms)),
    };
    writeln!(
        text,
        "  recovery time  {measured}; objective {}: {}",
        objective(rto.objective_ms),
        verdict(rto.verdict)
    )?;
    let rpo = &view.rpo;
    if view.members.is_some() {
        writeln!(text, "  data loss      measured by each member's own run")?;
        write_members(text, view)?;
        return write_steps(text, view);
    }
    write_members(text, view)?;
    if rpo.not_moved {
        writeln!(text, "  data loss      none: the service was not moved")?;
        return write_steps(text, view);
    }
    let loss = match rpo.data_loss_ms {
        Some(loss) => format!("at most {}", span(loss)),
        None => "not measured".to_owned(),
    };
    writeln!(
        text,
        "  data loss      {loss}; objective {}: {}",
        objective(rpo.objective_ms),
        verdict(rpo.verdict)
    )?;
    write_steps(text, view)
}

/// Whether the runs that this one began kept their own objectives.
fn write_members(text: &mut String, view: &RunView) -> std::fmt::Result {
    let Some(members) = &view.member_objectives else { return Ok(()) };
    let counts: Vec<_> = members
        .verdicts
        .iter()
        .map(|(verdict, count)| format!("{count} {}", verdict.replace('_', " ")))
        .collect();
    if counts.is_empty() {
        return Ok(());
    }
    let label = if view.members.is_some() { "members" } else { "child runs" };
    writeln!(text, "  {label:<13}  objectives of their own: {}", counts.join(", "))?;
    for missed in members.missed.iter().take(NAMED) {
        writeln!(
            text,
            "  \x1b[31mmissed\x1b[0m         {} ({}): {}",
            missed.step,
            missed.run,
            missed.text()
        )?;
    }
    let more = members.missed.len().saturating_sub(NAMED);
    if more > 0 {
        writeln!(text, "                 and {more} more; `-o json` names them all")?;
    }
    Ok(())
}

fn write_steps(text: &mut String, view: &RunView) -> std::fmt::Result {
    // What a drill takes back in the end it has done before.
    let status = |step: &StepView| match &step.did {
        Some(did) if view.drill_level.is_some() => did.status,
        Some(_) | None => step.status,
    };
    let done = view.steps.iter().filter(|step| matches!(status(step), "succeeded" | "marked_done")).count();
    writeln!(
        text,
        "  steps          {done} of {} done; point of no return {}",
        view.steps.len(),
        view.point_of_no_return
    )
}

fn verdict(verdict: Verdict) -> String {
    let colour = match verdict {
        Verdict::Met => "32",
        Verdict::Missed => "31",
        Verdict::Partial | Verdict::NotMeasured | Verdict::NotValidated => "33",
    };
    format!("\x1b[{colour}m{}\x1b[0m", verdict.as_str().replace('_', " "))
}

/// What stays moved although the run was taken back or given up.
fn write_left(text: &mut String, view: &RunView) -> std::fmt::Result {
    if view.left.is_empty() {
        return Ok(());
    }
    let count = view.left.len();
    let line =
        format!("  \x1b[1;33mleft moved\x1b[0m     {count} that had succeeded stay where they are now:");
    text.push_str(&folded(&line));
    for left in view.left.iter().take(NAMED) {
        match &left.command {
            Some(command) => writeln!(text, "                   {} ({}): {command}", left.step, left.run)?,
            None => writeln!(text, "                   {} ({})", left.step, left.run)?,
        }
    }
    let more = count.saturating_sub(NAMED);
    if more > 0 {
        writeln!(text, "                   and {more} more; `-o json` names them all")?;
    }
    Ok(())
}

fn write_people(text: &mut String, view: &RunView) -> std::fmt::Result {
    for needed in &view.needs_person {
        let step = needed.step.as_deref().map_or_else(String::new, |step| format!(" {step}:"));
        let mut lines = needed.text.lines().map(first_line).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        let mut told = format!("  \x1b[1;33mneeds you\x1b[0m     {step} {first}\n");
        for line in lines {
            writeln!(told, "                   {line}")?;
        }
        text.push_str(&folded(&told));
        // The terminal folds what is to be typed: so it can be copied as a whole.
        writeln!(text, "                   {}", needed.command)?;
    }
    Ok(())
}

/// Where the run stands when it is not where all others do. The terminal folds what is to be typed.
fn write_journal(text: &mut String, view: &RunView) -> std::fmt::Result {
    let Some(path) = view.notes.get("journal") else { return Ok(()) };
    writeln!(text, "  \x1b[1;31mBREAK GLASS\x1b[0m    recorded in {path} only")?;
    let quoted = quoted(path);
    let goes_on = match view.status {
        "succeeded" | "succeeded_with_warnings" | "failed" | "aborted" | "unwound" | "expired" => "runs show",
        _ => "resume",
    };
    writeln!(text, "                   drctl --journal {quoted} {goes_on} {}", view.id)?;
    writeln!(text, "                   export DRCTL_JOURNAL={quoted}   # for every other command about it")
}

/// A path as a shell takes it for one word.
fn quoted(path: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@".contains(letter);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (path, word) in
            [("/tmp/a-1.db", "/tmp/a-1.db"), ("/tmp/a b", "'/tmp/a b'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(super::quoted(path), word);
        }
    }
}
