//! What is known of changes that were sent: one look serves everybody who waits for the same one. Must
//! never be the only place that knows a change: ids stand in handles.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_route53::Client;
use aws_sdk_route53::types::ChangeStatus;

use super::desk::Account;
use super::follow::Sent;
use crate::model::time::{Duration, Timestamp};
use crate::providers::aws::failure::{Asked, Error};

/// How old an answer may be that is given to somebody else as well.
const FRESH: Duration = Duration::from_secs(4);
/// Changes that are remembered; the oldest are forgotten, which costs a look.
const REMEMBERED: usize = 4_096;

/// The answer to a batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Receipt {
    /// Id of the change, without a prefix.
    pub(super) id: String,
    pub(super) status: ChangeStatus,
}

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Not every server has it.
    Pending,
    /// Every server has it; when this process saw it first.
    InSync(Timestamp),
    /// Route 53 knows no such change.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    reach: Reach,
    at: Timestamp,
}

type Slot = Arc<tokio::sync::Mutex<Option<Seen>>>;

/// Changes by their id.
#[derive(Debug, Default)]
pub(super) struct Changes {
    slots: Mutex<HashMap<String, (Timestamp, Slot)>>,
    /// What was sent in place of changes that were stranded, and stages that followed, by what a handle says.
    later: Mutex<HashMap<String, Sent>>,
}

impl Changes {
    /// Remembers what the answer to a batch said.
    pub(super) fn sent(&self, receipt: &Receipt, now: Timestamp) {
        let seen = Seen { reach: reach(&receipt.status, now), at: now };
        let slot = Arc::new(tokio::sync::Mutex::new(Some(seen)));
        self.slots().insert(receipt.id.clone(), (now, slot));
    }

    /// What was sent last for a handle, where this process knows.
    pub(super) fn latest(&self, key: &str) -> Option<Sent> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Remembers what was sent last for a handle.
    pub(super) fn set_latest(&self, key: String, sent: Sent) {
        self.later.lock().unwrap_or_else(PoisonError::into_inner).insert(key, sent);
    }

    /// Forgets a handle whose attempt is over.
    pub(super) fn forget(&self, key: &str) {
        self.later.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn slot(&self, id: &str, now: Timestamp) -> Slot {
        let mut slots = self.slots();
        if slots.len() >= REMEMBERED {
            let oldest = slots.iter().min_by_key(|(_, (at, _))| *at).map(|(id, _)| id.clone());
            oldest.and_then(|id| slots.remove(&id));
        }
        Arc::clone(&slots.entry(id.to_owned()).or_insert_with(|| (now, Slot::default())).1)
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Timestamp, Slot)>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// How far a change has come. Whoever asks while another looks, or shortly after, gets its answer.
    pub(super) async fn reach(&self, client: &Client, asked: &Asked, id: &str) -> Result<Reach, Error> {
        let slot = self.changes.slot(id, self.budget.now());
        let mut seen = slot.lock().await;
        match *seen {
            Some(Seen { reach: reach @ Reach::InSync(_), .. }) => return Ok(reach),
            Some(Seen { reach, at }) if is_fresh(at, self.budget.now()) => return Ok(reach),
            Some(_) | None => {}
        }
        let sent = self.ask(asked, || async { Ok(client.get_change().id(id).send().await?) }).await;
        let now = self.budget.now();
        let reach = match sent {
            Ok(found) => found.change_info.map_or(Reach::Unknown, |info| reach(info.status(), now)),
            Err(error) if error.code() == Some("NoSuchChange") => Reach::Unknown,
            Err(error) => return Err(error),
        };
        *seen = Some(Seen { reach, at: now });
        Ok(reach)
    }
}

fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    at <= now && now.since(at) < FRESH
}

fn reach(status: &ChangeStatus, now: Timestamp) -> Reach {
    if *status == ChangeStatus::Insync { Reach::InSync(now) } else { Reach::Pending }
}

/// An id without the prefix it is answered with.
pub(super) fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}
