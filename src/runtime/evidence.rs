//! Reads and appends what people add beside the record of a run: findings. Never touches the
//! run itself.

use crate::model::evidence::{EvidenceFact, FORMAT};
use crate::model::id::RunId;
use crate::model::time::Timestamp;
use crate::ports::{Append, Journal, JournalError, NewRecord, Record, StreamName};

/// Records read at once.
const PAGE: usize = 1_000;
/// How often a fact is made afresh because somebody else was quicker.
const TRIES: u32 = 5;

/// A fact that a person added, as it lies in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its number in the stream, from 1.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// SHA-256 that chains it to those before.
    pub hash: [u8; 32],
    /// The fact.
    pub fact: EvidenceFact,
}

/// Reads what people added to the record of a run, in order.
///
/// # Errors
/// When the journal cannot be read, or holds what this build does not understand.
pub async fn told(journal: &dyn Journal, run: &RunId) -> Result<Vec<Told>, JournalError> {
    let stream = StreamName::evidence(run);
    let mut facts: Vec<Told> = Vec::new();
    loop {
        let after = facts.last().map_or(0, |told| told.sequence);
        let records = journal.read(&stream, after, PAGE).await?;
        for record in &records {
            facts.push(parse(record)?);
        }
        if records.len() < PAGE {
            return Ok(facts);
        }
    }
}

fn parse(record: &Record) -> Result<Told, JournalError> {
    if record.version > FORMAT {
        return Err(JournalError::TooNew { found: record.version, known: FORMAT });
    }
    let fact = serde_json::from_str(&record.body).map_err(|error| {
        JournalError::Damaged(format!("{} record {}: {error}", record.stream, record.sequence))
    })?;
    Ok(Told { sequence: record.sequence, at: record.recorded_at, hash: record.hash, fact })
}

/// Adds a fact to the record of a run. `make` is given what is there; it is asked again when somebody else
/// added something meanwhile.
///
/// # Errors
/// As `make`, or when the journal cannot be read or written.
pub async fn tell<E: From<JournalError>>(
    journal: &dyn Journal,
    run: &RunId,
    at: Timestamp,
    make: impl Fn(&[Told]) -> Result<EvidenceFact, E>,
) -> Result<EvidenceFact, E> {
    let mut tries = 1;
    loop {
        let before = told(journal, run).await?;
        let fact = make(&before)?;
        let body = serde_json::to_string(&fact)
            .map_err(|error| JournalError::Unavailable(format!("the fact has no JSON form: {error}")))?;
        let append = Append {
            stream: Some(StreamName::evidence(run)),
            expected: Some(before.last().map_or(0, |told| told.sequence)),
            at: Some(at),
            records: vec![NewRecord { kind: fact.kind(), version: FORMAT, body }],
            ..Append::default()
        };
        match journal.append(vec![append]).await {
            Ok(_) => return Ok(fact),
            Err(JournalError::Conflict { .. }) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}
