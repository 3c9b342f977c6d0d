//! From civil times to instants, where clocks are put forward and back. Never loses a time of day, and never
//! runs it twice.
//!
//! The rule of Vixie's cron: a job at a time of day that is skipped runs when the clock has been put forward,
//! and one at a time that comes twice runs the first time. A job that runs every so often (a `*` in minute or
//! hour) follows the clock: nothing in the skipped time, both in the time that comes twice.

use std::collections::BTreeMap;

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::cron::Cron;

/// How far back civil times are looked at: further than any clock was ever put forward or back.
const BACK: jiff::SignedDuration = jiff::SignedDuration::from_hours(26);
const SECOND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// What the change of a clock did to a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// Nothing.
    None,
    /// The clock skips it: it runs when the clock has been put forward.
    Skipped,
    /// The clock shows it twice: this is the first time.
    First,
    /// The clock shows it twice: this is the second time.
    Second,
}

/// A time at which a cron expression fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The instant.
    pub at: jiff::Timestamp,
    /// The time of day it was written for.
    pub civil: civil::DateTime,
    /// What a change of the clock did to it.
    pub shift: Shift,
}

/// Times at which an expression fires in a zone, in order, each once, all after an instant.
pub(super) fn occurrences(
    cron: &Cron,
    zone: &TimeZone,
    after: jiff::Timestamp,
) -> impl Iterator<Item = Occurrence> + use<> {
    let from = after.to_zoned(zone.clone()).datetime().saturating_sub(BACK);
    let occurrences = Occurrences {
        times: Box::new(cron.times(from)),
        repeats: cron.repeats(),
        zone: zone.clone(),
        waiting: BTreeMap::new(),
        ready: None,
    };
    // What was written for a time before may only come after the clock was changed.
    occurrences.skip_while(move |occurrence| occurrence.at <= after)
}

struct Occurrences {
    times: Box<dyn Iterator<Item = civil::DateTime>>,
    repeats: bool,
    zone: TimeZone,
    /// Found, but something earlier may come: the second pass of a fold.
    waiting: BTreeMap<jiff::Timestamp, Occurrence>,
    /// Nothing that is found later comes before this.
    ready: Option<jiff::Timestamp>,
}

impl Iterator for Occurrences {
    type Item = Occurrence;

    fn next(&mut self) -> Option<Occurrence> {
        loop {
            let first = self.waiting.keys().next().copied();
            if let Some(first) = first.filter(|first| self.ready.is_some_and(|ready| *first < ready)) {
                return self.waiting.remove(&first);
            }
            let Some(civil) = self.times.next() else {
                return self.waiting.pop_first().map(|(_, occurrence)| occurrence);
            };
            let found = instants(civil, &self.zone, self.repeats);
            // Of one civil time the first instant is never before that of an earlier one.
            self.ready = self.zone.to_ambiguous_timestamp(civil).earlier().ok().or(self.ready);
            for occurrence in found.into_iter().flatten() {
                // Several skipped times come to the same instant: it is one fire.
                self.waiting.entry(occurrence.at).or_insert(occurrence);
            }
        }
    }
}

/// The instants at which a civil time runs.
fn instants(civil: civil::DateTime, zone: &TimeZone, repeats: bool) -> [Option<Occurrence>; 2] {
    let one =
        |at: Result<jiff::Timestamp, jiff::Error>, shift| at.ok().map(|at| Occurrence { at, civil, shift });
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => [one(offset.to_timestamp(civil), Shift::None), None],
        AmbiguousOffset::Gap { .. } if repeats => [None, None],
        AmbiguousOffset::Gap { before, .. } => {
            // By the old offset the time lies behind the change that skips it.
            let behind = before.to_timestamp(civil).ok().and_then(|at| at.checked_add(SECOND).ok());
            let change = behind.and_then(|behind| zone.preceding(behind).next());
            [change.map(|change| Occurrence { at: change.timestamp(), civil, shift: Shift::Skipped }), None]
        }
        AmbiguousOffset::Fold { before, after } => {
            let second = one(after.to_timestamp(civil), Shift::Second).filter(|_| repeats);
            [one(before.to_timestamp(civil), Shift::First), second]
        }
    }
}
