//! How many requests an account is sent in a second, by everybody in this process. Must never sleep by
//! another clock than the one it is given.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::time::{Duration, Timestamp};
use crate::ports::Clock;

/// The span the rate is counted over.
const WINDOW: Duration = Duration::from_secs(1);
/// First pause after the account was told to slow down; it doubles with every further time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause of that kind.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Lets requests pass at a rate: at most so many within any second, in the order in which they come.
pub(super) struct Budget {
    clock: Arc<dyn Clock>,
    rate: usize,
    /// When the last requests were let pass. Locked while one waits: the lock is the queue.
    passed: tokio::sync::Mutex<VecDeque<Timestamp>>,
    pause: Mutex<Pause>,
}

#[derive(Debug)]
struct Pause {
    until: Timestamp,
    times: u32,
}

impl Budget {
    /// A budget of so many requests in a second, at least one.
    pub(super) fn new(clock: Arc<dyn Clock>, rate: u32) -> Self {
        let rate = usize::try_from(rate).unwrap_or(1).max(1);
        let pause = Mutex::new(Pause { until: clock.now(), times: 0 });
        Self { clock, rate, passed: tokio::sync::Mutex::default(), pause }
    }

    /// The time now.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits for some time.
    pub(super) async fn sleep(&self, pause: Duration) {
        self.clock.sleep_until(self.now().plus(pause)).await;
    }

    /// Waits until one request may be sent.
    pub(super) async fn turn(&self) {
        let mut passed = self.passed.lock().await;
        loop {
            let now = self.now();
            // A clock that was set back would otherwise hold everybody up for as long.
            passed.retain(|at| *at <= now);
            while passed.len() > self.rate {
                passed.pop_front();
            }
            let full = passed.len() == self.rate;
            let room = passed.front().filter(|_| full).map_or(now, |first| first.plus(WINDOW));
            let from = room.max(self.paused_until(now));
            if from <= now {
                passed.push_back(now);
                return;
            }
            self.clock.sleep_until(from).await;
        }
    }

    /// The account asks to be left alone: nobody sends anything for a while.
    pub(super) fn throttled(&self, retry_after: Option<Duration>) {
        let now = self.now();
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        if pause.until > now {
            return; // Answers to what was under way at the same time say nothing new.
        }
        let doubled = FIRST_PAUSE.as_millis() << pause.times.min(10);
        let length = Duration::from_millis(doubled).min(LONGEST_PAUSE);
        pause.times += 1;
        pause.until = now.plus(length.max(retry_after.unwrap_or(Duration::ZERO).min(LONGEST_PAUSE)));
    }

    /// The account takes requests again.
    pub(super) fn answered(&self) {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner).times = 0;
    }

    fn paused_until(&self, now: Timestamp) -> Timestamp {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        // No pause is that long: the clock was set back.
        if pause.until.since(now) > LONGEST_PAUSE {
            pause.until = now;
        }
        pause.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::BoxFuture;

    /// A clock on which every sleep is over at once.
    struct Jumping(Mutex<Timestamp>);

    impl Clock for Jumping {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }

        fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
            Box::pin(async move {
                let mut now = self.0.lock().unwrap();
                *now = at.max(*now);
            })
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + millis)
    }

    fn budget(rate: u32) -> (Budget, Arc<Jumping>) {
        let clock = Arc::new(Jumping(Mutex::new(at(0))));
        (Budget::new(Arc::<Jumping>::clone(&clock), rate), clock)
    }

    #[tokio::test]
    async fn never_more_than_the_rate_within_any_second() {
        let (budget, clock) = budget(5);
        let mut sent = Vec::new();
        for _ in 0..23 {
            budget.turn().await;
            sent.push(clock.now());
            let later = clock.now().plus(Duration::from_millis(70));
            clock.sleep_until(later).await;
        }
        for sixth in sent.windows(6) {
            assert!(sixth[5].since(sixth[0]) >= WINDOW, "{sent:?}");
        }
        assert!(sent[22].since(sent[0]) < Duration::from_secs(5), "slower than it need be: {sent:?}");
    }

    #[tokio::test]
    async fn a_throttled_account_is_left_alone_longer_each_time() {
        let (budget, clock) = budget(5);
        for pause in [500, 1_000, 2_000, 4_000, 8_000, 8_000] {
            let before = clock.now();
            budget.throttled(None);
            budget.throttled(None);
            budget.turn().await;
            assert_eq!(clock.now().since(before), Duration::from_millis(pause));
        }
        budget.answered();
        let before = clock.now();
        budget.throttled(Some(Duration::from_secs(3)));
        budget.turn().await;
        assert_eq!(clock.now().since(before), Duration::from_secs(3));
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_holds_nobody_up() {
        let (budget, clock) = budget(1);
        budget.turn().await;
        budget.throttled(None);
        *clock.0.lock().unwrap() = at(-3_600_000);
        budget.turn().await;
        assert!(clock.now() <= at(-3_600_000).plus(LONGEST_PAUSE));
    }
}
