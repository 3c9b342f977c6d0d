//! Reads and records how ready services were when that was last judged. Judges nothing.

use super::intake::sequence_before;
use super::{Error, facts};
use crate::model::id::ServiceName;
use crate::model::readiness::{Readiness, ReadinessChanged};
use crate::model::time::Timestamp;
use crate::ports::{Journal, JournalError, StreamName};

const KIND: &str = "readiness_changed";

/// How ready a service was at last, and the last sequence of what is kept about that.
///
/// # Errors
/// When the journal cannot be read, or what it says makes no sense.
pub async fn last_readiness(
    journal: &dyn Journal,
    service: &ServiceName,
) -> Result<(Option<Readiness>, u64), JournalError> {
    let stream = StreamName::readiness(service);
    let head = sequence_before(journal, &stream, Timestamp::from_millis(i64::MAX)).await?;
    let last = journal.read(&stream, head.saturating_sub(1), 1).await?;
    let Some(record) = last.first().filter(|record| !record.body.is_empty()) else { return Ok((None, head)) };
    let changed: ReadinessChanged = serde_json::from_str(&record.body)
        .map_err(|error| JournalError::Damaged(format!("{stream} record {}: {error}", record.sequence)))?;
    Ok((Some(changed.to), head))
}

/// Records a change, unless somebody else has recorded one since: then nothing, and false.
///
/// # Errors
/// When the journal refuses.
pub async fn record_readiness(
    journal: &dyn Journal,
    service: &ServiceName,
    changed: &ReadinessChanged,
    head: u64,
    at: Timestamp,
) -> Result<bool, Error> {
    let facts = std::iter::once((KIND, changed));
    facts::append(journal, StreamName::readiness(service), head, at, facts).await
}
