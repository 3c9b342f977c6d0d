//! Chains of hashes in a bundle: of the streams it holds, and of the whole journal around them. Pure; says
//! what is wrong and where.

use std::fmt::Write as _;

use super::CHAIN;
use crate::journal::record::{Envelope, Hash, NO_HASH, Tip, digest, hex, unhex};
use crate::ports::Record;

/// The hashes of all records of a journal from some position on, whatever streams they are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The position before the first one.
    pub after: u64,
    /// The journal's chain up to there.
    pub start: Hash,
    /// The hash of each record from there on, in order of position.
    pub records: Vec<Hash>,
}

impl Chain {
    /// The part of the chain after a later position.
    #[must_use]
    pub fn later(&self, after: u64) -> Self {
        let start = self.heads().find(|(position, _)| *position == after);
        let Some((after, start)) = start else { return self.clone() };
        let passed = usize::try_from(after - self.after).unwrap_or(usize::MAX);
        Self { after, start, records: self.records.get(passed..).unwrap_or_default().to_vec() }
    }

    /// Writes the chain: where it starts, then one hash a line.
    pub(super) fn write(&self) -> String {
        let mut text = format!("after {} {}\n", self.after, hex(&self.start));
        for record in &self.records {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{}", hex(record));
        }
        text
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let first =
            lines.next().and_then(|line| line.strip_prefix("after ")).and_then(|line| line.split_once(' '));
        let start = first.and_then(|(after, start)| Some((after.parse().ok()?, unhex(start)?)));
        let (after, start) = start.ok_or("line 1: it does not say where the chain starts")?;
        let hash = |(number, line): (u64, &str)| unhex(line).ok_or(format!("line {number}: it is no hash"));
        let records: Vec<Hash> = (2..).zip(lines).map(hash).collect::<Result<_, _>>()?;
        if records.len() as u64 > CHAIN || u64::MAX - after < CHAIN {
            return Err("it is longer than a chain ever is".to_owned());
        }
        Ok(Self { after, start, records })
    }

    /// The hash of the record at a position.
    pub(super) fn at(&self, position: u64) -> Option<&Hash> {
        let index = position.checked_sub(self.after)?.checked_sub(1)?;
        self.records.get(usize::try_from(index).ok()?)
    }

    /// The journal's heads that the chain passes: position, and hash over all records up to it.
    pub(super) fn heads(&self) -> impl Iterator<Item = (u64, Hash)> {
        let start = (self.after, self.start);
        let next = |last: &mut (u64, Hash), record: &Hash| {
            let position = last.0 + 1;
            *last = (position, Tip::link(&last.1, position, record));
            Some(*last)
        };
        std::iter::once(start).chain(self.records.iter().scan(start, next))
    }

    /// The last head.
    pub(super) fn head(&self) -> (u64, Hash) {
        self.heads().last().unwrap_or((self.after, self.start))
    }
}

/// Checks one stream that begins with its first record; says what is wrong.
pub(super) fn check(records: &[&Record]) -> Vec<String> {
    let (mut wrong, mut previous) = (Vec::new(), NO_HASH);
    for (expected, record) in (1..).zip(records) {
        let stream = &record.stream;
        if record.sequence != expected {
            wrong
                .push(format!("{stream}: record {expected} is missing, {} is in its place", record.sequence));
            return wrong;
        }
        let hash = Envelope::of(record, digest(record.body.as_bytes())).hash(&previous);
        if hash != record.hash {
            wrong.push(format!("{stream}: record {expected} was changed after it was written"));
            return wrong;
        }
        previous = record.hash;
    }
    wrong
}
