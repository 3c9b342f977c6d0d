//! Runs and records as programs are shown them: the same for the command line and for the API.

use serde_json::{Value, json};

use crate::evidence::{self, RunView};
use crate::journal::record::hex;
use crate::model::id::RunId;
use crate::ports::{Journal, JournalError, Record};
use crate::runtime::{self, Loaded};

/// Who drives a run; absent: nobody.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn driver(journal: &dyn Journal, run: &RunId) -> Result<Option<String>, JournalError> {
    let lease = journal.lease(run).await?.filter(|lease| lease.alive);
    Ok(lease.and_then(|lease| lease.holder).map(|holder| holder.to_string()))
}

/// Where a run stands now.
///
/// # Errors
/// When the run cannot be loaded.
pub(crate) async fn run(journal: &dyn Journal, run: &RunId) -> Result<(Loaded, RunView), runtime::Error> {
    let loaded = runtime::load(journal, run).await?;
    let driver = driver(journal, run).await?;
    let last = loaded.state.last_at;
    let now = if loaded.state.status.is_terminal() { last } else { super::now().max(last) };
    let view = evidence::view(&loaded.plan, &loaded.state, driver, now);
    Ok((loaded, view))
}

/// A record as one JSON document; the contract of `drctl schema event`. Pruned bodies are null.
#[must_use]
pub(crate) fn record(record: &Record) -> Value {
    let data: Value = serde_json::from_str(&record.body).unwrap_or(Value::Null);
    json!({
        "sequence": record.sequence,
        "at": record.recorded_at,
        "token": record.token,
        "type": record.kind,
        "version": record.version,
        "data": data,
        "hash": hex(&record.hash),
    })
}
