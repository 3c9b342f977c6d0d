//! How much one address may ask for, and how much is begun side by side. Never keeps a webhook or a person
//! out for long: the burst is ten times the rate, and whoever waits for something lets the next one go first.

use std::future::Future;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::pin::pin;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;

use crate::config::ServerSection;

/// Addresses that are remembered before old ones are forgotten.
const REMEMBERED: usize = 10_000;

/// Starts that are made ready at once: enough for their records to be written together.
const SIDE_BY_SIDE: usize = 8;
/// How long a start keeps others waiting; one that takes longer waits for something, such as a drill that
/// ends.
const TURN: Duration = Duration::from_secs(1);

/// Whose turn it is to begin something. Of many who come at once the first have their answer first: side by
/// side all would have it when the last has.
pub(super) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(SIDE_BY_SIDE))
    }
}

impl Turns {
    /// Does the work when those who came before have had their turn.
    pub(super) async fn take<T>(&self, work: impl Future<Output = T>) -> T {
        // Nobody closes it; without a turn the work is done all the same.
        let turn = self.0.acquire().await.ok();
        let mut work = pin!(work);
        if let Ok(done) = tokio::time::timeout(TURN, work.as_mut()).await {
            return done;
        }
        drop(turn);
        work.await
    }
}

/// Counts requests by address.
pub(super) struct Limits {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limits {
    pub(super) fn new(section: &ServerSection) -> Self {
        let rate = NonZeroU32::new(section.requests_per_second).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(9));
        Self { by_address: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)) }
    }

    /// Says whether an address may ask now.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        if self.by_address.len() > REMEMBERED {
            self.by_address.retain_recent();
        }
        self.by_address.check_key(&address).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_waits_for_something_keeps_nobody_waiting() {
        let (turns, begun) = (Arc::new(Turns::default()), Arc::new(AtomicUsize::new(0)));
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..SIDE_BY_SIDE {
            let (turns, begun) = (Arc::clone(&turns), Arc::clone(&begun));
            waiting.spawn(async move {
                turns
                    .take(async {
                        begun.fetch_add(1, Ordering::SeqCst);
                        std::future::pending::<()>().await;
                    })
                    .await;
            });
        }
        while begun.load(Ordering::SeqCst) < SIDE_BY_SIDE {
            tokio::task::yield_now().await;
        }
        let others = turns.take(std::future::ready(7));
        assert_eq!(tokio::time::timeout(TURN * 10, others).await, Ok(7));
    }
}
