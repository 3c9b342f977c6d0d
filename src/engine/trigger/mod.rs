//! The state machine of a service's triggers: what is reported makes signals red or green, and what stands
//! red long enough is decided once: a run, or a reason against it. A fold of its own stream, like the
//! schedule's; never does I/O or reads a clock.

mod decide;
mod event;
mod explain;
mod facts;
mod hear;
mod judge;
mod launch;
mod record;

pub use decide::decide;
pub use event::{Calm, NoteDue, NoteOutcome, Noted, Refusal, Source, TriggerEvent, Waiting, WithdrawOutcome};
pub use explain::{Outcome, Told, explain};
pub use facts::{
    Answer, Answered, Arrival, Facts, Hook, NoteOrder, Order, Reported, Step, Watch, Withdrawal,
};
pub use launch::launched;
pub use record::{Last, Red, TriggerRecord};

use crate::model::time::Duration;

/// After this long without a word, a red signal counts no more.
pub const FADES_AFTER: Duration = Duration::from_secs(72 * 3600);
/// How far back deliveries count when a service is looked at for the first time.
pub const GRACE: Duration = Duration::from_secs(15 * 60);
/// A run that was decided on and could not be begun for this long is not started without a person.
pub const LATE: Duration = Duration::from_secs(10 * 60);
/// How often a note back to an incident is tried.
pub const NOTE_TRIES: u32 = 8;
/// Most incidents that are asked about before one run.
pub const ASKED: usize = 5;
