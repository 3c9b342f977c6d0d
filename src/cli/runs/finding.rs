//! `drctl runs finding`: what was found in a run and has to be put right, with owner and due date.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::json;

use crate::app::findings::{self, Found};
use crate::app::launch::afar;
use crate::cli::session::{self, Session};
use crate::cli::table::Table;
use crate::cli::table::Yield::{Cut, Drop};
use crate::cli::{Error, Global, exit, output};
use crate::evidence::{Finding, first_line};
use crate::journal::RemoteJournal;
use crate::model::id::RunId;

/// What to do with findings.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Write a finding down.
    Add(AddArguments),
    /// List the findings of a run.
    List(super::RunArgument),
    /// Say that a finding was put right, or is none.
    Close(CloseArguments),
}

/// Arguments of `runs finding add`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddArguments {
    /// Run: an id, or a unique beginning of one.
    run: String,
    /// What was found.
    text: String,
    /// Who puts it right.
    #[arg(long)]
    owner: String,
    /// Last day to put it right, such as 2027-01-31.
    #[arg(long, value_name = "DAY")]
    due: Date,
}

/// Arguments of `runs finding close`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CloseArguments {
    /// Run: an id, or a unique beginning of one.
    run: String,
    /// Number of the finding within the run.
    finding: u32,
    /// What was done, or why it is none; required.
    #[arg(long)]
    reason: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the run or the finding does not exist, or the journal refuses.
pub(crate) async fn run(global: &Global, session: &Session, command: &Command) -> Result<u8, Error> {
    match command {
        Command::Add(arguments) => add(global, session, arguments).await,
        Command::List(arguments) => list(global, session, &arguments.run).await,
        Command::Close(arguments) => close(global, session, arguments).await,
    }
}

/// Whether the command changes the journal.
#[must_use]
pub(crate) const fn writes(command: &Command) -> bool {
    match command {
        Command::Add(_) | Command::Close(_) => true,
        Command::List(_) => false,
    }
}

async fn add(global: &Global, session: &Session, arguments: &AddArguments) -> Result<u8, Error> {
    let found = Found::new(&arguments.text, &arguments.owner, arguments.due, None)?;
    let run = session.find_run(&arguments.run, true).await?;
    let id = match &session.server {
        Some(server) => add_afar(session, server, &run, arguments).await?,
        None => u64::from(findings::add(session, &run, &found).await?.0),
    };
    output::print(global.output, &json!({"run": run.as_str(), "finding": id}), || {
        format!("{run}: finding {id}, for {}, due {}", found.owner(), found.due())
    })?;
    Ok(exit::SUCCESS)
}

async fn add_afar(
    session: &Session,
    server: &RemoteJournal,
    run: &RunId,
    arguments: &AddArguments,
) -> Result<u64, Error> {
    let AddArguments { text, owner, due, .. } = arguments;
    let wanted = json!({"text": text, "owner": owner, "due": due});
    let added = server.add(&format!("runs/{run}/findings"), &afar::key(None), &wanted).await;
    let added = added.map_err(|refusal| afar::refused(session, refusal))?;
    let id = added.get("finding").and_then(serde_json::Value::as_u64);
    id.ok_or_else(|| Error::new(exit::UNREACHABLE, "the server does not say which finding it is"))
}

async fn close(global: &Global, session: &Session, arguments: &CloseArguments) -> Result<u8, Error> {
    let how = session::reason("runs finding close", arguments.reason.as_deref())?;
    let run = session.find_run(&arguments.run, true).await?;
    let wanted = arguments.finding;
    match &session.server {
        Some(server) => {
            let path = format!("runs/{run}/findings/{wanted}/close");
            let closed = server.add(&path, &afar::key(None), &json!({"reason": how})).await;
            closed.map_err(|refusal| afar::refused(session, refusal))?;
        }
        None => findings::close(session, &run, wanted, (&how, None)).await?,
    }
    output::print(global.output, &json!({"run": run.as_str(), "finding": wanted, "closed": true}), || {
        format!("{run}: finding {wanted} is closed")
    })?;
    Ok(exit::SUCCESS)
}

async fn list(global: &Global, session: &Session, run: &str) -> Result<u8, Error> {
    let run = session.find_run(run, false).await?;
    let findings = crate::app::report::of(session.journal.as_ref(), &run).await?.findings;
    output::print(global.output, &findings, || table(&findings))?;
    Ok(exit::SUCCESS)
}

fn table(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "no findings".to_owned();
    }
    let mut table = Table::new(&["NO", "STATE", "DUE", "OWNER", "FINDING"]);
    for finding in findings {
        let state = if finding.closed_at.is_some() { "closed" } else { "open" };
        let (owner, text) = (first_line(&finding.owner), first_line(&finding.text));
        table.row([&finding.id.to_string(), state, &finding.due, &owner, &text]);
    }
    table.fit("", output::width(), &[Cut(4), Drop(3)])
}
