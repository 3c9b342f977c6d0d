//! The task that looks at all services, whenever something may have arrived or is due. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::act::Act;
use super::look::Kept;
use crate::engine::trigger::{TriggerEvent, Watch};
use crate::model::id::ServiceName;
use crate::model::time::{Duration, Timestamp};
use crate::model::trigger::{Trigger, TriggerSource};
use crate::ports::{Clock, Incidents, Journal, Notes, StreamName};

/// Longest time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Longest time between two questions whether something has arrived: a change that woke somebody else on the
/// same journal may not wake this task.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Least time between two questions whether something has arrived.
const BREATH: std::time::Duration = std::time::Duration::from_millis(20);
/// Most records that are read at once.
const PAGE: usize = 1_000;
/// Most services that are looked at together: one that asks its sender keeps no other waiting.
const TOGETHER: usize = 32;

/// A webhook, as far as triggers use it.
#[derive(Clone)]
pub struct HookUse {
    /// Whose deliveries they are.
    pub source: TriggerSource,
    /// Asks about its incidents.
    pub incidents: Option<Arc<dyn Incidents>>,
    /// Writes into its incidents.
    pub notes: Option<Arc<dyn Notes>>,
}

/// Looks at what webhooks have delivered.
pub struct Processor {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) act: Arc<dyn Act>,
    pub(super) hooks: BTreeMap<String, HookUse>,
    /// Where each service stands, as far as it was read.
    kept: Mutex<BTreeMap<ServiceName, Arc<tokio::sync::Mutex<Kept>>>>,
}

/// What came of one look at all services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// What was recorded, by service.
    pub recorded: BTreeMap<ServiceName, Vec<TriggerEvent>>,
    /// Services that could not be looked at to the end, and why.
    pub failed: BTreeMap<ServiceName, String>,
    /// When something is due even if nothing arrives.
    pub next: Option<Timestamp>,
}

impl Processor {
    /// Makes a processor of webhooks by their names.
    #[must_use]
    pub fn new(
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        act: Arc<dyn Act>,
        hooks: BTreeMap<String, HookUse>,
    ) -> Self {
        Self { journal, clock, act, hooks, kept: Mutex::new(BTreeMap::new()) }
    }

    /// Looks at every service once, and does what is due.
    pub async fn look(self: &Arc<Self>, watches: &[Watch]) -> Looked {
        let mut looked = Looked::default();
        let mut looks = JoinSet::new();
        let together = Arc::new(Semaphore::new(TOGETHER));
        for watch in watches {
            let (this, watch, together) = (Arc::clone(self), watch.clone(), Arc::clone(&together));
            looks.spawn(async move {
                // It is never closed.
                let _turn = together.acquire().await;
                let mut recorded = Vec::new();
                let next = this.look_at(&watch, &mut recorded).await;
                (watch.service, recorded, next)
            });
        }
        while let Some(joined) = looks.join_next().await {
            let Ok((service, recorded, next)) = joined else { continue };
            match next {
                Ok(next) => looked.next = [looked.next, next].into_iter().flatten().min(),
                Err(error) => {
                    tracing::error!(%service, %error, "triggers could not be looked at");
                    looked.failed.insert(service.clone(), error.to_string());
                }
            }
            if !recorded.is_empty() {
                looked.recorded.insert(service, recorded);
            }
        }
        looked
    }

    /// Looks whenever something may have arrived or is due, until `stop` is done. What is under way then is
    /// brought to its end.
    pub async fn run(
        self: Arc<Self>,
        mut watches: watch::Receiver<Arc<Vec<Watch>>>,
        stop: impl Future<Output = ()> + Send,
    ) {
        tokio::pin!(stop);
        let mut heads = BTreeMap::new();
        loop {
            let now = Arc::clone(&watches.borrow_and_update());
            // Asked for before the look: what arrives during it is looked at again.
            self.arrived(&mut heads).await;
            let looked = self.look(&now).await;
            let longest = self.clock.now().plus(LOOK_EVERY);
            let next = looked.next.unwrap_or(longest).min(longest);
            loop {
                tokio::select! {
                    () = &mut stop => return,
                    () = self.clock.sleep_until(next) => break,
                    Ok(()) = watches.changed() => break,
                    () = self.journal.changed(ASK_EVERY) => {
                        if self.arrived(&mut heads).await {
                            break;
                        }
                        // Runs under way change the journal all the time.
                        tokio::time::sleep(BREATH).await;
                    }
                }
            }
        }
    }

    /// Whether any webhook has delivered something since this was asked last. One that cannot be read counts
    /// as one that has: the look says what is wrong with it.
    async fn arrived(&self, heads: &mut BTreeMap<String, u64>) -> bool {
        let mut arrived = false;
        for name in self.hooks.keys() {
            let stream = StreamName::webhook(name);
            let head = heads.entry(name.clone()).or_default();
            loop {
                let Ok(records) = self.journal.read(&stream, *head, PAGE).await else { return true };
                let Some(last) = records.last() else { break };
                (*head, arrived) = (last.sequence, true);
            }
        }
        arrived
    }

    pub(super) fn kept(&self, service: &ServiceName) -> Arc<tokio::sync::Mutex<Kept>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.entry(service.clone()).or_default())
    }

    /// The webhooks that a service listens to.
    pub(super) fn heard_by(&self, watch: &Watch) -> BTreeSet<&str> {
        let listens = |name: &str, hook: &HookUse| {
            let all = watch.triggers.iter();
            all.flat_map(Trigger::listening).any(|one| one.hears(hook.source, name))
        };
        let hooks = self.hooks.iter().filter(|(name, hook)| listens(name, hook));
        hooks.map(|(name, _)| name.as_str()).collect()
    }
}

impl std::fmt::Debug for Processor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processor").field("hooks", &self.hooks.keys()).finish_non_exhaustive()
    }
}
