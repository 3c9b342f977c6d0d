//! Keeps what arrives at one webhook: everything that waits goes into one commit, each delivery once, and
//! none is answered before.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::known::Known;
use super::{Answer, DELIVERED, Webhook};
use crate::model::time::Timestamp;
use crate::ports::{Append, Journal, JournalError, NewRecord, StreamName};
use crate::webhook::Delivery;

/// Most deliveries of one webhook that wait to be kept.
const WAITING: usize = 1_000;
/// How often it is tried to keep deliveries while another process keeps its own.
const TRIES: u32 = 8;

/// One webhook, and what waits to be kept.
pub(super) struct Mounted {
    webhook: Webhook,
    stream: StreamName,
    queue: Mutex<Vec<Waiting>>,
    /// What has arrived of late; whoever holds it keeps what waits.
    known: tokio::sync::Mutex<Option<Known>>,
}

struct Waiting {
    delivery: Delivery,
    at: Timestamp,
    reply: oneshot::Sender<Answer>,
}

impl Mounted {
    pub(super) fn new(name: &str, webhook: Webhook) -> Self {
        let (queue, known) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { webhook, stream: StreamName::webhook(name), queue, known }
    }

    pub(super) const fn webhook(&self) -> &Webhook {
        &self.webhook
    }

    /// Waits for its turn, and keeps everything that waits by then in one commit.
    pub(super) async fn keep(&self, journal: &dyn Journal, delivery: Delivery, at: Timestamp) -> Answer {
        let (reply, answer) = oneshot::channel();
        {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.len() >= WAITING {
                return Answer::unavailable("too many deliveries wait to be kept");
            }
            queue.push(Waiting { delivery, at, reply });
        }
        let mut known = self.known.lock().await;
        let waiting = std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner));
        if !waiting.is_empty() {
            self.keep_all(journal, &mut known, waiting).await;
        }
        drop(known);
        // Whoever was to answer is gone: nobody can say whether it was kept, and it may be sent again.
        answer.await.unwrap_or_else(|_| Answer::unavailable("the delivery was not kept"))
    }

    async fn keep_all(&self, journal: &dyn Journal, known: &mut Option<Known>, waiting: Vec<Waiting>) {
        let kept = self.try_keep(journal, known, &waiting).await;
        match kept {
            Ok(kept) => {
                for (waiting, is_new) in waiting.into_iter().zip(kept) {
                    let answer = if is_new { Answer::accepted() } else { Answer::duplicate() };
                    // Whoever asked may have gone.
                    let _ = waiting.reply.send(answer);
                }
            }
            Err(error) => {
                // What is known may be ahead of the journal, or behind.
                *known = None;
                tracing::error!(stream = %self.stream, %error, "deliveries could not be kept");
                for waiting in waiting {
                    let _ = waiting.reply.send(Answer::unavailable("the journal cannot be reached"));
                }
            }
        }
    }

    /// Appends what is new, and says of each delivery whether it is.
    async fn try_keep(
        &self,
        journal: &dyn Journal,
        known: &mut Option<Known>,
        waiting: &[Waiting],
    ) -> Result<Vec<bool>, JournalError> {
        let Some(now) = waiting.iter().map(|waiting| waiting.at).max() else { return Ok(Vec::new()) };
        for _ in 0..TRIES {
            let mut after = match known.take() {
                Some(known) => known,
                None => Known::open(journal, &self.stream, now).await?,
            };
            after.catch_up(journal, &self.stream).await?;
            after.forget(now);
            let before = after.head;
            let mut kept = Vec::with_capacity(waiting.len());
            let mut records = Vec::new();
            for Waiting { delivery, at, .. } in waiting {
                let new = after.take(&self.webhook, delivery, *at);
                kept.push(new.is_some());
                if let Some(delivered) = new {
                    let body = serde_json::to_string(&delivered)
                        .map_err(|error| JournalError::Unavailable(error.to_string()))?;
                    records.push(NewRecord { kind: DELIVERED, version: 1, body });
                }
            }
            if records.is_empty() {
                *known = Some(after);
                return Ok(kept);
            }
            let count = records.len() as u64;
            let append = Append {
                stream: Some(self.stream.clone()),
                expected: Some(before),
                at: Some(now),
                records,
                ..Append::default()
            };
            match journal.append(vec![append]).await {
                Ok(_) => {
                    after.head = before + count;
                    *known = Some(after);
                    return Ok(kept);
                }
                // Somebody else keeps deliveries of this webhook: read theirs first.
                Err(JournalError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(JournalError::Unavailable("others keep appending".to_owned()))
    }
}
