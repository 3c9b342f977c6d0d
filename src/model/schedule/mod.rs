//! When drills run: cron expressions on civil time, time zones, delays and blackouts. Pure: the same schedule
//! and the same time give the same answer, whoever asks.

mod blackout;
mod cron;
mod instant;
mod timetable;

pub use blackout::{Blackout, InvalidBlackout};
pub use cron::{Cron, InvalidCron};
pub use instant::{Occurrence, Shift};
pub use timetable::{Fire, Problem, Timetable, Zone};

use super::run::words;

words! {
    /// What becomes of a fire whose time passed while nobody looked.
    Missed {
        /// It is left out; the next one runs at its time.
        Skip = "skip",
        /// The newest one runs as soon as somebody looks; older ones are left out.
        RunOnce = "run_once",
    }
}
