//! `drctl runs list`: one line for each run.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::cli::session::Session;
use crate::cli::table::Yield::{Cut, Drop};
use crate::cli::table::{Table, local, short};
use crate::cli::{Error, Global, exit, output};
use crate::model::id::{RunId, ServiceName};
use crate::model::run::{Intent, RunStatus};
use crate::ports::{RunFilter, RunSummary};

/// Arguments of `runs list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Only runs that are not over.
    #[arg(long)]
    open: bool,
    /// Simulated runs as well.
    #[arg(long)]
    simulated: bool,
    /// Runs that other runs began as well, such as those of a fleet's members.
    #[arg(long)]
    children: bool,
    /// Only runs of this service, whoever began them.
    #[arg(long, value_name = "NAME", value_parser = service_name)]
    service: Option<ServiceName>,
    /// At most this many; 0: all.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

/// Reads a service's name from the command line.
///
/// # Errors
/// When it cannot be one.
pub(crate) fn service_name(text: &str) -> Result<ServiceName, String> {
    ServiceName::new(text).map_err(|error| error.to_string())
}

/// A line of the list, with who drives the run. Its fields are named as in the document of a run.
#[derive(Debug, Serialize)]
struct Line {
    id: RunId,
    #[serde(skip)]
    summary: RunSummary,
    #[serde(flatten)]
    fields: Value,
    driver: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn run(global: &Global, session: &Session, arguments: &Arguments) -> Result<u8, Error> {
    let filter = RunFilter {
        prefix: None,
        service: arguments.service.clone(),
        open: arguments.open,
        simulated: arguments.simulated,
        outermost: !arguments.children && arguments.service.is_none(),
        // One more than is shown tells whether there are more.
        limit: if arguments.limit == 0 { 0 } else { arguments.limit.saturating_add(1) },
    };
    let mut runs = session.journal.runs(&filter).await?;
    let more = arguments.limit > 0 && runs.len() > arguments.limit;
    if more {
        runs.truncate(arguments.limit);
    }
    let mut lines = Vec::with_capacity(runs.len());
    for summary in runs {
        let over = summary.status.is_terminal();
        let driver = if over { None } else { super::driver(session, &summary.run).await? };
        lines.push(line(summary, driver));
    }
    if lines.is_empty() && global.output == crate::cli::Format::Text {
        output::say(if arguments.simulated {
            "no runs"
        } else {
            "no runs; --simulated shows simulated ones"
        });
        return Ok(exit::SUCCESS);
    }
    output::print(global.output, &lines, || table(&lines))?;
    if more {
        output::say(&format!("more than {}: --limit 0 shows them all", arguments.limit));
    }
    Ok(exit::SUCCESS)
}

fn line(summary: RunSummary, driver: Option<String>) -> Line {
    let mut fields = serde_json::to_value(&summary).unwrap_or_default();
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("run");
    }
    Line { id: summary.run.clone(), summary, fields, driver }
}

fn table(lines: &[Line]) -> String {
    let mut table =
        Table::new(&["RUN", "OPERATION", "FROM → TO", "STATUS", "OBJECTIVE", "STARTED", "TOOK", "DRIVER"]);
    for Line { summary, driver, .. } in lines {
        let from = summary.from.as_ref().map_or("?", |site| site.as_str());
        let to = summary.to.as_ref().map_or("others", |site| site.as_str());
        let intent = match summary.intent {
            Intent::Real => String::new(),
            other => format!(" ({other})"),
        };
        let took = summary.ended_at.map_or_else(String::new, |end| short(end.since(summary.created_at)));
        let driver = match driver {
            Some(driver) => driver.clone(),
            None if summary.status.is_terminal() => String::new(),
            None => "nobody".to_owned(),
        };
        table.row([
            summary.run.to_string(),
            format!("{}{intent}", summary.operation),
            format!("{from} → {to}"),
            coloured(summary.status),
            summary.verdict.map_or_else(String::new, |verdict| verdict.to_string()),
            local(summary.created_at),
            took,
            driver,
        ]);
    }
    table.fit("", output::width(), &[Cut(7), Drop(6), Drop(4), Drop(5), Cut(1), Cut(7), Drop(2)])
}

/// A status in the colour it has everywhere.
pub(crate) fn coloured(status: RunStatus) -> String {
    let colour = match status {
        RunStatus::Succeeded => "32",
        RunStatus::Failed | RunStatus::Aborted | RunStatus::Stuck | RunStatus::Expired => "31",
        RunStatus::SucceededWithWarnings
        | RunStatus::Paused
        | RunStatus::AwaitingApproval
        | RunStatus::Staged
        | RunStatus::Unwound
        | RunStatus::AwaitingAttestation
        | RunStatus::CleanupIncomplete => "33",
        RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Pausing
        | RunStatus::Unwinding
        | RunStatus::CleaningUp => "36",
    };
    format!("\x1b[{colour}m{status}\x1b[0m")
}
