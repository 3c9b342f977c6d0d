//! `drctl schedule`: when drills run, what came of them, and running what is due from the system's cron.

mod gone;
mod list;
mod next;
mod run;

use clap::Subcommand;

use super::{Error, Global};

/// What to do with schedules.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// List the services with a drill schedule: next fire, last fire, and what came of it.
    List,
    /// Show the next fires of one runbook, and why one is left out.
    Next(next::Arguments),
    /// Run the drills that are due, follow them to their end, and return. For the system's cron or a timer.
    Run(run::Arguments),
}

/// Runs the command.
///
/// # Errors
/// When a runbook, the configuration or the journal cannot be used.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    match command {
        Command::List => list::run(global),
        Command::Next(arguments) => next::run(global, arguments),
        Command::Run(arguments) => run::run(global, arguments),
    }
}
