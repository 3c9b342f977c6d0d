//! What both journals check and compute in the same way: content of an append, fencing, expected sequence,
//! chaining. Pure; never touches a store.

use std::sync::Arc;

use super::record::{Envelope, Hash, Tip, digest, hex};
use crate::model::run::{Intent, RunStatus};
use crate::model::time::Timestamp;
use crate::ports::{Append, Checkpoint, Head, JournalError, RunSummary, StreamName};

/// An append whose content was checked and digested, ready to be put into a chain.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) stream: StreamName,
    pub(super) expected: Option<u64>,
    pub(super) token: Option<u64>,
    pub(super) at: Option<Timestamp>,
    pub(super) records: Vec<Fact>,
    pub(super) blobs: Vec<(String, Arc<[u8]>)>,
    pub(super) answers: Vec<String>,
    pub(super) summary: Option<RunSummary>,
    pub(super) checkpoint: Option<Checkpoint>,
}

/// One fact of an append.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) kind: &'static str,
    pub(super) version: u32,
    pub(super) body: String,
    digest: Hash,
}

/// Where a fact has come to lie.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) position: u64,
    pub(super) sequence: u64,
    pub(super) recorded_at: Timestamp,
    pub(super) hash: Hash,
}

/// Id of the run a stream belongs to.
pub(super) fn run_of(stream: &StreamName) -> Option<&str> {
    stream.as_str().strip_prefix("run/")
}

/// The head of a stream nobody has appended to.
pub(super) fn empty_head() -> Head {
    Head { sequence: 0, hash: super::record::NO_HASH, recorded_at: Timestamp::from_millis(0) }
}

/// Checks what does not depend on the store, and digests the bodies. Done by the caller, off the writer's
/// thread.
pub(super) fn check(appends: Vec<Append>) -> Result<Vec<Facts>, JournalError> {
    appends.into_iter().map(check_one).collect()
}

fn check_one(append: Append) -> Result<Facts, JournalError> {
    let Some(stream) = append.stream else {
        return Err(defect("an append names no stream"));
    };
    let of_run = append.summary.is_some() || append.checkpoint.is_some() || !append.answers.is_empty();
    if of_run && run_of(&stream).is_none() {
        return Err(defect(&format!("an append to {stream} carries what belongs to a run")));
    }
    if append.summary.as_ref().is_some_and(|summary| Some(summary.run.as_str()) != run_of(&stream)) {
        return Err(defect(&format!("an append to {stream} carries the summary of another run")));
    }
    for (name, body) in &append.blobs {
        if *name != hex(&digest(body)) {
            return Err(defect(&format!("blob {name} does not have that SHA-256")));
        }
    }
    let fact = |record: crate::ports::NewRecord| Fact {
        digest: digest(record.body.as_bytes()),
        kind: record.kind,
        version: record.version,
        body: record.body,
    };
    Ok(Facts {
        stream,
        expected: append.expected,
        token: append.token,
        at: append.at,
        records: append.records.into_iter().map(fact).collect(),
        blobs: append.blobs,
        answers: append.answers,
        summary: append.summary,
        checkpoint: append.checkpoint,
    })
}

fn defect(what: &str) -> JournalError {
    JournalError::Unavailable(format!("{what}; this is a defect of drctl, nothing was written"))
}

/// Refuses an append to a run whose lease has passed on. `current` is the token in force; 0 where none was
/// granted.
pub(super) fn fence(facts: &Facts, current: u64) -> Result<(), JournalError> {
    let held = facts.token.unwrap_or(0);
    if run_of(&facts.stream).is_some() && (held != current || current == 0) {
        return Err(JournalError::Fenced { stream: facts.stream.clone(), held, current });
    }
    Ok(())
}

/// Refuses an append that expects another last sequence.
pub(super) fn expect(facts: &Facts, actual: u64) -> Result<(), JournalError> {
    match facts.expected {
        Some(expected) if expected != actual => {
            Err(JournalError::Conflict { stream: facts.stream.clone(), expected, actual })
        }
        Some(_) | None => Ok(()),
    }
}

/// Says whether a run holds the lock of its service.
pub(super) fn locks(summary: &RunSummary) -> bool {
    summary.locks_service && !summary.status.is_terminal()
}

/// Says whether a run that is under way keeps a new one out: one drill of a service at a time, and none
/// beside a real run. A real run is kept out by the lock alone.
pub(super) fn keeps_out(other: &RunSummary, new: &RunSummary) -> bool {
    let beside = other.service == new.service && other.run != new.run;
    new.intent == Intent::Drill && beside && keeps_drills_out(other)
}

/// Says whether no drill of a run's service may begin beside it.
pub(super) fn keeps_drills_out(run: &RunSummary) -> bool {
    let waits_for_word = run.status == RunStatus::AwaitingAttestation;
    let under_way = !run.status.is_terminal() && !waits_for_word;
    under_way && (run.intent == Intent::Drill || run.locks_service)
}

/// Refuses the line of a run for its idempotency key, or for another run of its service. `known`: the run is
/// listed already; `others`: those that are listed beside it.
pub(super) fn admit<'r>(
    new: &RunSummary,
    known: bool,
    others: &(impl Iterator<Item = &'r RunSummary> + Clone),
) -> Result<(), JournalError> {
    let keyed = |other: &&RunSummary| other.idempotency_key == new.idempotency_key;
    if !known
        && new.idempotency_key.is_some()
        && let Some(other) = others.clone().find(keyed)
    {
        return Err(JournalError::DuplicateStart { run: other.run.clone() });
    }
    let locked = |other: &RunSummary| {
        let (service, run) = (other.service.clone(), other.run.clone());
        Err(JournalError::ServiceLocked { service, run })
    };
    if !known && let Some(other) = others.clone().find(|other| keeps_out(other, new)) {
        return locked(other);
    }
    let owns = |other: &&RunSummary| other.service == new.service && locks(other);
    if locks(new)
        && let Some(other) = others.clone().find(owns)
    {
        return locked(other);
    }
    Ok(())
}

/// Puts the facts behind a stream's head and the journal's tip. A time before the stream's last is brought
/// forward; an absent one is the latest the journal knows.
pub(super) fn place(facts: &Facts, head: &mut Head, tip: &mut Tip) -> Vec<Placed> {
    let recorded_at = facts.at.unwrap_or(tip.recorded_at).max(head.recorded_at);
    let place = |fact: &Fact| {
        let sequence = head.sequence + 1;
        let hash = Envelope {
            stream: facts.stream.as_str(),
            sequence,
            token: facts.token.unwrap_or(0),
            recorded_at,
            kind: fact.kind,
            version: fact.version,
            body: fact.digest,
        }
        .hash(&head.hash);
        *head = Head { sequence, hash, recorded_at };
        tip.extend(&hash, recorded_at);
        Placed { position: tip.position, sequence, recorded_at, hash }
    };
    facts.records.iter().map(place).collect()
}
