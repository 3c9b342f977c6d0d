//! What all attempts of this process share, by account: the budget of requests, the queues of each zone,
//! what is known of changes. Must never keep anything without which an attempt could not go on in another
//! process.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use super::budget::Budget;
use super::changes::Changes;
use super::looks::Look;
use super::orders::Order;
use super::protection::Protections;
use super::queue::Queue;
use crate::model::run::{Failure, FailureClass};
use crate::model::time::Duration;
use crate::ports::Clock;
use crate::providers::aws::failure::{Asked, Error};

/// Requests in a second of one account, unless configured otherwise. Route 53 refills ten a second, which all
/// tools of the account share, and older quotas were five.
pub(in crate::providers::aws) const RATE: u32 = 5;
/// How long an attempt puts up with throttling before it says so.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The accounts of this process.
pub(in crate::providers::aws) struct Desk {
    clock: Arc<dyn Clock>,
    rate: u32,
    accounts: Mutex<HashMap<Option<String>, Arc<Account>>>,
}

impl Desk {
    pub(in crate::providers::aws) fn new(clock: Arc<dyn Clock>, rate: Option<u32>) -> Self {
        Self { clock, rate: rate.unwrap_or(RATE), accounts: Mutex::default() }
    }

    /// What the attempts in an account share.
    pub(super) fn account(&self, account: Option<&String>) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let found = accounts.entry(account.cloned()).or_insert_with(|| {
            Arc::new(Account {
                budget: Budget::new(Arc::clone(&self.clock), self.rate),
                zones: Mutex::default(),
                changes: Changes::default(),
            })
        });
        Arc::clone(found)
    }
}

/// One account.
pub(super) struct Account {
    pub(super) budget: Budget,
    zones: Mutex<HashMap<String, Arc<Zone>>>,
    pub(super) changes: Changes,
}

/// One zone.
pub(super) struct Zone {
    /// Its id, without a prefix.
    pub(super) id: String,
    pub(super) orders: Queue<Order>,
    pub(super) looks: Queue<Look>,
    pub(super) protections: Protections,
}

impl Account {
    /// What the attempts at a zone share.
    pub(super) fn zone(&self, id: &str) -> Arc<Zone> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        let zone = zones.entry(id.to_owned()).or_insert_with(|| {
            Arc::new(Zone {
                id: id.to_owned(),
                orders: Queue::default(),
                looks: Queue::default(),
                protections: Protections::default(),
            })
        });
        Arc::clone(zone)
    }

    /// Asks within the budget. What was throttled has not been done, and is asked again while there is
    /// patience: that is waiting for a turn, not a retry.
    pub(super) async fn ask<T, F>(&self, asked: &Asked, mut ask: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let until = self.budget.now().plus(PATIENCE);
        loop {
            self.budget.turn().await;
            let result = ask().await;
            let Some(throttled) = throttled(asked, &result) else {
                self.budget.answered();
                return result;
            };
            self.budget.throttled(throttled.retry_after);
            if self.budget.now() >= until {
                return result;
            }
        }
    }
}

/// There were too many requests.
pub(super) struct Throttled {
    /// How long the service asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// Whether an answer says that there were too many requests.
pub(super) fn throttled<T>(asked: &Asked, result: &Result<T, Error>) -> Option<Throttled> {
    let error = result.as_ref().err()?;
    let failure = asked.failure(error.clone());
    let Failure { class, retry_after, .. } = failure;
    (class == FailureClass::Throttled).then_some(Throttled { retry_after })
}
