//! Finds a time in a stream without reading all of it: times in a stream never go backwards.

use crate::model::time::Timestamp;
use crate::ports::{Journal, JournalError, StreamName};

/// Sequence of the last record that is older than a time; 0 where none is.
///
/// # Errors
/// When the journal cannot be read.
pub(in crate::runtime) async fn sequence_before(
    journal: &dyn Journal,
    stream: &StreamName,
    time: Timestamp,
) -> Result<u64, JournalError> {
    // All up to `low` are older; what follows `high` is not, or there is nothing.
    let (mut low, mut step) = (0_u64, 1_u64);
    let mut high = loop {
        let at = low.saturating_add(step);
        match older(journal, stream, at, time).await? {
            Some(true) => (low, step) = (at, step.saturating_mul(2)),
            Some(false) | None => break at.saturating_sub(1),
        }
    };
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        match older(journal, stream, middle, time).await? {
            Some(true) => low = middle,
            Some(false) | None => high = middle - 1,
        }
    }
    Ok(low)
}

/// Whether a record is older than a time; nothing: there is no such record.
async fn older(
    journal: &dyn Journal,
    stream: &StreamName,
    sequence: u64,
    time: Timestamp,
) -> Result<Option<bool>, JournalError> {
    let read = journal.read(stream, sequence.saturating_sub(1), 1).await?;
    Ok(read.first().map(|record| record.recorded_at < time))
}
