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

/// A clock that stands still until it is told to jump, or until all who are driven by it wait for a time.
///
/// While drivers are at it, everybody who may still do something at this time holds a token: a driver that
/// decides, a task that works, a report on its way. Who sleeps gives a token back and gets it again on
/// waking. With no token out, time jumps to the earliest sleeper.
#[derive(Debug, Default)]
pub struct VirtualClock {
    inner: Mutex<Sleepers>,
}

#[derive(Debug, Default)]
struct Sleepers {
    now: i64,
    number: u64,
    waiting: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
    drivers: usize,
    /// Tokens that are out. Below zero while somebody sleeps who never took one, as in tests without drivers.
    tokens: i64,
}

impl Sleepers {
    /// Jumps to the earliest sleeper when nothing else can happen.
    fn settle(&mut self) {
        if self.drivers == 0 || self.tokens > 0 {
            return;
        }
        if let Some((at, _)) = self.waiting.keys().next().copied() {
            self.jump(at);
        }
    }

    /// Jumps to a time and wakes those who waited for it. Each has its token again before it knows.
    fn jump(&mut self, at: Timestamp) {
        self.now = self.now.max(at.as_millis());
        let first_later = (Timestamp::from_millis(self.now + 1), 0);
        let later = self.waiting.split_off(&first_later);
        for sleeper in std::mem::replace(&mut self.waiting, later).into_values() {
            self.tokens += 1;
            // A sleeper that has given up needs no waking.
            let _ = sleeper.send(());
        }
    }
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
        self.lock().waiting.len()
    }

    /// The earliest time somebody waits for.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.lock().waiting.keys().next().map(|(at, _)| *at)
    }

    /// Jumps forward to a time and wakes those who waited for it.
    pub fn advance_to(&self, at: Timestamp) {
        self.lock().jump(at);
    }

    fn take(&self) {
        self.lock().tokens += 1;
    }

    fn give_back(&self) {
        let mut inner = self.lock();
        inner.tokens -= 1;
        inner.settle();
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.lock().now)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (key, waiting) = {
                let mut inner = self.lock();
                if at.as_millis() <= inner.now {
                    return;
                }
                let (sender, receiver) = oneshot::channel();
                inner.number += 1;
                let key = (at, inner.number);
                inner.waiting.insert(key, sender);
                inner.tokens -= 1;
                inner.settle();
                (key, receiver)
            };
            let _awake = Awake { clock: self, key };
            // The clock lives longer than its sleepers; a dropped sender would mean that it is gone.
            let _ = waiting.await;
        })
    }
}

/// Takes back the token of a sleeper that does not wait any more.
struct Awake<'a> {
    clock: &'a VirtualClock,
    key: (Timestamp, u64),
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        let mut inner = self.clock.lock();
        if inner.waiting.remove(&self.key).is_some() {
            inner.tokens += 1;
        }
    }
}

/// Keeps virtual time from passing until it is dropped. Nothing keeps the system's.
#[derive(Debug)]
pub(super) struct Token(Option<Arc<VirtualClock>>);

impl Drop for Token {
    fn drop(&mut self) {
        if let Some(clock) = &self.0 {
            clock.give_back();
        }
    }
}

/// Lets virtual time pass, as far as its maker is concerned, until it is dropped.
#[derive(Debug)]
pub(super) struct Rest<'a>(Option<&'a VirtualClock>);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        if let Some(clock) = self.0 {
            clock.take();
        }
    }
}

/// Says to a virtual clock that a driver is at work: only then it jumps by itself.
#[derive(Debug)]
pub(super) struct Presence {
    clock: Option<Arc<VirtualClock>>,
    _token: Option<Token>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(clock) = &self.clock {
            clock.lock().drivers -= 1;
        }
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

    /// Keeps time from passing, where it is virtual.
    pub(super) fn token(&self) -> Token {
        Token(match self {
            Self::System(_) => None,
            Self::Virtual(clock) => {
                clock.take();
                Some(Arc::clone(clock))
            }
        })
    }

    /// Lets time pass while its caller, who holds a token, waits for something else than a time.
    pub(super) fn rest(&self) -> Rest<'_> {
        Rest(match self {
            Self::System(_) => None,
            Self::Virtual(clock) => {
                clock.give_back();
                Some(clock)
            }
        })
    }

    /// Announces a driver. `own`: it has a token of its own; that of a child run is its parent's task.
    pub(super) fn presence(&self, own: bool) -> Presence {
        let clock = match self {
            Self::System(_) => None,
            Self::Virtual(clock) => {
                clock.lock().drivers += 1;
                Some(Arc::clone(clock))
            }
        };
        Presence { clock, _token: own.then(|| self.token()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn time_jumps_when_nobody_can_do_anything_else_and_never_before() {
        let clock = VirtualClock::starting_at(at(0));
        let time = Time::Virtual(Arc::clone(&clock));
        let (driver, flight) = (time.presence(true), time.token());
        {
            let _driver_rests = time.rest();
            assert_eq!((clock.now(), clock.sleepers()), (at(0), 0));
            // The flight sleeps: nobody else is at it, so that its time comes at once.
            clock.sleep_until(at(10)).await;
            assert_eq!(clock.now(), at(10));
        }
        // The driver works, so that the sleep of its flight does not end.
        let sleep = clock.sleep_until(at(20));
        tokio::pin!(sleep);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(5), &mut sleep).await.is_err());
        let report = time.token();
        let rest = time.rest();
        assert_eq!(clock.now(), at(10), "a report is on its way");
        drop(report);
        assert_eq!(clock.now(), at(20));
        sleep.await;
        drop((rest, flight, driver));
        assert_eq!(clock.lock().tokens, 0);
    }

    #[tokio::test]
    async fn a_sleep_that_is_given_up_takes_its_token_back() {
        let clock = VirtualClock::starting_at(at(0));
        let time = Time::Virtual(Arc::clone(&clock));
        let _driver = time.presence(true);
        let flight = time.token();
        {
            let sleep = clock.sleep_until(at(10));
            tokio::pin!(sleep);
            assert!(tokio::time::timeout(std::time::Duration::from_millis(5), &mut sleep).await.is_err());
            assert_eq!((clock.sleepers(), clock.lock().tokens), (1, 1));
        }
        assert_eq!((clock.sleepers(), clock.lock().tokens), (0, 2));
        drop(flight);
        assert_eq!(clock.now(), at(0));
    }
}
