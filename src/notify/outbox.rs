//! Sends what the journal says to every target, each on its own: one that is dead delays no other, and none
//! delays a run. Holds no state that the journal does not have.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::target::Target;
use super::worker::Worker;
use crate::ports::{CancelSignal, Clock, Journal};

/// Hears how an outbox is doing.
pub trait Observer: Send + Sync {
    /// So many notices wait to be sent to a target; there may be more behind them.
    fn waiting(&self, target: &str, notices: usize);
    /// A try has failed.
    fn failed(&self, target: &str);
}

/// Hears nothing.
#[derive(Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn waiting(&self, _: &str, _: usize) {}
    fn failed(&self, _: &str) {}
}

/// Sends notices from a journal.
pub struct Outbox {
    /// The journal; also keeps how far each target was told.
    pub journal: Arc<dyn Journal>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// Name of this process among those that send from the journal: unique, also after a restart.
    pub holder: String,
    /// Where the targets that were never seen begin; absent: at the end of the journal, as it is then.
    pub begin: Option<u64>,
    /// Who hears how it is doing.
    pub observer: Arc<dyn Observer>,
    /// Where notices go.
    pub targets: Vec<Target>,
}

impl Outbox {
    /// Sends until it is told to end: then what can be sent without waiting is sent, and the rest is left to
    /// whoever comes next. Never fails: what is in the way is logged, and tried again.
    pub async fn run(self, ended: CancelSignal) {
        let mut workers = JoinSet::new();
        for target in self.targets {
            let worker = Worker::new(
                (Arc::clone(&self.journal), Arc::clone(&self.clock)),
                (self.holder.clone(), self.begin),
                Arc::clone(&self.observer),
                target,
                ended.clone(),
            );
            workers.spawn(worker.run());
        }
        while workers.join_next().await.is_some() {}
    }
}
