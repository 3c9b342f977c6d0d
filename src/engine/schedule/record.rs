//! Where a schedule stands: a fold of its stream.

use serde::{Deserialize, Serialize};

use super::GRACE;
use super::event::{Refusal, ScheduleEvent};
use super::version::Place;
use crate::model::id::RunId;
use crate::model::run::{RunStatus, Verdict};
use crate::model::time::Timestamp;

/// Where a schedule stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// Expression and zone its fires were last decided by.
    pub schedule: Option<String>,
    /// Where that was seen last, as far as it is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Since when it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// What was in force before, and until when: somebody may still have it, or have it again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replaced>,
    /// How often in a row what was replaced has come back.
    #[serde(default)]
    pub returns: u32,
    /// What was in force until it was taken out; absent while one is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_out: Option<Replaced>,
    /// Fires up to here are decided.
    pub settled: Option<Timestamp>,
    /// The fire that has become a drill which is not known to be over.
    pub opened: Option<Opened>,
    /// The fire that last became a drill.
    pub fired: Option<Timestamp>,
    /// Fires up to here were decided by a clock that has gone back since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Timestamp>,
    /// What came of the last fire that something came of.
    pub last: Option<Last>,
}

/// A schedule that was in force before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Its expression and zone.
    pub schedule: String,
    /// Until when.
    pub at: Timestamp,
}

/// A fire that was let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The fire.
    pub fire: Timestamp,
    /// Key of its run.
    pub key: String,
    /// When it was let through.
    pub at: Timestamp,
    /// It was missed, and runs late.
    pub late: bool,
}

/// What came of a fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Last {
    /// It was refused.
    Refused {
        /// The fire.
        fire: Timestamp,
        /// Why.
        reason: Refusal,
        /// The same for people.
        detail: String,
        /// How many fires in a row were refused.
        in_a_row: u32,
    },
    /// Its drill is over.
    Ended {
        /// The fire.
        fire: Timestamp,
        /// The run.
        run: RunId,
        /// How it ended.
        status: RunStatus,
        /// Its objectives against what was measured.
        verdict: Option<Verdict>,
    },
}

impl ScheduleRecord {
    /// Folds one fact into the record.
    pub fn apply(&mut self, event: &ScheduleEvent, at: Timestamp) {
        match event {
            ScheduleEvent::Seen { schedule, from, place } => {
                self.see(schedule, place.as_ref(), at);
                self.settle(*from);
            }
            ScheduleEvent::Unseen { schedule, .. } => self.take_out(schedule, at),
            ScheduleEvent::SetBack { from, ahead } => {
                self.ahead = self.ahead.max(Some(*ahead));
                self.settled = Some(*from);
            }
            ScheduleEvent::Fired { fire, key, late, place } => {
                self.place = place.clone().or(self.place.take());
                self.settle(*fire);
                self.fired = Some(*fire);
                self.opened = Some(Opened { fire: *fire, key: key.clone(), at, late: *late });
            }
            ScheduleEvent::Refused { fire, reason, detail, count } => {
                self.settle(*fire);
                self.close(*fire);
                let before = match &self.last {
                    Some(Last::Refused { in_a_row, .. }) => *in_a_row,
                    Some(Last::Ended { .. }) | None => 0,
                };
                let in_a_row = before.saturating_add(*count);
                let (fire, reason, detail) = (*fire, *reason, detail.clone());
                self.last = Some(Last::Refused { fire, reason, detail, in_a_row });
            }
            ScheduleEvent::Ended { fire, run, status, verdict } => {
                self.settle(*fire);
                self.close(*fire);
                let (fire, run, status, verdict) = (*fire, run.clone(), *status, *verdict);
                self.last = Some(Last::Ended { fire, run, status, verdict });
            }
        }
    }

    /// Until when fires were decided that the clock has not reached: either it was ahead then, or it is
    /// behind now.
    #[must_use]
    pub fn decided_ahead(&self, now: Timestamp) -> Option<Timestamp> {
        self.settled.max(self.ahead).filter(|ahead| *ahead > now.plus(GRACE))
    }

    fn settle(&mut self, fire: Timestamp) {
        self.settled = self.settled.max(Some(fire));
    }

    fn close(&mut self, fire: Timestamp) {
        self.opened.take_if(|opened| opened.fire == fire);
    }
}
