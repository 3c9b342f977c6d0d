//! `drctl runs`: looks at runs. Changes none.

mod events;
mod finding;
mod list;
mod report;
mod show;
mod verify;
mod watch;

use clap::{Args, Subcommand};

use super::session::{self, Session};
use super::{Error, Global};
use crate::app::view;
use crate::journal::OpenMode;
use crate::model::id::RunId;

pub(crate) use finding::Command as Finding;
pub(crate) use list::service_name;
pub(crate) use report::write;
pub(crate) use show::show_existing;

/// Ways to look at runs.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// List runs, newest first.
    List(list::Arguments),
    /// Show where a run stands: steps, clock, objectives, what it waits for.
    Show(RunArgument),
    /// Print the facts of a run, as they were recorded.
    Events(events::Arguments),
    /// Follow a run that another process drives.
    Watch(RunArgument),
    /// Write the report of a run, as Markdown, HTML or JSON.
    Report(report::Arguments),
    /// What was found in a run and has to be put right.
    #[command(subcommand)]
    Finding(Finding),
    /// Check that nothing recorded about a run was changed.
    Verify(RunArgument),
}

/// The run a command is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgument {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
}

/// Runs the command.
///
/// # Errors
/// When the journal cannot be read or the run does not exist.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    let session = match command {
        Command::Finding(command) if finding::writes(command) => Session::open_existing(global)?,
        _ => Session::open_as(global, OpenMode::ReadOnly)?,
    };
    session::block_on(async {
        match command {
            Command::List(arguments) => list::run(global, &session, arguments).await,
            Command::Show(RunArgument { run }) => {
                let run = session.find_run(run, false).await?;
                show::show(global, &session, &run).await
            }
            Command::Events(arguments) => events::run(global, &session, arguments).await,
            Command::Watch(RunArgument { run }) => watch::run(global, &session, run).await,
            Command::Report(arguments) => report::run(global, &session, arguments).await,
            Command::Finding(command) => finding::run(global, &session, command).await,
            Command::Verify(RunArgument { run }) => verify::run(global, &session, run).await,
        }
    })
}

/// Who drives a run, in words, where somebody alive does.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn driver(session: &Session, run: &RunId) -> Result<Option<String>, Error> {
    Ok(view::driver(session.journal.as_ref(), run).await?)
}
