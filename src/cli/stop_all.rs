//! `drctl stop-all`: the switch that keeps triggers and schedules from starting anything. Runs in progress
//! go on.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::session::{self, Session};
use super::table::local;
use super::{Error, Global, exit, output};
use crate::journal::OpenMode;
use crate::runtime::{self, StopSwitch, Turned};

/// Arguments of `stop-all`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// What to do.
    #[arg(value_enum)]
    switch: Switch,
    /// Why; required for on and off.
    #[arg(long)]
    reason: Option<String>,
}

/// What to do with the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Triggers and schedules start nothing.
    On,
    /// They work again.
    Off,
    /// Show how it stands.
    Status,
}

/// Runs the command.
///
/// # Errors
/// When the reason is missing or the journal refuses.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let on = match arguments.switch {
        Switch::Status => {
            let session = Session::open_as(global, OpenMode::ReadOnly)?;
            let read = async { Ok(runtime::stop_switch(session.journal.as_ref()).await?) };
            let state = session::block_on(read)?;
            output::print(global.output, &state, || render(&state))?;
            return Ok(exit::SUCCESS);
        }
        Switch::On => true,
        Switch::Off => false,
    };
    let reason = session::reason("stop-all", arguments.reason.as_deref())?;
    let session = Session::open(global)?;
    if let Some(server) = session.server.clone() {
        let turn = json!({"stopped": on, "reason": reason});
        let state = session::block_on(async {
            server.put("stop-all", &turn).await?;
            Ok(runtime::stop_switch(session.journal.as_ref()).await?)
        })?;
        output::print(global.output, &state, || render(&state))?;
        return Ok(exit::SUCCESS);
    }
    let turned = Turned { by: session.identity.clone(), reason };
    let state = session::block_on(async {
        let journal = session.journal.as_ref();
        runtime::turn_stop_switch(journal, on, &turned, session::now()).await?;
        Ok(runtime::stop_switch(journal).await?)
    })?;
    output::print(global.output, &state, || render(&state))?;
    Ok(exit::SUCCESS)
}

fn render(state: &StopSwitch) -> String {
    let word = if state.stopped {
        "\x1b[1;31mstopped\x1b[0m: triggers and schedules start nothing; runs in progress go on"
    } else {
        "\x1b[32mnot stopped\x1b[0m: triggers and schedules work"
    };
    let who = match (&state.since, &state.by, &state.reason) {
        (Some(since), Some(by), Some(reason)) => {
            format!("\n  since {} by {}: {reason}", local(*since), by.name)
        }
        _ => String::new(),
    };
    format!("{word}{who}")
}
