//! `drctl stop-all`: the switch that keeps triggers and schedules from starting anything. Runs in progress
//! go on.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::session::{self, Session};
use super::table::local;
use super::{Error, Global, exit, output};
use crate::journal::OpenMode;
use crate::model::run::Identity;
use crate::model::time::Timestamp;
use crate::ports::{Append, Journal, NewRecord, StreamName};

const ON: &str = "stop_all_on";
const OFF: &str = "stop_all_off";

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

/// Who turned the switch, and why.
#[derive(Debug, Serialize, Deserialize)]
struct Turned {
    by: Identity,
    reason: String,
}

/// How the switch stands.
#[derive(Debug, Serialize)]
struct State {
    stopped: bool,
    since: Option<Timestamp>,
    by: Option<Identity>,
    reason: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the reason is missing or the journal refuses.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let kind = match arguments.switch {
        Switch::Status => {
            let session = Session::open_as(global, OpenMode::ReadOnly)?;
            let state = session::block_on(read(session.journal.as_ref()))?;
            output::print(global.output, &state, || render(&state))?;
            return Ok(exit::SUCCESS);
        }
        Switch::On => ON,
        Switch::Off => OFF,
    };
    let reason = session::reason("stop-all", arguments.reason.as_deref())?;
    let session = Session::open(global)?;
    let state = session::block_on(async {
        let turned = Turned { by: session.identity.clone(), reason };
        let body =
            serde_json::to_string(&turned).map_err(|error| Error::new(exit::BUG, error.to_string()))?;
        let at = Some(session::now());
        let records = vec![NewRecord { kind, version: 1, body }];
        session
            .journal
            .append(vec![Append { stream: Some(stream()), at, records, ..Append::default() }])
            .await?;
        read(session.journal.as_ref()).await
    })?;
    output::print(global.output, &state, || render(&state))?;
    Ok(exit::SUCCESS)
}

fn stream() -> StreamName {
    StreamName::typed("control")
}

async fn read(journal: &dyn Journal) -> Result<State, Error> {
    let mut state = State { stopped: false, since: None, by: None, reason: None };
    let mut after = 0;
    loop {
        let records = journal.read(&stream(), after, 1_000).await?;
        for record in records.iter().filter(|record| matches!(record.kind.as_str(), ON | OFF)) {
            let turned = serde_json::from_str::<Turned>(&record.body).ok();
            let (by, reason) = turned.map_or((None, None), |turned| (Some(turned.by), Some(turned.reason)));
            state = State { stopped: record.kind == ON, since: Some(record.recorded_at), by, reason };
        }
        after = records.last().map_or(after, |record| record.sequence);
        if records.len() < 1_000 {
            return Ok(state);
        }
    }
}

fn render(state: &State) -> String {
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
