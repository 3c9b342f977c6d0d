//! `drctl drill`: rehearses a recovery, ends a rehearsal, and says whether it has passed.

mod begin;
mod control;
mod promote;

use clap::{ArgMatches, Args, FromArgMatches, Subcommand};

use super::{Error, Global};

/// Arguments of `drill`: a runbook to rehearse, or what is asked of a drill.
#[derive(Debug, Clone)]
pub(crate) enum Arguments {
    /// Start one.
    Begin(Box<begin::Begin>),
    /// Ask something of one.
    Ask(Command),
}

impl FromArgMatches for Arguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if matches.subcommand_name().is_some() {
            return Command::from_arg_matches(matches).map(Self::Ask);
        }
        begin::Begin::from_arg_matches(matches).map(Box::new).map(Self::Begin)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Arguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        let command = Command::augment_subcommands(begin::Begin::augment_args(command));
        command.args_conflicts_with_subcommands(true).subcommand_negates_reqs(true).subcommand_required(false)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// What is asked of a drill.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Make the real operation of a drill: it goes on from what the drill has done.
    Promote(promote::Arguments),
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
    match arguments {
        Arguments::Begin(begin) => begin::run(global, begin),
        Arguments::Ask(Command::Promote(promote)) => promote::run(global, promote),
        Arguments::Ask(Command::Abort(run)) => control::abort(global, run),
        Arguments::Ask(Command::Cleanup(run)) => control::cleanup(global, run),
        Arguments::Ask(Command::Attest(attest)) => control::attest(global, attest),
    }
}
