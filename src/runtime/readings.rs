//! Reads and records what is known between runs about the recovery points of services. Asks no source.

use super::intake::sequence_before;
use super::{Error, facts};
use crate::engine::readings::{KnownReading, Readings, ReadingsEvent};
use crate::model::run::Intent;
use crate::model::time::{Duration, Timestamp};
use crate::plan::Plan;
use crate::ports::{Journal, JournalError, StreamName};

/// Records that are read from the end of the stream at first; more, until what is kept is found.
const WINDOW: u64 = 16;
/// Records read at once.
const PAGE: usize = 1_000;
/// Readings that are older than this when a run begins say nothing about it.
const OLD: Duration = Duration::from_secs(24 * 3_600);

/// What is known, and where that stands in the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// What is known.
    pub readings: Readings,
    /// Sequence of the last record.
    pub head: u64,
    /// When everything was last kept.
    pub kept_at: Option<Timestamp>,
}

/// Reads what is known. It is kept as a whole from time to time, so that the end of the stream is enough.
///
/// # Errors
/// When the journal cannot be read, or what it says makes no sense.
pub async fn known_readings(journal: &dyn Journal) -> Result<Known, JournalError> {
    let stream = StreamName::readings();
    let head = sequence_before(journal, &stream, Timestamp::from_millis(i64::MAX)).await?;
    if head == 0 {
        return Ok(Known::default());
    }
    let mut window = WINDOW;
    loop {
        let after = head.saturating_sub(window);
        let known = since(journal, &stream, after).await?;
        if known.kept_at.is_some() || after == 0 {
            return Ok(known);
        }
        window = window.saturating_mul(8);
    }
}

async fn since(journal: &dyn Journal, stream: &StreamName, after: u64) -> Result<Known, JournalError> {
    let mut known = Known { head: after, ..Known::default() };
    loop {
        let records = journal.read(stream, known.head, PAGE).await?;
        for record in &records {
            known.head = record.sequence;
            // A pruned one says nothing any more.
            if record.body.is_empty() {
                continue;
            }
            let event: ReadingsEvent = serde_json::from_str(&record.body).map_err(|error| {
                JournalError::Damaged(format!("{stream} record {}: {error}", record.sequence))
            })?;
            known.readings.apply(&event);
            if matches!(event, ReadingsEvent::Kept { .. }) {
                known.kept_at = Some(record.recorded_at);
            }
        }
        if records.len() < PAGE {
            return Ok(known);
        }
    }
}

/// Records facts, unless somebody else has recorded some since: then nothing, and false.
///
/// # Errors
/// When the journal refuses.
pub async fn record_readings(
    journal: &dyn Journal,
    events: &[ReadingsEvent],
    head: u64,
    at: Timestamp,
) -> Result<bool, Error> {
    let facts = events.iter().map(|event| (event.kind(), event));
    facts::append(journal, StreamName::readings(), head, at, facts).await
}

/// What was read of late about the way of a real run. Not knowing it stops nothing.
pub(super) async fn earlier(journal: &dyn Journal, plan: &Plan, now: Timestamp) -> Vec<KnownReading> {
    if plan.intent != Intent::Real {
        return Vec::new();
    }
    match known_readings(journal).await {
        Ok(known) => {
            let (from, to) = (plan.from.as_ref(), plan.to.as_ref());
            known.readings.of(&plan.runbook.name, from, to, now.minus(OLD))
        }
        Err(error) => {
            tracing::warn!(%error, "what was read of the recovery point before the run is not known");
            Vec::new()
        }
    }
}
