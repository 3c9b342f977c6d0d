//! Checks a whole journal, record by record in order of position. Pure: it is fed by the stores, and only
//! tells.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

#[cfg(feature = "postgres")]
use super::ownership::Grant;
use super::ownership::{Ownership, Written};
use super::record::{Hash, NO_HASH, Stored, Tip, digest, hex};
use super::retention::is_endless;
use super::rules::run_of;
use crate::model::time::Timestamp;
use crate::ports::{Append, Head, JournalError, NewRecord, Record, StreamName, Verification};

/// Kind of the record that says which runs were pruned.
pub(super) const PRUNED: &str = "pruned";
/// Most lines of damage that are told one by one.
const MOST_LINES: usize = 100;

/// Body of a `pruned` record.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pruned {
    /// Runs that ended before this.
    pub(super) before: Timestamp,
    /// When it was done.
    pub(super) at: Timestamp,
    /// Ids of the runs.
    pub(super) runs: Vec<String>,
    /// Streams that never end, with the last sequence of each that was pruned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) streams: BTreeMap<String, u64>,
}

impl Pruned {
    /// Of runs.
    pub(super) fn of_runs(before: Timestamp, at: Timestamp, runs: Vec<String>) -> Self {
        Self { before, at, runs, streams: BTreeMap::new() }
    }

    /// Of the beginnings of streams.
    pub(super) fn of_streams(before: Timestamp, at: Timestamp, streams: BTreeMap<String, u64>) -> Self {
        Self { before, at, runs: Vec::new(), streams }
    }

    /// The append that records it.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub(super) fn append(&self) -> Result<Append, JournalError> {
        let body =
            serde_json::to_string(self).map_err(|error| JournalError::Unavailable(error.to_string()))?;
        let records = vec![NewRecord { kind: PRUNED, version: 1, body }];
        Ok(Append { stream: Some(StreamName::journal()), at: Some(self.at), records, ..Append::default() })
    }
}

/// A check under way.
#[derive(Debug)]
pub(super) struct Audit {
    heads: BTreeMap<String, Head>,
    tip: Tip,
    records: u64,
    pruned: BTreeMap<String, u64>,
    /// Last sequence of a stream whose body is gone.
    pruned_to: BTreeMap<String, u64>,
    covered: BTreeSet<String>,
    /// Last sequence of a stream that is said to be pruned.
    covered_to: BTreeMap<String, u64>,
    ownership: Ownership,
    damage: Vec<String>,
    more: u64,
}

impl Audit {
    pub(super) fn new() -> Self {
        Self {
            heads: BTreeMap::new(),
            tip: Tip::empty(),
            records: 0,
            pruned: BTreeMap::new(),
            pruned_to: BTreeMap::new(),
            covered: BTreeSet::new(),
            covered_to: BTreeMap::new(),
            ownership: Ownership::default(),
            damage: Vec::new(),
            more: 0,
        }
    }

    /// Notes damage found by the store itself.
    pub(super) fn damage(&mut self, line: String) {
        if self.damage.len() < MOST_LINES {
            self.damage.push(line);
        } else {
            self.more += 1;
        }
    }

    /// Takes the next grant of a lease, in order of tokens. All come before the records.
    #[cfg(feature = "postgres")]
    pub(super) fn grant(&mut self, grant: Grant) {
        if let Some(wrong) = self.ownership.grant(grant) {
            self.damage(wrong);
        }
    }

    /// Checks that a record of a run was written by whoever owned it. That there is no gap is checked
    /// elsewhere, for all streams.
    fn owned(&mut self, record: &Record) {
        let Some(run) = run_of(&record.stream) else { return };
        let (position, sequence, token) = (record.position, record.sequence, record.token);
        for wrong in self.ownership.owned(Written { run, position, sequence, token, by: None }) {
            self.damage(wrong);
        }
    }

    /// Takes the next record in order of position.
    pub(super) fn record(&mut self, row: &Stored) {
        let record = &row.record;
        let stream = record.stream.as_str();
        self.records += 1;
        self.position(record.position);
        self.tip.chain = Tip::link(&self.tip.chain, record.position, &record.hash);
        self.tip.position = record.position;
        let (last, previous, at) = match self.heads.get(stream) {
            Some(head) => (head.sequence, head.hash, head.recorded_at),
            None => (0, NO_HASH, record.recorded_at),
        };
        if record.sequence != last + 1 {
            let end = record.sequence.saturating_sub(1);
            self.damage(format!("{stream}: records {} to {end} are missing", last + 1));
        } else if !row.holds(&previous) {
            self.damage(format!("{stream}: record {} was changed after it was written", record.sequence));
        }
        if record.recorded_at < at {
            self.damage(format!("{stream}: record {} is earlier than the one before it", record.sequence));
        }
        self.owned(record);
        let head = Head { sequence: record.sequence, hash: record.hash, recorded_at: record.recorded_at };
        self.heads.insert(stream.to_owned(), head);
        if row.pruned.is_some() {
            *self.pruned.entry(stream.to_owned()).or_default() += 1;
            self.pruned_to.insert(stream.to_owned(), record.sequence);
        }
        if record.stream == StreamName::journal() && record.kind == PRUNED {
            match serde_json::from_str::<Pruned>(&record.body) {
                Ok(body) => {
                    self.covered.extend(body.runs);
                    for (stream, to) in body.streams.into_iter().filter(|(stream, _)| is_endless(stream)) {
                        let covered = self.covered_to.entry(stream).or_default();
                        *covered = to.max(*covered);
                    }
                }
                Err(_) => self.damage(format!("{stream}: record {} cannot be read", record.sequence)),
            }
        }
    }

    fn position(&mut self, found: u64) {
        let next = self.tip.position + 1;
        if found == next + 1 {
            self.damage(format!("journal: position {next} is missing"));
        } else if found != next {
            self.damage(format!("journal: positions {next} to {} are missing", found.saturating_sub(1)));
        }
    }

    /// Takes a blob.
    pub(super) fn blob(&mut self, name: &str, body: &[u8]) {
        if hex(&digest(body)) != name {
            self.damage(format!("blob {name}: its content has another SHA-256"));
        }
    }

    /// Says whether a stream has any record.
    pub(super) fn has(&self, stream: &str) -> bool {
        self.heads.contains_key(stream)
    }

    /// Last sequence of a stream that was seen.
    pub(super) fn last(&self, stream: &str) -> u64 {
        self.heads.get(stream).map_or(0, |head| head.sequence)
    }

    /// Ends the check: compares with the heads and the tip that are stored.
    pub(super) fn finish(mut self, heads: &BTreeMap<String, Head>, tip: &Tip) -> Verification {
        for (stream, stored) in heads {
            let (last, hash) = self.heads.get(stream).map_or((0, NO_HASH), |head| (head.sequence, head.hash));
            if stored.sequence > last {
                self.damage(format!(
                    "{stream}: records {} to {} are missing at its end",
                    last + 1,
                    stored.sequence
                ));
            } else if (stored.sequence, stored.hash) != (last, hash) {
                self.damage(format!("{stream}: its head names record {}, not {last}", stored.sequence));
            }
        }
        let orphans: Vec<_> =
            self.heads.keys().filter(|stream| !heads.contains_key(*stream)).cloned().collect();
        for stream in orphans {
            self.damage(format!("{stream}: it has records but no head"));
        }
        self.finish_tip(tip);
        self.finish_pruned();
        let streams = u64::try_from(self.heads.len()).unwrap_or(u64::MAX);
        if self.more > 0 {
            self.damage.push(format!("and {} more", self.more));
        }
        let (pruned, head) = (self.pruned.values().sum(), hex(&self.tip.chain));
        Verification { streams, records: self.records, pruned, damage: self.damage, head }
    }

    fn finish_tip(&mut self, tip: &Tip) {
        let (last, chain): (u64, Hash) = (self.tip.position, self.tip.chain);
        if tip.position > last {
            self.damage(format!(
                "journal: positions {} to {} are missing at its end",
                last + 1,
                tip.position
            ));
        } else if tip.position < last {
            self.damage(format!("journal: its head names position {}, not {last}", tip.position));
        } else if tip.chain != chain && self.damage.is_empty() {
            self.damage("journal: its records are not those, or not in the order, its head names".to_owned());
        }
    }

    fn finish_pruned(&mut self) {
        let uncovered: Vec<_> = self
            .pruned
            .iter()
            .filter(|(stream, _)| {
                let to = self.pruned_to.get(*stream);
                !run_of(&StreamName::typed(*stream)).is_some_and(|run| self.covered.contains(run))
                    && to.is_none_or(|to| self.covered_to.get(*stream).is_none_or(|covered| covered < to))
            })
            .map(|(stream, count)| {
                format!("{stream}: {count} bodies are gone, but no record says they were pruned")
            })
            .collect();
        for line in uncovered {
            self.damage(line);
        }
    }
}
