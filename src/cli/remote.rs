//! What cannot be done through a server, and is refused where one is named: nothing ever happens on a journal
//! of this machine in its place.

use super::{Command, Error, Global, exit, journal, notify, schedule, session};
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

/// A command that works on the journal itself, or on this machine, and what to do instead. Every other one
/// asks the server, or has no business with any journal; a new one must be put in its place here.
fn unfit(command: &Command) -> Option<(&'static str, &'static str)> {
    match command {
        Command::Serve(_) => {
            Some(("serve", "a server works on a journal of its own: name that one with `--journal`"))
        }
        Command::Journal(command) => match command {
            journal::Command::Backup(_) | journal::Command::Copy(_) | journal::Command::Prune(_) => {
                Some(("this work on a journal", THERE))
            }
            journal::Command::Verify | journal::Command::Nodes | journal::Command::Export(_) => None,
        },
        Command::Schedule(schedule::Command::Run(_)) => {
            Some(("schedule run", "the server looks at its schedules by itself"))
        }
        Command::Notify(notify::Command::Test(_)) => Some((
            "notify test",
            "it tries the targets of its own configuration: run it where the server runs",
        )),
        // What these look at, or do, is at the server.
        Command::Plan(_)
        | Command::Simulate(_)
        | Command::Failover(_)
        | Command::Switchover(_)
        | Command::Failback(_)
        | Command::Drill(_)
        | Command::Check(_)
        | Command::Status(_)
        | Command::Coverage(_)
        | Command::Runs(_)
        | Command::Replay(_)
        | Command::Start(_)
        | Command::Resume(_)
        | Command::Pause(_)
        | Command::Abort(_)
        | Command::Unwind(_)
        | Command::Retry(_)
        | Command::Skip(_)
        | Command::Done(_)
        | Command::Approve(_)
        | Command::Deny(_)
        | Command::Mode(_)
        | Command::Service(_)
        | Command::Schedule(schedule::Command::List | schedule::Command::Next(_))
        | Command::Trigger(_)
        | Command::StopAll(_)
        | Command::Bundle(_)
        | Command::Doctor(_) => None,
        // Of the evidence one command reads a run; the others, and all of these, work on files or on nothing.
        Command::Evidence(_)
        | Command::Init(_)
        | Command::Validate(_)
        | Command::Diff(_)
        | Command::Token(_)
        | Command::Explain(_)
        | Command::Actions(_)
        | Command::Schema(_)
        | Command::Completions(_)
        | Command::Man(_) => None,
    }
}
