//! What a webhook has delivered of late: enough to tell a repetition, and news that comes too late. Built
//! from the journal, so that a restart forgets nothing.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::Webhook;
use super::since::sequence_before;
use crate::engine::trigger::Reported;
use crate::model::time::{Duration, Timestamp};
use crate::model::trigger::{Event, TriggerSource};
use crate::ports::{Journal, JournalError, StreamName};
use crate::webhook::Delivery;

/// For how long ids are known: PagerDuty sends again for up to 48 hours.
const KEPT: Duration = Duration::from_secs(49 * 3600);
/// Most records that are read at once.
const PAGE: usize = 1_000;

/// A delivery, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivered {
    /// What tells it from others.
    pub delivery: String,
    /// Who sent it.
    pub source: TriggerSource,
    /// What it reports.
    pub events: Vec<Reported>,
    /// How many events were repetitions.
    #[serde(default, skip_serializing_if = "is_none")]
    pub repeated: usize,
    /// How many events are not kept, because there were too many.
    #[serde(default, skip_serializing_if = "is_none")]
    pub left_out: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What has arrived of late.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Last sequence of the stream.
    pub(super) head: u64,
    ids: HashMap<String, Timestamp>,
    order: VecDeque<(Timestamp, String)>,
    /// When the newest thing that was delivered of an incident happened.
    newest: HashMap<String, Timestamp>,
}

impl Known {
    /// Knows nothing that is older than it needs to be.
    pub(super) async fn open(
        journal: &dyn Journal,
        stream: &StreamName,
        now: Timestamp,
    ) -> Result<Self, JournalError> {
        let head = sequence_before(journal, stream, now.minus(KEPT)).await?;
        Ok(Self { head, ..Self::default() })
    }

    /// Reads what was appended since.
    pub(super) async fn catch_up(
        &mut self,
        journal: &dyn Journal,
        stream: &StreamName,
    ) -> Result<(), JournalError> {
        loop {
            let records = journal.read(stream, self.head, PAGE).await?;
            for record in &records {
                self.head = record.sequence;
                // A pruned one holds nothing that could be repeated.
                if record.body.is_empty() {
                    continue;
                }
                let delivered: Delivered = serde_json::from_str(&record.body).map_err(|error| {
                    JournalError::Damaged(format!("{stream} record {}: {error}", record.sequence))
                })?;
                self.learn(&delivered, record.recorded_at);
            }
            if records.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// What is new in a delivery. Nothing: all of it was kept before.
    pub(super) fn take(
        &mut self,
        webhook: &Webhook,
        delivery: &Delivery,
        at: Timestamp,
    ) -> Option<Delivered> {
        if self.ids.contains_key(&of_delivery(&delivery.id)) {
            return None;
        }
        let mut events = Vec::new();
        let mut repeated = 0;
        for event in &delivery.events {
            if self.ids.contains_key(&of_event(&event.id)) {
                repeated += 1;
                continue;
            }
            let (stale, old) = (self.is_stale(event), is_old(event, at, webhook.max_age));
            self.heard(event, at);
            events.push(Reported { event: event.clone(), stale, old });
        }
        if events.is_empty() && repeated > 0 {
            return None;
        }
        self.know(of_delivery(&delivery.id), at);
        let source = webhook.door.source();
        let (delivery, left_out) = (delivery.id.clone(), delivery.left_out);
        Some(Delivered { delivery, source, events, repeated, left_out })
    }

    /// Forgets what nobody sends any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let before = now.minus(KEPT);
        while let Some((_, id)) = self.order.pop_front_if(|(at, _)| *at < before) {
            if self.ids.get(&id).is_some_and(|at| *at < before) {
                self.ids.remove(&id);
            }
        }
        self.newest.retain(|_, at| *at >= before);
    }

    fn learn(&mut self, delivered: &Delivered, at: Timestamp) {
        self.know(of_delivery(&delivered.delivery), at);
        for reported in &delivered.events {
            self.heard(&reported.event, at);
        }
    }

    fn heard(&mut self, event: &Event, at: Timestamp) {
        self.know(of_event(&event.id), at);
        if let (Some(incident), Some(occurred)) = (&event.incident, event.occurred_at) {
            // A sender whose clock is ahead must not make everything stale that comes later.
            let occurred = occurred.min(at);
            let newest = self.newest.entry(incident.id.clone()).or_insert(occurred);
            *newest = occurred.max(*newest);
        }
    }

    fn know(&mut self, id: String, at: Timestamp) {
        self.ids.insert(id.clone(), at);
        self.order.push_back((at, id));
    }

    fn is_stale(&self, event: &Event) -> bool {
        let newest = event.incident.as_ref().and_then(|incident| self.newest.get(&incident.id));
        newest.zip(event.occurred_at).is_some_and(|(newest, occurred)| occurred < *newest)
    }
}

fn is_old(event: &Event, at: Timestamp, max_age: Duration) -> bool {
    event.occurred_at.is_some_and(|occurred| at.since(occurred) > max_age)
}

fn of_delivery(id: &str) -> String {
    format!("d {id}")
}

fn of_event(id: &str) -> String {
    format!("e {id}")
}
