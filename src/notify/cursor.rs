//! How far a target has been told, in the journal: a stream for each target, which every process that sends
//! to it reads and appends to. A process claims a notice before it sends it, so that others leave it alone;
//! an append that somebody else was quicker with is refused.

use serde::{Deserialize, Serialize};

use crate::model::notice::NoticeKind;
use crate::model::time::Timestamp;
use crate::ports::{Append, Journal, JournalError, NewRecord, StreamName};

/// Version of the facts this build writes.
const FORMAT: u32 = 1;
/// Records read at once.
const PAGE: usize = 1_000;

/// A fact about what a target was told. `position` is that of the journal's record a notice is made of; all
/// up to it is settled once it was sent or given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxEvent {
    /// The target was seen for the first time: what lies before is not told.
    Began {
        /// Position it begins after.
        position: u64,
    },
    /// A process is about to send a notice, or waits to try it again.
    Claimed {
        /// The record it is about.
        position: u64,
        /// Which process.
        by: String,
        /// Until when it is left to that one.
        until: Timestamp,
        /// Tries that have failed.
        tries: u32,
        /// Why the last one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The process that had claimed a notice leaves it to others.
    Released {
        /// The record it is about.
        position: u64,
        /// Which process.
        by: String,
        /// Tries that have failed.
        tries: u32,
    },
    /// The target took a notice.
    Sent {
        /// The record it is about.
        position: u64,
        /// Its id.
        notice: String,
        /// Kind of notice.
        kind: NoticeKind,
        /// Tries it took.
        tries: u32,
    },
    /// A notice is not sent any more.
    GivenUp {
        /// The record it is about.
        position: u64,
        /// Its id.
        notice: String,
        /// Kind of notice.
        kind: NoticeKind,
        /// Tries that have failed.
        tries: u32,
        /// Why.
        why: String,
    },
    /// Many records held nothing for the target.
    Passed {
        /// The last of them.
        position: u64,
    },
}

impl OutboxEvent {
    /// The type under which the fact is stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Began { .. } => "notify_began",
            Self::Claimed { .. } => "notify_claimed",
            Self::Released { .. } => "notify_released",
            Self::Sent { .. } => "notify_sent",
            Self::GivenUp { .. } => "notify_given_up",
            Self::Passed { .. } => "notify_passed",
        }
    }
}

/// Where a target stands: a fold of its stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Last record of the stream.
    pub sequence: u64,
    /// Whether the target was ever seen.
    pub began: bool,
    /// Everything up to here is settled.
    pub position: u64,
    /// Who has claimed the next notice, and until when.
    pub claim: Option<(String, Timestamp)>,
    /// The record that was tried, and how often that failed.
    pub tried: Option<(u64, u32)>,
}

impl Cursor {
    /// Reads what is new in the stream of a target.
    ///
    /// # Errors
    /// When the journal cannot be read, or holds what this build does not understand.
    pub async fn refresh(&mut self, journal: &dyn Journal, target: &str) -> Result<(), JournalError> {
        let stream = StreamName::notify(target);
        loop {
            let records = journal.read(&stream, self.sequence, PAGE).await?;
            for record in &records {
                if record.version > FORMAT {
                    return Err(JournalError::TooNew { found: record.version, known: FORMAT });
                }
                let event = serde_json::from_str(&record.body).map_err(|error| {
                    JournalError::Damaged(format!("{stream} record {}: {error}", record.sequence))
                })?;
                self.apply(&event);
                self.sequence = record.sequence;
            }
            if records.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Records a fact, unless another process has recorded one since; then nothing is written, and `false`.
    ///
    /// # Errors
    /// When the journal refuses for any other reason.
    pub async fn record(
        &mut self,
        journal: &dyn Journal,
        target: &str,
        event: &OutboxEvent,
        at: Timestamp,
    ) -> Result<bool, JournalError> {
        let body =
            serde_json::to_string(event).map_err(|error| JournalError::Unavailable(error.to_string()))?;
        let append = Append {
            stream: Some(StreamName::notify(target)),
            expected: Some(self.sequence),
            at: Some(at),
            records: vec![NewRecord { kind: event.kind(), version: FORMAT, body }],
            ..Append::default()
        };
        match journal.append(vec![append]).await {
            Ok(_) => {
                self.sequence += 1;
                self.apply(event);
                Ok(true)
            }
            Err(JournalError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How often the notice of a record was tried in vain.
    #[must_use]
    pub fn tries(&self, position: u64) -> u32 {
        self.tried.filter(|(tried, _)| *tried == position).map_or(0, |(_, tries)| tries)
    }

    fn apply(&mut self, event: &OutboxEvent) {
        match event {
            OutboxEvent::Claimed { position, by, until, tries, .. } => {
                self.claim = Some((by.clone(), *until));
                self.tried = Some((*position, *tries));
            }
            OutboxEvent::Released { position, tries, .. } => {
                self.claim = None;
                self.tried = Some((*position, *tries));
            }
            OutboxEvent::Began { position } => (self.began, self.position) = (true, *position),
            OutboxEvent::Sent { position, .. }
            | OutboxEvent::GivenUp { position, .. }
            | OutboxEvent::Passed { position } => {
                // A slow process may report late what was settled by another one.
                self.position = self.position.max(*position);
                (self.claim, self.tried) = (None, None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::MemoryJournal;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn claimed(by: &str, tries: u32) -> OutboxEvent {
        OutboxEvent::Claimed { position: 7, by: by.to_owned(), until: at(60), tries, why: None }
    }

    #[tokio::test]
    async fn of_two_processes_one_claims_a_notice_and_both_know() {
        let journal = MemoryJournal::new();
        let (mut ours, mut theirs) = (Cursor::default(), Cursor::default());
        assert!(ours.record(&journal, "chat", &claimed("ours", 0), at(0)).await.unwrap());
        assert!(!theirs.record(&journal, "chat", &claimed("theirs", 0), at(0)).await.unwrap());
        theirs.refresh(&journal, "chat").await.unwrap();
        assert_eq!(theirs.claim, Some(("ours".to_owned(), at(60))));
        assert_eq!(ours, theirs);
    }

    #[tokio::test]
    async fn a_cursor_that_is_read_again_stands_where_it_stood() {
        let journal = MemoryJournal::new();
        let mut cursor = Cursor::default();
        let sent = OutboxEvent::Sent {
            position: 7,
            notice: "run/a/1".to_owned(),
            kind: NoticeKind::Started,
            tries: 3,
        };
        for event in [OutboxEvent::Began { position: 4 }, claimed("ours", 2), sent, claimed("ours", 1)] {
            assert!(cursor.record(&journal, "chat", &event, at(0)).await.unwrap());
        }
        let mut again = Cursor::default();
        again.refresh(&journal, "chat").await.unwrap();
        assert_eq!(again, cursor);
        assert_eq!((again.position, again.tries(7), again.tries(8)), (7, 1, 0));
    }
}
