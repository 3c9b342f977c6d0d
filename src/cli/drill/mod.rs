//! `drctl drill`: rehearses a recovery, ends a rehearsal, and says whether it has passed.

mod begin;
mod control;

use clap::{Args, Subcommand};

use super::{Error, Global};

pub(crate) use begin::planned;

/// Arguments of `drill`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    begin: Option<begin::Arguments>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// End a drill now: what it changed is taken back.
    Abort(control::RunArguments),
    /// Try everything again that a drill could not clean up.
    Cleanup(control::RunArguments),
    /// Say whether a drill has passed.
    Attest(control::AttestArguments),
}

/// Runs the command.
///
/// # Errors
/// When the drill cannot be planned, is refused, or the journal refuses.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    match (&arguments.command, &arguments.begin) {
        (Some(Command::Abort(run)), _) => control::abort(global, run),
        (Some(Command::Cleanup(run)), _) => control::cleanup(global, run),
        (Some(Command::Attest(attest)), _) => control::attest(global, attest),
        (None, Some(begin)) => begin::run(global, begin),
        (None, None) => Err(Error::new(super::exit::USAGE, "which runbook is to be rehearsed")
            .help("drctl drill RUNBOOK --level isolated --reason \"…\"")),
    }
}
