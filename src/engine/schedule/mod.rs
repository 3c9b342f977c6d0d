//! The state machine of one schedule: what is due is fired, or refused with a reason, exactly once. A fold of
//! its own stream, like the service record; never does I/O or reads a clock.

mod decide;
mod event;
mod record;
mod version;

pub use decide::{Answers, Facts, Order, RunLine, Step, decide, key};
pub use event::{Refusal, ScheduleEvent};
pub use record::{Last, Opened, Replaced, ScheduleRecord};
pub use version::{LONGEST, PATIENCE, Place};

use crate::model::time::{Duration, Timestamp};

/// How late a drill may begin and still count as on time. Whoever lets the system's cron look does so at
/// least this often.
pub const GRACE: Duration = Duration::from_secs(15 * 60);
/// Before this there was no drctl (2026-11-01, in milliseconds): a clock that shows such a time is not set.
pub const FLOOR: i64 = 1_793_491_200_000;
/// Most fires that are counted when a schedule was not looked at for long.
pub const MOST_DUE: usize = 20_000;

/// Says whether a clock is not set: nothing is decided and nothing recorded by such a time.
#[must_use]
pub fn is_unset(now: Timestamp) -> bool {
    now < Timestamp::from_millis(FLOOR)
}
