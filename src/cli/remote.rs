//! What cannot be done through a server, and is refused where one is named: nothing ever happens on a journal
//! of this machine in its place.

use super::{Command, Error, Global, drill, exit, journal, runs, schedule, service, session};
use crate::config::Config;

/// Refuses a command that a server cannot serve, where one is named.
///
/// # Errors
/// When it is such a command, or the configuration cannot be read.
pub(crate) fn refuse_unfit(global: &Global, command: &Command) -> Result<(), Error> {
    let Some((what, help)) = unfit(command) else { return Ok(()) };
    let Some(server) = Config::server_named(&session::flags(global))? else { return Ok(()) };
    Err(Error::new(exit::USAGE, format!("{what} cannot be done through a server, and {server} is named"))
        .help(help)
        .reason("not_through_a_server"))
}

const THERE: &str = "run it where drctl reaches the journal itself, with `--journal` and without `--server`, \
                     DRCTL_SERVER and `[client] server`";

/// A command that works on the journal itself, or on this machine, and what to do instead.
fn unfit(command: &Command) -> Option<(&'static str, &'static str)> {
    Some(match command {
        Command::Serve(_) => {
            ("serve", "a server works on a journal of its own: name that one with `--journal`")
        }
        Command::Check(_) => {
            ("check", "`drctl drill SERVICE --level check` makes these checks at the server")
        }
        Command::Journal(
            journal::Command::Verify
            | journal::Command::Backup(_)
            | journal::Command::Copy(_)
            | journal::Command::Prune(_),
        ) => ("this work on a journal", THERE),
        Command::Schedule(schedule::Command::Run(_)) => {
            ("schedule run", "the server looks at its schedules by itself")
        }
        Command::Service(service::Command::Set(_)) => ("service set", THERE),
        Command::Runs(runs::Command::Finding(command)) if runs::finding_writes(command) => {
            ("writing findings", THERE)
        }
        Command::Drill(drill::Arguments::Ask(drill::Command::Promote(_))) => (
            "drill promote",
            "start the real run with `--drill promote`: it goes on from what the drill has done",
        ),
        _ => return None,
    })
}
