//! What the writer knows of the database without asking: where streams end, and the tokens in force. It may
//! be out of date; the database refuses what was made for another end.

use std::collections::HashMap;

use crate::journal::rules::empty_head;
use crate::model::time::Timestamp;
use crate::ports::Head;

/// Streams kept at most; then all are forgotten.
const MOST: usize = 16_384;

/// End of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    pub(super) head: Head,
    /// Token in force, where it is a run's; else 0.
    pub(super) token: u64,
    /// Whether this process held the lease when the database was asked.
    pub(super) held: bool,
    /// Where an acknowledged append had led to, of which the database knows nothing any more.
    pub(super) lost: Option<u64>,
}

impl End {
    /// A stream nobody has appended to, under a lease that this process holds.
    pub(super) fn unknown(token: u64) -> Self {
        Self { head: empty_head(), token, held: true, lost: None }
    }
}

/// Where streams end.
#[derive(Debug)]
pub(super) struct Ends {
    streams: HashMap<String, End>,
    /// Latest time of any record that this process knows of.
    pub(super) latest: Timestamp,
}

impl Ends {
    pub(super) fn new() -> Self {
        Self { streams: HashMap::new(), latest: Timestamp::from_millis(0) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&End> {
        self.streams.get(name)
    }

    /// Notes what the database has said. Where that is behind what it has acknowledged, it is told once.
    pub(super) fn told(&mut self, name: &str, mut end: End) {
        let known = self.streams.get(name).filter(|known| known.lost.is_none());
        end.lost = known.map(|known| known.head.sequence).filter(|known| *known > end.head.sequence);
        self.latest = self.latest.max(end.head.recorded_at);
        self.note(name, end);
    }

    /// Notes where an append that was acknowledged has led to.
    pub(super) fn note(&mut self, name: &str, end: End) {
        self.latest = self.latest.max(end.head.recorded_at);
        if self.streams.len() >= MOST && !self.streams.contains_key(name) {
            self.streams.clear();
        }
        self.streams.insert(name.to_owned(), end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u64) -> End {
        let head = Head { sequence, ..empty_head() };
        End { head, ..End::unknown(1) }
    }

    #[test]
    fn what_was_acknowledged_and_is_gone_is_told_once() {
        let mut ends = Ends::new();
        ends.told("run/a-1", at(3));
        assert_eq!(ends.get("run/a-1").unwrap().lost, None);
        ends.note("run/a-1", at(5));
        ends.told("run/a-1", at(4));
        assert_eq!(ends.get("run/a-1").unwrap().lost, Some(5));
        ends.told("run/a-1", at(4));
        assert_eq!(ends.get("run/a-1").unwrap().lost, None);
        ends.told("run/a-1", at(6));
        assert_eq!(ends.get("run/a-1").unwrap(), &at(6));
    }
}
