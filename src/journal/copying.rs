//! What taking records from another journal asks of every store. Pure; never computes a hash anew that it was
//! given.

use super::record::Tip;
use crate::ports::{Head, JournalError, Record};

/// Records, blobs, runs or requests sent at once.
pub(super) const PAGE: usize = 1_000;

/// Checks that a record follows what is there, and puts it behind the head of its stream and the journal's
/// tip.
pub(super) fn follow(record: &Record, head: &mut Head, tip: &mut Tip) -> Result<(), JournalError> {
    let misplaced = |what: &str, expected: u64, actual: u64| {
        JournalError::Damaged(format!(
            "copy: {what} {actual} of {} does not follow {expected}; copy into an empty journal",
            record.stream
        ))
    };
    if record.position != tip.position + 1 {
        return Err(misplaced("position", tip.position, record.position));
    }
    if record.sequence != head.sequence + 1 {
        return Err(misplaced("record", head.sequence, record.sequence));
    }
    *head = Head { sequence: record.sequence, hash: record.hash, recorded_at: record.recorded_at };
    tip.extend(&record.hash, record.recorded_at);
    Ok(())
}
