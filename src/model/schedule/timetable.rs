//! A drill's schedule, ready to be asked: when it fires, when the drill then begins, and what stands against
//! it. Says what is wrong with a schedule; never repairs it.

use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use sha2::{Digest, Sha256};

use super::blackout::Blackout;
use super::cron::{Cron, InvalidCron};
use super::instant::{Shift, occurrences};
use super::{InvalidBlackout, Missed};
use crate::model::runbook::Schedule;
use crate::model::time::{Duration, Timestamp};

/// Longest name of a time zone, in bytes.
const ZONE_NAME: usize = 64;
/// How far ahead a schedule is looked through for what can never be.
const AHEAD: Duration = Duration::from_secs(5 * 366 * 86_400);
/// Most fires that are looked through.
const FIRES: usize = 2_000;

/// A time zone by name, from the data that comes with drctl: the same everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// Finds a zone such as `Europe/Berlin`.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        if name.len() > ZONE_NAME {
            return None;
        }
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        Some(Self { name: name.to_owned(), zone })
    }

    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A time as the clocks there show it.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> jiff::Zoned {
        at.to_jiff().to_zoned(self.zone.clone())
    }
}

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The cron expression.
    Cron(InvalidCron),
    /// There is no such time zone.
    Zone(String),
    /// This blackout of the list cannot be read.
    Blackout(usize, InvalidBlackout),
    /// It names no time that ever comes.
    NeverFires,
    /// Every fire lies in a blackout.
    AlwaysBlackout,
    /// The delay reaches the next fire, which may come this soon.
    Jitter(Duration),
}

/// One fire of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fire {
    /// The time it is known by.
    pub at: Timestamp,
    /// When the drill begins: `at` and its share of the jitter.
    pub begins: Timestamp,
    /// The time of day it was written for.
    pub civil: DateTime,
    /// What a change of the clock did to it.
    pub shift: Shift,
}

/// A schedule that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Timetable {
    /// What the delays are drawn from: the service.
    name: String,
    cron: Cron,
    zone: Zone,
    jitter: Duration,
    blackout: Vec<Blackout>,
    missed: Missed,
}

impl Timetable {
    /// Reads a schedule. `name` tells its delays from those of others.
    ///
    /// # Errors
    /// With everything that cannot be read.
    pub fn new(name: &str, schedule: &Schedule) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let cron = Cron::parse(&schedule.cron).map_err(|error| problems.push(Problem::Cron(error))).ok();
        let zone = match &schedule.timezone {
            None => Some(Zone::utc()),
            Some(name) => Zone::find(name).or_else(|| {
                problems.push(Problem::Zone(name.clone()));
                None
            }),
        };
        let mut blackout = Vec::new();
        for (at, text) in schedule.blackout.iter().enumerate() {
            match Blackout::parse(text) {
                Ok(read) => blackout.push(read),
                Err(error) => problems.push(Problem::Blackout(at, error)),
            }
        }
        match (cron, zone) {
            (Some(cron), Some(zone)) if problems.is_empty() => Ok(Self {
                name: name.to_owned(),
                cron,
                zone,
                jitter: schedule.jitter.unwrap_or(Duration::ZERO),
                blackout,
                missed: schedule.missed.unwrap_or(Missed::Skip),
            }),
            _ => Err(problems),
        }
    }

    /// What can be read and still cannot be meant, as seen on a day.
    #[must_use]
    pub fn problems(&self, today: Date) -> Vec<Problem> {
        let Ok(start) = today.to_zoned(TimeZone::UTC) else { return Vec::new() };
        let start = Timestamp::from_millis(start.timestamp().as_millisecond());
        let within = |fire: &Fire| fire.at.since(start) <= AHEAD;
        let mut problems = Vec::new();
        let fires: Vec<Fire> = self.fires(start).take_while(within).take(FIRES).collect();
        if fires.is_empty() && self.fires(start).next().is_none() {
            problems.push(Problem::NeverFires);
        } else if !fires.is_empty() && fires.iter().all(|fire| self.blackout(fire.begins).is_some()) {
            problems.push(Problem::AlwaysBlackout);
        }
        let apart = fires.windows(2).filter_map(|pair| match pair {
            [one, next] => Some(next.at.since(one.at)),
            _ => None,
        });
        if let Some(apart) = apart.min().filter(|apart| self.jitter >= *apart) {
            problems.push(Problem::Jitter(apart));
        }
        problems
    }

    /// The fires after a time, in order.
    pub fn fires(&self, after: Timestamp) -> impl Iterator<Item = Fire> + '_ {
        occurrences(&self.cron, &self.zone.zone, after.to_jiff()).map(|occurrence| {
            let at = Timestamp::from_millis(occurrence.at.as_millisecond());
            let begins = at.plus(self.delay(at));
            Fire { at, begins, civil: occurrence.civil, shift: occurrence.shift }
        })
    }

    /// What keeps anything from beginning at a time.
    #[must_use]
    pub fn blackout(&self, at: Timestamp) -> Option<&Blackout> {
        let local = self.zone.local(at).datetime();
        self.blackout.iter().find(|blackout| blackout.holds(local))
    }

    /// The zone its times are in.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The longest delay of a fire.
    #[must_use]
    pub const fn jitter(&self) -> Duration {
        self.jitter
    }

    /// What becomes of a fire that nobody looked at in time.
    #[must_use]
    pub const fn missed(&self) -> Missed {
        self.missed
    }

    /// What its fires depend on, in one line: another text means other fires.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{} {}", self.cron, self.zone.name)
    }

    /// The delay of one fire: the same whenever it is asked for, whole seconds, up to the jitter.
    fn delay(&self, at: Timestamp) -> Duration {
        let seconds = self.jitter.as_millis() / 1_000;
        if seconds == 0 {
            return Duration::ZERO;
        }
        let digest = Sha256::digest(format!("{}\n{}", self.name, at.as_millis()));
        let drawn = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        Duration::from_secs(drawn % (seconds + 1))
    }
}
