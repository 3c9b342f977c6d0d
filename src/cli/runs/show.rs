//! `drctl runs show`: where a run stands, for people and as the JSON contract.

use std::fmt::Write;

use crate::app::view;
use crate::cli::session::Session;
use crate::cli::table::Yield::{Cut, Drop};
use crate::cli::table::{Table, local, short};
use crate::cli::{Error, Global, exit, follow, output};
use crate::evidence::{RunView, StepView, first_line};
use crate::model::id::RunId;
use crate::model::run::RunStatus;
use crate::model::time::Duration;
use crate::runtime;

/// Shows a run; looking at one succeeds whatever became of it.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn show(global: &Global, session: &Session, run: &RunId) -> Result<u8, Error> {
    print(global, session, run).await?;
    Ok(exit::SUCCESS)
}

/// Shows a run that a command was about to start or to go on with; the code is that of the run.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn show_existing(global: &Global, session: &Session, run: &RunId) -> Result<u8, Error> {
    let loaded = print(global, session, run).await?;
    Ok(exit::of_run(&loaded.plan, &loaded.state))
}

async fn print(global: &Global, session: &Session, run: &RunId) -> Result<runtime::Loaded, Error> {
    let (loaded, view) = view::run(session.journal.as_ref(), run).await?;
    output::print(global.output, &view, || text(&view, loaded.state.status))?;
    Ok(loaded)
}

fn text(view: &RunView, status: RunStatus) -> String {
    let mut text = follow::render_summary(view);
    // Writing into a string cannot fail.
    let _ = write_driver(&mut text, view, status);
    let mut clock = Table::default();
    let points = [
        ("incident", view.clock.incident_at),
        ("detected", view.clock.detected_at),
        ("declared", Some(view.clock.declared_at)),
        ("first step", view.clock.started_at),
        ("interrupted", view.clock.interrupted_at),
        ("point of no return", view.clock.pnr_at),
        ("traffic shifted", view.clock.shifted_at),
        ("healthy", view.clock.healthy_at),
        ("ended", view.clock.ended_at),
    ];
    let zero = view.clock.incident_at.unwrap_or(view.clock.declared_at);
    for (name, at) in points.into_iter().filter_map(|(name, at)| Some((name, at?))) {
        clock.row([name.to_owned(), local(at), format!("+{}", short(at.since(zero)))]);
    }
    let _ = write!(text, "\n{}\n{}{}", clock.render("  "), steps(&view.steps), long_failures(&view.steps));
    if !view.interventions.is_empty() {
        let mut table = Table::new(&["PEOPLE DID", "WHO", "WHEN", "WHY"]);
        for done in &view.interventions {
            let why = done.reason.as_deref().map_or_else(String::new, first_line);
            table.row([done.verb.as_str(), &done.by.name, &local(done.at), &why]);
        }
        let order = [Cut(3), Drop(2), Cut(1)];
        let _ = write!(text, "\n{}", table.fit("  ", output::width(), &order));
    }
    text
}

fn write_driver(text: &mut String, view: &RunView, status: RunStatus) -> std::fmt::Result {
    if let Some(reason) = &view.reason {
        writeln!(text, "  reason         {} ({})", first_line(reason), view.started_by.name)?;
    }
    if status.is_terminal() {
        return Ok(());
    }
    match &view.driver {
        Some(driver) => writeln!(text, "  driven by      {driver}"),
        None if !view.needs_person.is_empty() && status != RunStatus::Staged => {
            writeln!(text, "  driven by      nobody; what you type above drives it on")
        }
        None if status == RunStatus::Staged => {
            writeln!(text, "  driven by      nobody; `drctl start {}` begins it", view.id)
        }
        None => writeln!(
            text,
            "  driven by      \x1b[1;31mnobody\x1b[0m; `drctl resume {}` continues it",
            view.id
        ),
    }
}

fn steps(steps: &[StepView]) -> String {
    let mut table = Table::new(&["PHASE", "STEP", "STATUS", "TOOK", "TRIES", ""]);
    let mut last = None;
    for step in steps.iter().filter(|step| !is_hidden(step)) {
        let took = match (step.started_at, step.ended_at) {
            (Some(start), Some(end)) => short(end.since(start)),
            _ => String::new(),
        };
        let tries = if step.attempts > 1 { step.attempts.to_string() } else { String::new() };
        let failure = step.failure.as_ref().filter(|_| still_matters(step));
        let mut note = failure.map_or_else(String::new, |failure| {
            format!("{} ({})", first_line(&failure.message), failure.class)
        });
        if let Some(crate::engine::event::FenceResult::Unconfirmed(why)) = &step.fence {
            note = format!("fence NOT confirmed: {}", first_line(why));
        }
        for (is, word) in [(step.adopted, "was already true"), (step.overridden, "safety overridden")] {
            if is {
                note = if note.is_empty() { word.to_owned() } else { format!("{note}; {word}") };
            }
        }
        if let Some(p95) = step.past_p95_ms {
            let late = format!("stuck? past its p95 of {}", short(Duration::from_millis(p95)));
            note = if note.is_empty() { late } else { format!("{late}; {note}") };
        }
        let phase = if step.phase == last { "" } else { step.phase.unwrap_or("") };
        last = step.phase;
        table.row([phase, &step.id, &coloured(step.status), &took, &tries, &note]);
    }
    table.fit("  ", output::width(), &[Cut(5), Drop(0), Drop(3), Cut(5), Drop(4)])
}

/// What a step failed of says nothing any more once it is done.
fn still_matters(step: &StepView) -> bool {
    !matches!(step.status, "succeeded" | "marked_done" | "undone")
}

/// The whole text of each failure that has more lines than a table shows.
fn long_failures(steps: &[StepView]) -> String {
    let mut text = String::new();
    for step in steps.iter().filter(|step| still_matters(step)) {
        let Some(failure) = step.failure.as_ref().filter(|failure| is_long(&failure.message)) else {
            continue;
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "\n  {}, {}:", step.id, step.status.replace('_', " "));
        for line in failure.message.lines() {
            let _ = writeln!(text, "    {}", first_line(line));
        }
    }
    text
}

fn is_long(message: &str) -> bool {
    message.lines().filter(|line| !line.trim().is_empty()).count() > 1
}

/// Checks at the start that held are many and say nothing.
fn is_hidden(step: &StepView) -> bool {
    step.id.starts_with("start/") && step.status == "succeeded"
}

fn coloured(status: &str) -> String {
    let colour = match status {
        "succeeded" | "marked_done" => "32",
        "failed" | "undo_failed" => "31",
        "in_doubt" | "awaiting_approval" | "failed_ignored" | "timed_out" => "33",
        "running" | "waiting" | "retrying" | "ready" => "36",
        _ => return status.replace('_', " "),
    };
    format!("\x1b[{colour}m{}\x1b[0m", status.replace('_', " "))
}
