//! Appends facts to streams that several processes write, each only if nobody else was faster.

use serde::Serialize;

use super::Error;
use crate::model::time::Timestamp;
use crate::ports::{Append, Journal, JournalError, NewRecord, StreamName};

/// Records facts of their kinds, unless somebody else has recorded some since: then nothing, and false.
///
/// # Errors
/// When the journal refuses.
pub(super) async fn append<'f, T: Serialize + 'f>(
    journal: &dyn Journal,
    stream: StreamName,
    head: u64,
    at: Timestamp,
    facts: impl Iterator<Item = (&'static str, &'f T)>,
) -> Result<bool, Error> {
    let record = |(kind, fact): (&'static str, &T)| {
        let body =
            serde_json::to_string(fact).map_err(|error| JournalError::Unavailable(error.to_string()))?;
        Ok(NewRecord { kind, version: 1, body })
    };
    let records = facts.map(record).collect::<Result<Vec<_>, JournalError>>()?;
    let (stream, expected, at) = (Some(stream), Some(head), Some(at));
    match journal.append(vec![Append { stream, expected, at, records, ..Append::default() }]).await {
        Ok(_) => Ok(true),
        Err(JournalError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
