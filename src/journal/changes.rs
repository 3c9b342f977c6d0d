//! Wakes those who wait for the journal to change. Never looks at the store itself.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// A counter of changes that can be waited for.
#[derive(Debug)]
pub(super) struct Changes {
    count: watch::Sender<u64>,
}

impl Changes {
    pub(super) fn new() -> Self {
        Self { count: watch::Sender::new(0) }
    }

    /// Tells everybody that something has changed.
    pub(super) fn bump(&self) {
        self.count.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Starts to watch.
    pub(super) fn watcher(&self) -> Watcher {
        Watcher { count: self.count.subscribe(), seen: AtomicU64::new(*self.count.borrow()) }
    }
}

/// Remembers what one journal value has told its callers already.
#[derive(Debug)]
pub(super) struct Watcher {
    count: watch::Receiver<u64>,
    seen: AtomicU64,
}

impl Watcher {
    /// Returns at the next change, or at once when there was one since the last call returned.
    pub(super) async fn next(&self) {
        let mut count = self.count.clone();
        let seen = self.seen.load(Ordering::Acquire);
        if let Ok(now) = count.wait_for(|now| *now != seen).await {
            self.seen.store(*now, Ordering::Release);
        } else {
            std::future::pending::<()>().await;
        }
    }
}
