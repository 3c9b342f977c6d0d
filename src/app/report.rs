//! The report of a run, made of its records. Writes nothing.

use crate::engine::event::Event;
use crate::evidence::{self, Report, Trail};
use crate::journal::record::hex;
use crate::model::id::RunId;
use crate::ports::{Journal, JournalError, StreamName};
use crate::runtime;

/// Records read at once.
const PAGE: usize = 1_000;

/// The report of a run as it stands.
///
/// # Errors
/// When the journal cannot be read or is damaged.
pub(crate) async fn of(journal: &dyn Journal, run: &RunId) -> Result<Report, runtime::Error> {
    let loaded = runtime::load(journal, run).await?;
    let stream = StreamName::run(run);
    let (mut trail, mut after) = (Trail::default(), 0);
    // No further than the state: what is appended meanwhile is for the next report.
    while after < loaded.state.sequence {
        let limit = usize::try_from(loaded.state.sequence - after).unwrap_or(PAGE).min(PAGE);
        let records = journal.read(&stream, after, limit).await?;
        for record in &records {
            let event: Event = serde_json::from_str(&record.body).map_err(|error| {
                JournalError::Damaged(format!("{stream} record {}: {error}", record.sequence))
            })?;
            trail.take(&loaded.plan, record.recorded_at, hex(&record.hash), &event);
            after = record.sequence;
        }
        if records.is_empty() {
            break;
        }
    }
    for told in runtime::told(journal, run).await? {
        trail.tell(told.at, hex(&told.hash), told.fact);
    }
    let last = loaded.state.last_at.max(trail.last_told().unwrap_or(loaded.state.last_at));
    let as_of = if loaded.state.status.is_terminal() { last } else { super::now().max(last) };
    Ok(evidence::report(&loaded.plan, &loaded.state, &trail, as_of))
}
