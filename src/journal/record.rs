//! How records are hashed and chained. Pure; never reads a store, and never changes for a format once
//! released: journals must verify for ever.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::model::time::Timestamp;
use crate::ports::{Head, Record};

/// A SHA-256.
pub type Hash = [u8; 32];

/// Stands before the first record of a chain.
pub const NO_HASH: Hash = [0; 32];

const RECORD: &[u8] = b"drctl record 1";
const JOURNAL: &[u8] = b"drctl journal 1";

/// Returns the SHA-256 of some bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// Writes a hash in lower-case hex.
#[must_use]
pub fn hex(hash: &Hash) -> String {
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads a hash from lower-case hex.
#[must_use]
pub fn unhex(text: &str) -> Option<Hash> {
    let mut hash = NO_HASH;
    let digit = |letter: u8| match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?;
    }
    Some(hash)
}

/// Everything of a record that its hash covers.
///
/// The body takes part by its own SHA-256, so that the chain still verifies after the body was pruned.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// Name of the stream.
    pub stream: &'a str,
    /// Number in its stream.
    pub sequence: u64,
    /// Fencing token.
    pub token: u64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Type of the fact.
    pub kind: &'a str,
    /// Version of the body's format.
    pub version: u32,
    /// SHA-256 of the body.
    pub body: Hash,
}

impl<'a> Envelope<'a> {
    /// The envelope of a record, with the SHA-256 of its body.
    #[must_use]
    pub fn of(record: &'a Record, body: Hash) -> Self {
        Self {
            stream: record.stream.as_str(),
            sequence: record.sequence,
            token: record.token,
            recorded_at: record.recorded_at,
            kind: &record.kind,
            version: record.version,
            body,
        }
    }

    /// Hash of the record, given the hash of the record before it in its stream.
    ///
    /// SHA-256 over these fields, each after its length as four bytes, little-endian: the text `drctl record
    /// 1`, previous hash, stream, sequence, token, milliseconds since 1970, kind, version, SHA-256 of the
    /// body. Numbers are eight bytes, little-endian.
    #[must_use]
    pub fn hash(&self, previous: &Hash) -> Hash {
        let mut sum = Sha256::new();
        for field in [
            RECORD,
            previous,
            self.stream.as_bytes(),
            &self.sequence.to_le_bytes(),
            &self.token.to_le_bytes(),
            &self.recorded_at.as_millis().to_le_bytes(),
            self.kind.as_bytes(),
            &u64::from(self.version).to_le_bytes(),
            &self.body,
        ] {
            sum.update(u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes());
            sum.update(field);
        }
        sum.finalize().into()
    }
}

/// Where the journal as a whole ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Last position; 0 for an empty journal.
    pub position: u64,
    /// Hash over all records, in order of position.
    pub chain: Hash,
    /// Latest time of any record.
    pub recorded_at: Timestamp,
}

impl Tip {
    /// The tip of an empty journal.
    #[must_use]
    pub fn empty() -> Self {
        Self { position: 0, chain: NO_HASH, recorded_at: Timestamp::from_millis(0) }
    }

    /// Takes the next record in.
    pub fn extend(&mut self, record: &Hash, recorded_at: Timestamp) {
        self.position += 1;
        self.chain = Self::link(&self.chain, self.position, record);
        self.recorded_at = self.recorded_at.max(recorded_at);
    }

    /// Hash over all records up to a position.
    #[must_use]
    pub fn link(chain: &Hash, position: u64, record: &Hash) -> Hash {
        let mut sum = Sha256::new();
        sum.update(JOURNAL);
        sum.update(chain);
        sum.update(position.to_le_bytes());
        sum.update(record);
        sum.finalize().into()
    }
}

/// A record as it is stored: with the digest of its body where that was pruned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// The record.
    pub(super) record: Record,
    /// SHA-256 of the body that was pruned.
    pub(super) pruned: Option<Hash>,
}

impl Stored {
    /// Says whether the stored hash is the one its content and the previous hash give.
    pub(super) fn holds(&self, previous: &Hash) -> bool {
        let body = self.pruned.unwrap_or_else(|| digest(self.record.body.as_bytes()));
        (self.pruned.is_none() || self.record.body.is_empty())
            && Envelope::of(&self.record, body).hash(previous) == self.record.hash
    }
}

/// Checks a part of one stream that was read in order: numbers without a gap, hashes that follow from
/// `previous`, and, where the part reaches the end of the stream, the stream's head. Says what is wrong.
pub(super) fn check(rows: &[Stored], after: u64, previous: &Hash, end: Option<&Head>) -> Result<(), String> {
    let (mut sequence, mut hash) = (after, *previous);
    for row in rows {
        if row.record.sequence != sequence + 1 {
            return Err(format!("record {} is missing", sequence + 1));
        }
        if !row.holds(&hash) {
            return Err(format!("record {} was changed after it was written", row.record.sequence));
        }
        (sequence, hash) = (row.record.sequence, row.record.hash);
    }
    match end {
        Some(head) if head.sequence > sequence => Err(format!("record {} is missing", sequence + 1)),
        Some(head) if head.sequence == sequence && head.hash != hash => {
            Err(format!("record {sequence} is not the one its head names"))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::StreamName;

    fn envelope() -> Envelope<'static> {
        Envelope {
            stream: "run/a-1",
            sequence: 3,
            token: 7,
            recorded_at: Timestamp::from_millis(1_000),
            kind: "node_ready",
            version: 1,
            body: digest(b"{}"),
        }
    }

    #[test]
    fn the_hash_of_a_released_format_never_changes() {
        assert_eq!(
            hex(&envelope().hash(&NO_HASH)),
            "92f9e54212fcdb4720fe23db17920c86687d74d3b9fede085fa7eeb02442723c"
        );
    }

    #[test]
    fn every_field_counts() {
        let base = envelope();
        let hashes = [
            base.hash(&NO_HASH),
            base.hash(&digest(b"x")),
            Envelope { stream: "run/a-", ..base }.hash(&NO_HASH),
            Envelope { sequence: 4, ..base }.hash(&NO_HASH),
            Envelope { token: 8, ..base }.hash(&NO_HASH),
            Envelope { recorded_at: Timestamp::from_millis(1_001), ..base }.hash(&NO_HASH),
            Envelope { kind: "node_read", ..base }.hash(&NO_HASH),
            Envelope { version: 2, ..base }.hash(&NO_HASH),
            Envelope { body: digest(b"[]"), ..base }.hash(&NO_HASH),
        ];
        for (n, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..n].contains(hash), "field {n} does not count");
        }
    }

    #[test]
    fn gaps_and_changes_are_named() {
        let rows: Vec<Stored> = (1..=3)
            .scan(NO_HASH, |previous, sequence| {
                let mut record = Record {
                    position: sequence,
                    stream: StreamName::journal(),
                    sequence,
                    token: 0,
                    recorded_at: Timestamp::from_millis(0),
                    kind: "x".into(),
                    version: 1,
                    body: "{}".into(),
                    hash: NO_HASH,
                };
                record.hash = Envelope::of(&record, digest(b"{}")).hash(previous);
                *previous = record.hash;
                Some(Stored { record, pruned: None })
            })
            .collect();
        let head = Head { sequence: 3, hash: rows[2].record.hash, recorded_at: Timestamp::from_millis(0) };
        assert_eq!(check(&rows, 0, &NO_HASH, Some(&head)), Ok(()));
        assert_eq!(check(&rows[..2], 0, &NO_HASH, Some(&head)), Err("record 3 is missing".into()));
        assert_eq!(check(&rows[1..], 0, &NO_HASH, None), Err("record 1 is missing".into()));
        let mut changed = rows.clone();
        changed[1].record.body = "{ }".into();
        assert_eq!(
            check(&changed, 0, &NO_HASH, None),
            Err("record 2 was changed after it was written".into())
        );
        let other = Head { hash: NO_HASH, ..head };
        assert_eq!(
            check(&rows, 0, &NO_HASH, Some(&other)),
            Err("record 3 is not the one its head names".into())
        );
    }
}
