//! What webhooks have delivered and a service has not looked at.

use crate::engine::trigger::Arrival;
use crate::ports::{Journal, JournalError, Record, StreamName};
use crate::runtime::intake::{DELIVERED, Delivered};

/// Most deliveries of one webhook that are looked at together.
const PAGE: usize = 200;

/// The next deliveries of a webhook after a sequence.
pub(super) async fn after(
    journal: &dyn Journal,
    webhook: &str,
    sequence: u64,
) -> Result<Vec<Arrival>, JournalError> {
    let stream = StreamName::webhook(webhook);
    let records = journal.read(&stream, sequence, PAGE).await?;
    records.iter().map(|record| arrival(webhook, &stream, record)).collect()
}

fn arrival(webhook: &str, stream: &StreamName, record: &Record) -> Result<Arrival, JournalError> {
    let mut events = Vec::new();
    if record.kind == DELIVERED && !record.body.is_empty() {
        let delivered: Delivered = serde_json::from_str(&record.body).map_err(|error| {
            JournalError::Damaged(format!("{stream} record {}: {error}", record.sequence))
        })?;
        events = delivered.events;
    }
    let (webhook, sequence, at) = (webhook.to_owned(), record.sequence, record.recorded_at);
    Ok(Arrival { webhook, sequence, at, events })
}
