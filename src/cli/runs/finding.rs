//! `drctl runs finding`: what was found in a run and has to be put right, with owner and due date.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::json;

use crate::cli::session::{self, Session};
use crate::cli::table::Table;
use crate::cli::table::Yield::{Cut, Drop};
use crate::cli::{Error, Global, exit, output};
use crate::evidence::{Finding, first_line};
use crate::model::evidence::{EvidenceFact, FINDINGS};
use crate::model::limits::REASON_CHARS;
use crate::runtime::{self, Told};

/// Longest name of an owner, in characters.
const OWNER_CHARS: usize = 100;

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
    let text = said("a finding", &arguments.text, REASON_CHARS)?;
    let owner = said("the owner", &arguments.owner, OWNER_CHARS)?;
    let run = session.find_run(&arguments.run, true).await?;
    let fact = runtime::tell(session.journal.as_ref(), &run, session::now(), |before| {
        let open = |told: &&Told| matches!(told.fact, EvidenceFact::FindingOpened { .. });
        let id = u32::try_from(before.iter().filter(open).count()).unwrap_or(u32::MAX).saturating_add(1);
        if id > FINDINGS {
            return Err(Error::new(exit::REFUSED, format!("{run} has {FINDINGS} findings already")));
        }
        let (text, owner, due, by) = (text.clone(), owner.clone(), arguments.due, session.identity.clone());
        Ok(EvidenceFact::FindingOpened { id, text, owner, due, by })
    })
    .await?;
    let EvidenceFact::FindingOpened { id, .. } = fact else { return Ok(exit::BUG) };
    output::print(global.output, &json!({"run": run.as_str(), "finding": id}), || {
        format!("{run}: finding {id}, for {owner}, due {}", arguments.due)
    })?;
    Ok(exit::SUCCESS)
}

async fn close(global: &Global, session: &Session, arguments: &CloseArguments) -> Result<u8, Error> {
    let how = session::reason("runs finding close", arguments.reason.as_deref())?;
    let run = session.find_run(&arguments.run, true).await?;
    let wanted = arguments.finding;
    runtime::tell(session.journal.as_ref(), &run, session::now(), |before| {
        let mut open = None;
        for told in before {
            match &told.fact {
                EvidenceFact::FindingOpened { id, .. } if *id == wanted => open = Some(true),
                EvidenceFact::FindingClosed { id, .. } if *id == wanted => open = Some(false),
                EvidenceFact::FindingOpened { .. } | EvidenceFact::FindingClosed { .. } => {}
            }
        }
        match open {
            Some(true) => {
                Ok(EvidenceFact::FindingClosed { id: wanted, how: how.clone(), by: session.identity.clone() })
            }
            Some(false) => Err(Error::new(exit::REFUSED, format!("finding {wanted} is closed already"))
                .reason("finding_closed")),
            None => Err(Error::new(exit::USAGE, format!("{run} has no finding {wanted}"))
                .help(format!("`drctl runs finding list {run}` shows them"))),
        }
    })
    .await?;
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

/// A text that a person gave.
fn said(what: &str, text: &str, most: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::new(exit::USAGE, format!("{what} needs words")));
    }
    if text.chars().count() > most {
        return Err(Error::new(exit::USAGE, format!("{what} is longer than {most} characters")));
    }
    Ok(text.to_owned())
}
