//! Which version of a schedule is in force where several places look with several of them: while a changed
//! runbook is handed out, when an edit is taken back, or when a schedule is taken out.

use serde::{Deserialize, Serialize};

use super::event::ScheduleEvent;
use super::record::{Replaced, ScheduleRecord};
use super::{GRACE, is_unset};
use crate::model::time::{Duration, Timestamp};

/// How long whoever still has a version that was replaced leaves the newer one in force; doubled whenever a
/// version comes back, so that places that never agree record less and less.
pub const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// The longest that this becomes.
pub const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// How often an edit may be taken back in the place it was made in without waiting. Beyond that they are
/// probably two places of one name.
const OWN: u32 = 3;
/// Most versions that were replaced and are kept.
const KEPT: usize = 8;

/// Where somebody looks at a schedule: what was seen there changes only when somebody edits it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The machine.
    pub host: String,
    /// The runbook's file there.
    pub path: String,
}

/// How what somebody looks with stands to what is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// It is that.
    InForce,
    /// It takes its place; fires up to there are none of its.
    Sets { from: Timestamp },
    /// A newer one has taken its place elsewhere, and stays in force at least until then.
    Behind { until: Timestamp },
}

impl ScheduleRecord {
    /// Compares what is looked with somewhere to what is in force. Fires of it up to `passed` have begun too
    /// long ago to be on time.
    pub(super) fn version(
        &self,
        schedule: &str,
        place: &Place,
        now: Timestamp,
        passed: Timestamp,
    ) -> Version {
        if self.schedule.as_deref() == Some(schedule) {
            return Version::InForce;
        }
        // What fell due a moment ago was perhaps not looked at by those who have the other version.
        let goes_on = self.settled.max(Some(passed)).unwrap_or(now);
        if self.was_out_briefly(schedule, now) {
            return Version::Sets { from: goes_on };
        }
        let Some(before) = self.came_before(schedule, now) else {
            // It counts from now on: nobody was asked to look before, so that nothing was missed.
            return Version::Sets { from: now };
        };
        if self.is_of(place) {
            return Version::Sets { from: now };
        }
        let until = before.at.plus(self.patience());
        if now < until { Version::Behind { until } } else { Version::Sets { from: goes_on } }
    }

    /// What is recorded where a schedule is not there any more: nothing where there was none, nor for a while
    /// where another place has it, which may be the one that is up to date. A clock that is not set says
    /// nothing of when.
    #[must_use]
    pub fn unseen(&self, place: &Place, now: Timestamp) -> Option<ScheduleEvent> {
        let schedule = self.schedule.clone()?;
        let seen = self.seen_at.map(|at| now.since(at));
        let may = self.is_of(place) || seen.is_none_or(|seen| seen >= self.patience());
        (may && !is_unset(now)).then(|| ScheduleEvent::Unseen { schedule, place: place.clone() })
    }

    /// Folds in that a schedule has been seen.
    pub(super) fn see(&mut self, schedule: &str, place: Option<&Place>, at: Timestamp) {
        let comes_back = self.came_before(schedule, at).is_some() || self.was_out_briefly(schedule, at);
        self.returns = if comes_back { self.returns.saturating_add(1) } else { 0 };
        let before = self.schedule.replace(schedule.to_owned());
        self.replaced.extend(before.map(|schedule| Replaced { schedule, at }));
        let longest = LONGEST.plus(GRACE).plus(GRACE);
        self.replaced.retain(|before| before.schedule != schedule && at.since(before.at) <= longest);
        let more = self.replaced.len().saturating_sub(KEPT);
        self.replaced.drain(..more);
        self.taken_out = None;
        self.place = place.cloned();
        self.seen_at = Some(at);
    }

    /// Folds in that a schedule was taken out.
    pub(super) fn take_out(&mut self, schedule: &str, at: Timestamp) {
        self.schedule = None;
        self.replaced.clear();
        self.taken_out = Some(Replaced { schedule: schedule.to_owned(), at });
    }

    /// When a version was replaced that somebody may still have: whoever has it has looked since at least
    /// once after waiting.
    fn came_before(&self, schedule: &str, now: Timestamp) -> Option<&Replaced> {
        let known = self.patience().plus(GRACE).plus(GRACE);
        let is_recent = |at: Timestamp| now.since(at) <= known && at.since(now) <= GRACE;
        self.replaced.iter().find(|before| before.schedule == schedule && is_recent(before.at))
    }

    /// Says whether a schedule was out only for a moment: another place has had it all along, or its file was
    /// being written.
    fn was_out_briefly(&self, schedule: &str, now: Timestamp) -> bool {
        let is_it = |out: &Replaced| out.schedule == schedule && now.since(out.at) <= GRACE;
        self.taken_out.as_ref().is_some_and(is_it)
    }

    /// Says whether what is in force was last seen in this place, so that somebody has edited it there.
    fn is_of(&self, place: &Place) -> bool {
        self.place.as_ref() == Some(place) && self.returns < OWN
    }

    fn patience(&self) -> Duration {
        let times = 1_u64.checked_shl(self.returns.min(32)).unwrap_or(u64::MAX);
        Duration::from_millis(PATIENCE.as_millis().saturating_mul(times)).min(LONGEST)
    }
}
