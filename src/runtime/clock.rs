//! Clocks: the system's, a faster one, and a virtual one that jumps from event to event.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::model::time::{Duration, Timestamp};
use crate::ports::{BoxFuture, Clock};

/// Longest sleep without a look at the clock, so that a jump or a suspended machine is noticed.
const LONGEST_SLEEP_MS: u64 = 1_000;

/// The system's clock, or the same clock running faster from a start.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    /// The system's time when this clock began.
    began: Timestamp,
    /// This clock's time then.
    start: Timestamp,
    factor: u32,
}

impl SystemClock {
    /// The system's clock.
    #[must_use]
    pub fn real() -> Self {
        let now = wall_clock();
        Self { began: now, start: now, factor: 1 }
    }

    /// A clock that begins at a time now and runs `factor` times as fast.
    #[must_use]
    pub fn faster_from(start: Timestamp, factor: u32) -> Self {
        Self { began: wall_clock(), start, factor: factor.max(1) }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn wall_clock() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let real = wall_clock();
        let elapsed = real.since(self.began).as_millis();
        self.start.plus(Duration::from_millis(elapsed.saturating_mul(u64::from(self.factor))))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let left = at.since(self.now()).as_millis();
                if left == 0 {
                    return;
                }
                let real = left.div_ceil(u64::from(self.factor)).min(LONGEST_SLEEP_MS);
                tokio::time::sleep(std::time::Duration::from_millis(real)).await;
            }
        })
    }
}

/// A clock that stands still until it is told to jump.
#[derive(Debug, Default)]
pub struct VirtualClock {
    inner: Mutex<Sleepers>,
}

#[derive(Debug, Default)]
struct Sleepers {
    now: i64,
    number: u64,
    waiting: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
}

impl VirtualClock {
    /// A clock that stands at a time.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Arc<Self> {
        let inner = Sleepers { now: now.as_millis(), ..Sleepers::default() };
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Sleepers> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait for a time to come.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        let mut inner = self.lock();
        inner.waiting.retain(|_, sleeper| !sleeper.is_closed());
        inner.waiting.len()
    }

    /// The earliest time somebody waits for.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.lock().waiting.keys().next().map(|(at, _)| *at)
    }

    /// Jumps forward to a time and wakes those who waited for it.
    pub fn advance_to(&self, at: Timestamp) {
        let mut inner = self.lock();
        inner.now = inner.now.max(at.as_millis());
        let now = Timestamp::from_millis(inner.now);
        let first_later = (Timestamp::from_millis(inner.now + 1), 0);
        let later = inner.waiting.split_off(&first_later);
        let due = std::mem::replace(&mut inner.waiting, later);
        drop(inner);
        debug_assert!(due.keys().all(|(at, _)| *at <= now), "only those due are woken");
        for sleeper in due.into_values() {
            // A sleeper that has given up needs no waking.
            let _ = sleeper.send(());
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.lock().now)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let waiting = {
                let mut inner = self.lock();
                if at.as_millis() <= inner.now {
                    return;
                }
                let (sender, receiver) = oneshot::channel();
                inner.number += 1;
                let number = inner.number;
                inner.waiting.insert((at, number), sender);
                receiver
            };
            // The clock lives longer than its sleepers; a dropped sender would mean that it is gone.
            let _ = waiting.await;
        })
    }
}

/// The clock a run is driven by.
#[derive(Debug, Clone)]
pub enum Time {
    /// Passes by itself.
    System(SystemClock),
    /// Jumps when nothing else can happen.
    Virtual(Arc<VirtualClock>),
}

impl Time {
    /// The clock as a port.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::System(clock) => Arc::new(*clock),
            Self::Virtual(clock) => Arc::clone(clock) as Arc<dyn Clock>,
        }
    }
}
