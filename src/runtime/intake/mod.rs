//! Takes deliveries of webhooks: proves them, and keeps each once before it is answered. Does nothing about
//! them: that is for later, and for another task.

mod answer;
mod certificates;
mod known;
mod since;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

pub use answer::Answer;
pub use known::Delivered;
pub(super) use since::sequence_before;

use certificates::Certificates;
use known::Known;

use crate::model::time::{Duration, Timestamp};
use crate::model::trigger::TriggerSource;
use crate::ports::{Append, Journal, JournalError, NewRecord, Signers, StreamName};
use crate::webhook::{Delivery, Door, Envelope, Error, Headers, Letter};

/// Most deliveries of one webhook that wait to be kept.
const WAITING: usize = 1_000;
/// How often it is tried to keep a delivery while others keep theirs.
const TRIES: u32 = 8;
/// Type of a kept delivery.
pub(super) const DELIVERED: &str = "webhook_delivered";

/// A webhook that deliveries arrive at.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// How they are proved and read.
    pub door: Door,
    /// What happened longer ago than this is kept and marked as old.
    pub max_age: Duration,
}

/// Takes the deliveries of all webhooks.
pub struct Intake {
    journal: Arc<dyn Journal>,
    certificates: Certificates,
    mounted: BTreeMap<String, Mounted>,
}

struct Mounted {
    webhook: Webhook,
    queue: Mutex<Vec<Waiting>>,
    /// What has arrived of late; whoever holds it keeps what waits.
    known: tokio::sync::Mutex<Option<Known>>,
}

struct Waiting {
    delivery: Delivery,
    at: Timestamp,
    reply: oneshot::Sender<Answer>,
}

impl Intake {
    /// Makes an intake of webhooks by their names.
    #[must_use]
    pub fn new(
        journal: Arc<dyn Journal>,
        signers: Arc<dyn Signers>,
        webhooks: BTreeMap<String, Webhook>,
    ) -> Self {
        let mounted = |webhook| Mounted {
            webhook,
            queue: Mutex::new(Vec::new()),
            known: tokio::sync::Mutex::new(None),
        };
        let mounted = webhooks.into_iter().map(|(name, webhook)| (name, mounted(webhook))).collect();
        let certificates = Certificates::new(Arc::clone(&journal), signers);
        Self { journal, certificates, mounted }
    }

    /// Whose deliveries a webhook takes.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<TriggerSource> {
        self.mounted.get(name).map(|mounted| mounted.webhook.door.source())
    }

    /// Takes one delivery. What is answered with 202 is in the journal.
    pub async fn accept(&self, name: &str, headers: &Headers, body: &[u8], now: Timestamp) -> Answer {
        let Some(mounted) = self.mounted.get(name) else { return Answer::unknown() };
        let delivery = match mounted.webhook.door.open(headers, body, now) {
            Err(error) => return Answer::refused(&error),
            Ok(Letter::Proved(delivery)) => delivery,
            Ok(Letter::Sealed(envelope)) => match self.unsealed(&envelope).await {
                Ok(()) => envelope.delivery(),
                Err(answer) => return answer,
            },
        };
        self.keep(name, mounted, delivery, now).await
    }

    /// Proves what SNS has signed, and confirms a subscription that was asked for.
    async fn unsealed(&self, envelope: &Envelope) -> Result<(), Answer> {
        let certificate = self.certificates.get(&envelope.certificate).await?;
        envelope.prove(&certificate).map_err(|error: Error| Answer::refused(&error))?;
        self.certificates.keep(&envelope.certificate, certificate).await;
        match &envelope.confirm {
            Some(address) => self.certificates.confirm(address).await,
            None => Ok(()),
        }
    }

    /// Waits for its turn, and keeps everything that waits by then in one commit.
    async fn keep(&self, name: &str, mounted: &Mounted, delivery: Delivery, at: Timestamp) -> Answer {
        let (reply, answer) = oneshot::channel();
        {
            let mut queue = mounted.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.len() >= WAITING {
                return Answer::unavailable("too many deliveries wait to be kept");
            }
            queue.push(Waiting { delivery, at, reply });
        }
        let mut known = mounted.known.lock().await;
        let waiting = std::mem::take(&mut *mounted.queue.lock().unwrap_or_else(PoisonError::into_inner));
        if !waiting.is_empty() {
            self.keep_all(name, &mounted.webhook, &mut known, waiting).await;
        }
        drop(known);
        // Whoever was to answer is gone: nobody can say whether it was kept, and it may be sent again.
        answer.await.unwrap_or_else(|_| Answer::unavailable("the delivery was not kept"))
    }

    async fn keep_all(
        &self,
        name: &str,
        webhook: &Webhook,
        known: &mut Option<Known>,
        waiting: Vec<Waiting>,
    ) {
        let kept = self.try_keep(name, webhook, known, &waiting).await;
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
                tracing::error!(webhook = name, %error, "deliveries could not be kept");
                for waiting in waiting {
                    let _ = waiting.reply.send(Answer::unavailable("the journal cannot be reached"));
                }
            }
        }
    }

    /// Appends what is new, and says of each delivery whether it is.
    async fn try_keep(
        &self,
        name: &str,
        webhook: &Webhook,
        known: &mut Option<Known>,
        waiting: &[Waiting],
    ) -> Result<Vec<bool>, JournalError> {
        let stream = StreamName::webhook(name);
        let Some(now) = waiting.iter().map(|waiting| waiting.at).max() else { return Ok(Vec::new()) };
        for _ in 0..TRIES {
            let mut after = match known.take() {
                Some(known) => known,
                None => Known::open(self.journal.as_ref(), &stream, now).await?,
            };
            after.catch_up(self.journal.as_ref(), &stream).await?;
            after.forget(now);
            let before = after.head;
            let mut kept = Vec::with_capacity(waiting.len());
            let mut records = Vec::new();
            for Waiting { delivery, at, .. } in waiting {
                let new = after.take(webhook, delivery, *at);
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
                stream: Some(stream.clone()),
                expected: Some(before),
                at: Some(now),
                records,
                ..Append::default()
            };
            match self.journal.append(vec![append]).await {
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
