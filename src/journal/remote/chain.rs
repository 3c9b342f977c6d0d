//! Whether records that a server sent are what they say: in order, of the stream that was asked for, each
//! chained to the one before. Never asks anybody.

use std::collections::HashMap;

use super::wire::Stored;
use crate::journal::record::{Envelope, Hash, NO_HASH, digest};
use crate::ports::{Record, StreamName};

/// Streams whose last record is remembered.
const STREAMS: usize = 4_096;

/// The last record that was seen of each stream.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<StreamName, (u64, Hash)>);

impl Seen {
    /// The records of one stream after a sequence. Says what is wrong with them.
    pub(super) fn of_stream(
        &mut self,
        stream: &StreamName,
        after: u64,
        page: Vec<Stored>,
    ) -> Result<Vec<Record>, String> {
        let mut records = Vec::with_capacity(page.len());
        let mut before = match (after, self.0.get(stream)) {
            (0, _) => Some(NO_HASH),
            (_, Some((sequence, hash))) if *sequence == after => Some(*hash),
            _ => None,
        };
        for (sequence, stored) in (after.saturating_add(1)..).zip(page) {
            let record = stored.record().ok_or_else(|| format!("{stream} {sequence} has no hash"))?;
            if record.stream != *stream || record.sequence != sequence {
                return Err(format!("{stream} {sequence} is missing"));
            }
            if !follows(&record, before.as_ref()) {
                return Err(format!("{stream} {sequence} was changed after it was written"));
            }
            before = Some(record.hash);
            records.push(record);
        }
        if let Some(last) = records.last() {
            if self.0.len() >= STREAMS {
                self.0.clear();
            }
            self.0.insert(stream.clone(), (last.sequence, last.hash));
        }
        Ok(records)
    }
}

/// The records of all streams after a position. Says what is wrong with them.
pub(super) fn of_all(after: u64, page: Vec<Stored>) -> Result<Vec<Record>, String> {
    let mut records = Vec::with_capacity(page.len());
    for (position, stored) in (after.saturating_add(1)..).zip(page) {
        let record = stored.record().ok_or_else(|| format!("position {position} has no hash"))?;
        if record.position != position {
            return Err(format!("position {position} is missing"));
        }
        records.push(record);
    }
    Ok(records)
}

/// Whether a record has the hash that its content and the one before give. Of what was pruned only the server
/// knows.
fn follows(record: &Record, before: Option<&Hash>) -> bool {
    let Some(before) = before.filter(|_| !record.body.is_empty()) else { return true };
    Envelope::of(record, digest(record.body.as_bytes())).hash(before) == record.hash
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::journal::record::hex;
    use crate::model::time::Timestamp;

    /// Three records of a run, as a server sends them.
    fn page() -> Vec<Value> {
        let mut before = NO_HASH;
        let one = |sequence: u64| {
            let mut record = Record {
                position: sequence,
                stream: StreamName::typed("run/pay-abcdefgh"),
                sequence,
                token: 1,
                recorded_at: Timestamp::from_millis(1_000),
                kind: "node_ready".to_owned(),
                version: 1,
                body: format!("{{\"n\":{sequence}}}"),
                hash: NO_HASH,
            };
            record.hash = Envelope::of(&record, digest(record.body.as_bytes())).hash(&before);
            before = record.hash;
            json!({
                "position": sequence, "stream": "run/pay-abcdefgh", "sequence": sequence, "token": 1,
                "recorded_at": record.recorded_at, "kind": record.kind, "version": 1, "body": record.body,
                "hash": hex(&record.hash),
            })
        };
        (1..=3).map(one).collect()
    }

    fn read(seen: &mut Seen, after: u64, page: &[Value]) -> Result<usize, String> {
        let page = page.iter().map(|it| serde_json::from_value(it.clone()).unwrap()).collect();
        let stream = StreamName::typed("run/pay-abcdefgh");
        seen.of_stream(&stream, after, page).map(|records| records.len())
    }

    #[test]
    fn what_was_changed_on_the_way_is_found() {
        let page = page();
        assert_eq!(read(&mut Seen::default(), 0, &page), Ok(3));
        for (at, field, value) in [
            (0, "body", json!("{\"n\":9}")),
            (1, "token", json!(2)),
            (2, "kind", json!("node_skipped")),
            (1, "hash", json!("0".repeat(64))),
            (1, "hash", json!("zz")),
            (1, "stream", json!("run/pay-other")),
            (2, "sequence", json!(2)),
        ] {
            let mut changed = page.clone();
            changed[at][field] = value;
            assert!(read(&mut Seen::default(), 0, &changed).is_err(), "{at} {field}");
        }
        let gap = [page[0].clone(), page[2].clone()];
        assert!(read(&mut Seen::default(), 0, &gap).unwrap_err().contains("2 is missing"));
    }

    #[test]
    fn pages_are_chained_to_each_other() {
        let page = page();
        let mut seen = Seen::default();
        assert_eq!(read(&mut seen, 0, &page[..2]), Ok(2));
        let mut other = page[2].clone();
        other["body"] = json!("{}");
        assert!(read(&mut seen, 2, &[other]).is_err());
        assert_eq!(read(&mut seen, 2, &page[2..]), Ok(1));
    }

    #[test]
    fn of_what_was_pruned_the_order_is_known() {
        let mut page = page();
        page[1]["body"] = json!("");
        assert_eq!(read(&mut Seen::default(), 0, &page), Ok(3));
        page[2]["body"] = json!("{}");
        assert!(read(&mut Seen::default(), 0, &page).is_err());
    }
}
