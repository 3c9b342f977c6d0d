//! `drctl coverage`: what of a runbook was exercised, when, and what never was.

use std::fmt::Write;

use clap::Args;

use super::session;
use super::table::Table;
use super::table::Yield::{Cut, Drop};
use super::{Error, Global, exit, output};
use crate::app;
use crate::app::launch::source;
use crate::cli::output::Terminal;
use crate::config::JournalPlace;
use crate::evidence::coverage::{Coverage, Seen, StepState, StepUse, Window, coverage};
use crate::evidence::readiness::age;
use crate::journal::OpenMode;
use crate::model::run::Operation;
use crate::model::time::{Duration, Timestamp};

/// Arguments of `coverage`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Runbook: a path, or the name of a service or file in the configured folders.
    runbook: String,
    /// How many days back.
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// Runs the command. Looking makes no journal: without one nothing was exercised.
///
/// # Errors
/// When the runbook does not compile, or the journal cannot be read.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let (mut config, _borrowed) = session::config_and_runbooks(global)?;
    let source = source::load(&config, &arguments.runbook, &Terminal)?;
    if session::new_journal(&config).is_some() {
        config.journal = JournalPlace::Memory;
    }
    let journal = app::open_journal(&config, OpenMode::ReadOnly)?;
    let until = session::now();
    let window =
        Window { since: until.minus(Duration::from_secs(u64::from(arguments.days) * 86_400)), until };
    let service = &source.runbook.metadata.name;
    let found = session::block_on(async {
        let history = app::history(journal.as_ref(), service, window.since).await?;
        if history.pruned > 0 {
            output::say(&format!(
                "note: {} runs of the window were pruned and cannot be counted",
                history.pruned
            ));
        }
        if history.left_out > 0 {
            output::say(&format!(
                "note: only the newest {} runs of the window are counted, {} older ones are not",
                history.runs.len(),
                history.left_out
            ));
        }
        Ok(coverage(&source.runbook, &history.past(), window))
    })?;
    output::print(global.output, &found, || render(&found, arguments.days))?;
    Ok(exit::SUCCESS)
}

fn render(found: &Coverage, days: u32) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = heading(&mut text, found, days)
        .and_then(|()| steps(&mut text, found))
        .and_then(|()| sides(&mut text, found))
        .and_then(|()| write!(text, "\n{}", wrapped(&format!("Covered: {}", found.definition))));
    text
}

fn heading(text: &mut String, found: &Coverage, days: u32) -> std::fmt::Result {
    let percent =
        found.percent.map_or_else(|| "nothing to cover".to_owned(), |percent| format!("{percent} %"));
    writeln!(
        text,
        "{}: \x1b[1m{percent}\x1b[0m of its steps in the last {days} days ({} of {})",
        found.service, found.exercised, found.steps_total
    )?;
    for operation in &found.operations {
        let percent = operation.percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"));
        writeln!(
            text,
            "  {:<11}{:<11}{percent:>6}  {} of {}",
            operation.operation.as_str(),
            operation.mode.as_str(),
            operation.exercised,
            operation.steps
        )?;
    }
    for problem in &found.problems {
        writeln!(text, "  \x1b[31mnot counted\x1b[0m: {problem}")?;
    }
    let older = found.runs.iter().filter(|run| !run.same_runbook).count();
    let runs = found.runs.len();
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    writeln!(text, "  {runs}, {older} of them with another version of the runbook")
}

fn steps(text: &mut String, found: &Coverage) -> std::fmt::Result {
    for workflow in [Operation::Failover, Operation::Failback] {
        let own: Vec<&StepUse> = found.steps.iter().filter(|step| step.workflow == workflow).collect();
        if own.is_empty() {
            continue;
        }
        let mut table = Table::new(&["STEP", "MODE", "STATE", "RUNS", "LAST", "ACTION"]);
        for step in own {
            let items = step.items.map_or_else(String::new, |items| format!(" ({items} items)"));
            table.row([
                format!("{}{items}", step.step),
                step.mode.map_or("both", |mode| mode.as_str()).to_owned(),
                coloured(step.state),
                times(&step.seen),
                last(&step.seen, found.window.until),
                step.action.to_owned(),
            ]);
        }
        writeln!(text, "\n\x1b[1m{workflow}\x1b[0m")?;
        text.push_str(&table.fit("  ", output::width(), &[Drop(5), Cut(4), Drop(1)]));
    }
    Ok(())
}

fn sides(text: &mut String, found: &Coverage) -> std::fmt::Result {
    let until = found.window.until;
    let mut table = Table::new(&["BESIDE THE STEPS", "", "RUNS", "LAST"]);
    let mut row = |kind: &str, what: String, seen: &Seen| {
        let shown = if seen.times == 0 { "\x1b[33mnever\x1b[0m".to_owned() } else { last(seen, until) };
        table.row([kind.to_owned(), what, times(seen), shown]);
    };
    for mode in &found.modes {
        row("mode", format!("{} {}", mode.operation, mode.mode), &mode.seen);
    }
    for way in &found.directions {
        let site = |site: &Option<crate::model::id::SiteName>, other: &str| {
            site.as_ref().map_or_else(|| other.to_owned(), ToString::to_string)
        };
        let only = if way.seen.times > 0 && !way.moved { " (only inside a boundary)" } else { "" };
        row("direction", format!("{} → {}{only}", site(&way.from, "?"), site(&way.to, "others")), &way.seen);
    }
    for branch in &found.branches {
        row("branch", format!("{} when true: {}", branch.step, branch.when), &branch.taken);
        row("branch", format!("{} when false: {}", branch.step, branch.when), &branch.left_out);
    }
    for way in &found.undo {
        let workflow = way.workflow.map_or_else(String::new, |workflow| format!(" ({workflow})"));
        row(way.kind, format!("{}{workflow}", way.step), &way.seen);
    }
    for person in &found.approvers {
        row("approver", person.name.clone(), &person.seen);
    }
    writeln!(text)?;
    text.push_str(&table.fit("", output::width(), &[Cut(1)]));
    Ok(())
}

fn times(seen: &Seen) -> String {
    if seen.times == 0 { "–".to_owned() } else { seen.times.to_string() }
}

fn last(seen: &Seen, now: Timestamp) -> String {
    let run = seen.last_run.as_ref().map_or_else(String::new, ToString::to_string);
    seen.last_at.map_or_else(String::new, |at| format!("{} ago, {run}", age(at, now)))
}

fn coloured(state: StepState) -> String {
    let colour = match state {
        StepState::Exercised => "32",
        StepState::Partial | StepState::Changed | StepState::Replaced => "33",
        StepState::Failed | StepState::Never => "31",
    };
    format!("\x1b[{colour}m{state}\x1b[0m")
}

fn wrapped(text: &str) -> String {
    super::table::wrap(text, output::width(), 0).join("\n")
}
