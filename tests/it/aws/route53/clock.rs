//! A clock that stands still while anything happens, and jumps to the next sleeper when nothing does any
//! more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drctl::model::time::Timestamp;
use drctl::ports::{BoxFuture, Clock};
use tokio::sync::oneshot;

/// How long nothing must happen, in looks of a few milliseconds.
const QUIET: u32 = 6;

/// The clock.
pub(crate) struct QuietClock {
    state: Mutex<State>,
    /// Rises whenever anybody looks at the clock or sleeps.
    activity: AtomicU64,
}

struct State {
    now: Timestamp,
    sleepers: Vec<(Timestamp, oneshot::Sender<()>)>,
}

impl QuietClock {
    /// Starts a clock; it runs until nobody holds it.
    pub(crate) fn start() -> Arc<Self> {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let clock = Arc::new(Self {
            state: Mutex::new(State { now, sleepers: Vec::new() }),
            activity: AtomicU64::new(0),
        });
        let watched = Arc::downgrade(&clock);
        std::thread::spawn(move || {
            let (mut quiet, mut last) = (0, 0);
            while let Some(clock) = watched.upgrade() {
                let activity = clock.activity.load(Ordering::Relaxed);
                quiet = if activity == last { quiet + 1 } else { 0 };
                last = activity;
                if quiet >= QUIET {
                    quiet = 0;
                    clock.jump();
                }
                drop(clock);
                std::thread::sleep(Duration::from_millis(4));
            }
        });
        clock
    }

    /// The time now, without keeping the clock from jumping.
    pub(crate) fn state_now(&self) -> Timestamp {
        self.state.lock().unwrap().now
    }

    /// Moves on by hand.
    pub(crate) fn advance(&self, seconds: u64) {
        let mut state = self.state.lock().unwrap();
        state.now = state.now.plus(drctl::model::time::Duration::from_secs(seconds));
    }

    fn jump(&self) {
        let mut state = self.state.lock().unwrap();
        state.sleepers.retain(|(_, sleeper)| !sleeper.is_closed());
        let Some(next) = state.sleepers.iter().map(|(at, _)| *at).min() else { return };
        state.now = next.max(state.now);
        let now = state.now;
        let (over, left) = std::mem::take(&mut state.sleepers).into_iter().partition(|(at, _)| *at <= now);
        state.sleepers = left;
        for (_, sleeper) in over {
            let _ = sleeper.send(());
        }
    }
}

impl Clock for QuietClock {
    fn now(&self) -> Timestamp {
        self.activity.fetch_add(1, Ordering::Relaxed);
        self.state.lock().unwrap().now
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.activity.fetch_add(1, Ordering::Relaxed);
            let over = {
                let mut state = self.state.lock().unwrap();
                if at <= state.now {
                    return;
                }
                let (sleeper, over) = oneshot::channel();
                state.sleepers.push((at, sleeper));
                over
            };
            let _ = over.await;
        })
    }
}
