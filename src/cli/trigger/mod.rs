//! `drctl trigger`: what listens to webhooks, and what it would do with an event. Changes nothing.

mod list;
mod test;

use clap::Subcommand;

use super::{Error, Global};

/// What to do with triggers.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// List the triggers of all runbooks: what they listen to, what they start, and what came of them last.
    List,
    /// Show what each trigger of a runbook would do with an event, and why. Exit 0: one of them would act.
    Test(test::Arguments),
}

/// Runs the command.
///
/// # Errors
/// When a runbook, an event, the configuration or the journal cannot be used.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    match command {
        Command::List => list::run(global),
        Command::Test(arguments) => test::run(global, arguments),
    }
}
