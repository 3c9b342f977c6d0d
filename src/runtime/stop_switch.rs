//! The switch that keeps triggers and schedules from starting anything. Runs in progress go on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::run::Identity;
use crate::model::time::Timestamp;
use crate::ports::{Append, Journal, JournalError, NewRecord, StreamName};

const ON: &str = "stop_all_on";
const OFF: &str = "stop_all_off";

/// Who turned the switch, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turned {
    /// Who.
    pub by: Identity,
    /// Why.
    pub reason: String,
}

/// How the switch stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StopSwitch {
    /// Triggers and schedules start nothing.
    pub stopped: bool,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Who turned it.
    pub by: Option<Identity>,
    /// Why.
    pub reason: Option<String>,
}

/// Turns the switch.
///
/// # Errors
/// When the journal refuses.
pub async fn turn_stop_switch(
    journal: &dyn Journal,
    on: bool,
    turned: &Turned,
    at: Timestamp,
) -> Result<(), JournalError> {
    let body = serde_json::to_string(turned).map_err(|error| JournalError::Unavailable(error.to_string()))?;
    let records = vec![NewRecord { kind: if on { ON } else { OFF }, version: 1, body }];
    let append = Append { stream: Some(stream()), at: Some(at), records, ..Append::default() };
    journal.append(vec![append]).await.map(|_| ())
}

/// Reads how the switch stands.
///
/// # Errors
/// When the journal cannot be read.
pub async fn stop_switch(journal: &dyn Journal) -> Result<StopSwitch, JournalError> {
    let mut state = StopSwitch::default();
    let mut after = 0;
    loop {
        let records = journal.read(&stream(), after, 1_000).await?;
        for record in records.iter().filter(|record| matches!(record.kind.as_str(), ON | OFF)) {
            let turned = serde_json::from_str::<Turned>(&record.body).ok();
            let (by, reason) = turned.map_or((None, None), |turned| (Some(turned.by), Some(turned.reason)));
            state = StopSwitch { stopped: record.kind == ON, since: Some(record.recorded_at), by, reason };
        }
        after = records.last().map_or(after, |record| record.sequence);
        if records.len() < 1_000 {
            return Ok(state);
        }
    }
}

fn stream() -> StreamName {
    StreamName::typed("control")
}
