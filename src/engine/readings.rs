//! What is known between runs about how far the data of services reaches: folded from what was read, one look
//! after the other. Never takes a source that does not answer for one that is up to date.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::id::{ServiceName, SiteName};
use crate::model::run::words;
use crate::model::time::{Duration, Timestamp};

/// Looks in a row that must fail before a source that was read before counts as silent.
const MISSES: u32 = 2;

words! {
    /// What one look has changed about a service.
    ReadingChange {
        /// The data is further behind than the objective allows.
        Behind = "behind",
        /// It is within the objective again.
        CaughtUp = "caught_up",
        /// Nobody can tell any more how far it reaches.
        Silent = "silent",
        /// It is read again.
        Heard = "heard",
    }
}

/// A reading that was taken outside of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownReading {
    /// Which entry of `recovery_point`, from 1.
    pub number: u32,
    /// When it was taken.
    pub at: Timestamp,
    /// What was read, such as an action's name.
    pub source: String,
    /// Site the data is copied from.
    pub from: Option<SiteName>,
    /// Site it is copied to.
    pub to: Option<SiteName>,
    /// Lag at that moment.
    pub lag: Option<Duration>,
    /// The newest time the standby's data is known to reach.
    pub recovery_point_at: Option<Timestamp>,
}

impl KnownReading {
    /// How far behind the data was.
    #[must_use]
    pub fn behind(&self) -> Duration {
        let reached = self.recovery_point_at.map(|reached| self.at.since(reached));
        reached.or(self.lag).unwrap_or(Duration::from_millis(0))
    }

    /// The time up to which the data was there for certain.
    #[must_use]
    pub fn reaches(&self) -> Timestamp {
        self.recovery_point_at.unwrap_or_else(|| self.at.minus(self.behind()))
    }
}

/// A source that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub why: String,
}

/// What is known of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceReadings {
    /// The last reading of each entry.
    pub last: Vec<KnownReading>,
    /// Since when not all of them can be taken any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<Silence>,
    /// The data was behind the objective.
    pub behind: bool,
    /// Looks in a row that failed, and when the first of them was. Known to the process alone.
    #[serde(skip)]
    missed: Option<(u32, Timestamp)>,
}

impl ServiceReadings {
    /// How far behind the worst source was.
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        self.last.iter().map(KnownReading::behind).max()
    }

    /// Up to when the data was there for certain, by all sources.
    #[must_use]
    pub fn reaches(&self) -> Option<Timestamp> {
        self.last.iter().map(KnownReading::reaches).min()
    }

    /// When the oldest of the last readings was taken.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        self.last.iter().map(|reading| reading.at).min()
    }

    /// Says whether what is known here counts more than what somebody else has recorded. One who hears
    /// nothing gives way to one who has read since, and not so long ago.
    #[must_use]
    pub fn outweighs(&self, recorded: &Self, stale_before: Timestamp) -> bool {
        let Some(silent) = &self.silent else { return true };
        let read_since = recorded.at().is_some_and(|at| at >= silent.since && at >= stale_before);
        recorded.silent.is_some() || !read_since
    }

    /// What has changed since something was recorded.
    #[must_use]
    pub fn changed(&self, recorded: Option<&Self>) -> Option<ReadingChange> {
        let was = recorded.map_or((false, false), |it| (it.silent.is_some(), it.behind));
        match (was, (self.silent.is_some(), self.behind)) {
            ((false, _), (true, _)) => Some(ReadingChange::Silent),
            ((_, false), (false, true)) => Some(ReadingChange::Behind),
            ((_, true), (false, false)) => Some(ReadingChange::CaughtUp),
            ((true, _), (false, _)) => Some(ReadingChange::Heard),
            ((true, _), (true, _)) | ((false, false), (false, false)) | ((false, true), (false, true)) => {
                None
            }
        }
    }

    /// When anything was last known of it.
    fn known_at(&self) -> Option<Timestamp> {
        let silent = self.silent.as_ref().map(|silent| silent.since);
        self.last.iter().map(|reading| reading.at).max().max(silent)
    }
}

/// One look at a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub at: Timestamp,
    /// What was read.
    pub read: Vec<KnownReading>,
    /// Why not everything could be read.
    pub failed: Option<String>,
    /// The objective in force.
    pub objective: Option<Duration>,
}

/// What is known of all services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Readings(pub BTreeMap<ServiceName, ServiceReadings>);

impl Readings {
    /// Takes a look in.
    pub fn look(&mut self, service: &ServiceName, look: &Look) {
        let known = self.0.entry(service.clone()).or_default();
        let Some(why) = &look.failed else {
            known.last.clone_from(&look.read);
            (known.silent, known.missed) = (None, None);
            known.behind = known.lag().zip(look.objective).is_some_and(|(lag, objective)| lag > objective);
            return;
        };
        known.take(&look.read);
        let (misses, since) = known.missed.unwrap_or((0, look.at));
        known.missed = Some((misses + 1, since));
        if let Some(silent) = &mut known.silent {
            silent.why.clone_from(why);
        } else if misses + 1 >= MISSES || known.last.is_empty() {
            known.silent = Some(Silence { since, why: why.clone() });
        }
    }

    /// Folds a fact.
    pub fn apply(&mut self, event: &ReadingsEvent) {
        match event {
            ReadingsEvent::Kept { services } => *self = services.clone(),
            ReadingsEvent::Changed { service, readings, .. } => {
                self.0.insert(service.clone(), readings.clone());
            }
        }
    }

    /// Forgets services of which nothing was heard since a time.
    pub fn forget(&mut self, before: Timestamp) {
        self.0.retain(|_, known| known.known_at().is_some_and(|at| at >= before));
    }

    /// The readings that say how far the data of a service reaches on its way between two sites.
    #[must_use]
    pub fn of(
        &self,
        service: &ServiceName,
        from: Option<&SiteName>,
        to: Option<&SiteName>,
        since: Timestamp,
    ) -> Vec<KnownReading> {
        let known = self.0.get(service).into_iter().flat_map(|known| &known.last);
        let fits = |reading: &&KnownReading| {
            reading.from.as_ref() == from && reading.to.as_ref() == to && reading.at >= since
        };
        known.filter(fits).cloned().collect()
    }
}

impl ServiceReadings {
    /// Takes readings in the place of those of the same entries. What was read of another way is of no use
    /// any more.
    fn take(&mut self, read: &[KnownReading]) {
        if let Some(new) = read.first() {
            self.last.retain(|old| {
                (&old.from, &old.to) == (&new.from, &new.to)
                    && read.iter().all(|new| new.number != old.number)
            });
            self.last.extend(read.iter().cloned());
            self.last.sort_by_key(|reading| reading.number);
        }
    }
}

/// A fact about what is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingsEvent {
    /// Everything that is known, as it is kept from time to time: what came before is not needed any more.
    Kept {
        /// By service.
        services: Readings,
    },
    /// Something has changed about a service.
    Changed {
        /// The service.
        service: ServiceName,
        /// What.
        change: ReadingChange,
        /// What is known of it now.
        readings: ServiceReadings,
        /// The objective in force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        objective: Option<Duration>,
    },
}

impl ReadingsEvent {
    /// Type of the fact.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Kept { .. } => "readings_kept",
            Self::Changed { .. } => "readings_changed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RPO: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn pay() -> ServiceName {
        ServiceName::new("pay").unwrap()
    }

    fn reading(seconds: i64, lag: u64) -> KnownReading {
        let site = |name| Some(SiteName::new(name).unwrap());
        KnownReading {
            number: 1,
            at: at(seconds),
            source: "postgres.replication_lag".to_owned(),
            from: site("east"),
            to: site("west"),
            lag: Some(Duration::from_secs(lag)),
            recovery_point_at: None,
        }
    }

    fn good(seconds: i64, lag: u64) -> Look {
        let read = vec![reading(seconds, lag)];
        Look { at: at(seconds), read, failed: None, objective: Some(RPO) }
    }

    fn bad(seconds: i64) -> Look {
        Look { at: at(seconds), read: Vec::new(), failed: Some("refused".to_owned()), objective: Some(RPO) }
    }

    #[test]
    fn what_changes_is_told_once() {
        use ReadingChange::{Behind, CaughtUp, Heard, Silent};
        let (mut readings, mut recorded) = (Readings::default(), Readings::default());
        let looks = [
            (good(0, 5), None),
            (good(60, 61), Some(Behind)),
            (good(120, 90), None),
            (bad(180), None),
            (bad(240), Some(Silent)),
            (bad(300), None),
            (good(360, 90), Some(Heard)),
            (good(420, 60), Some(CaughtUp)),
            (bad(480), None),
            (good(540, 1), None),
        ];
        for (look, change) in looks {
            readings.look(&pay(), &look);
            let now = readings.0[&pay()].clone();
            assert_eq!(now.changed(recorded.0.get(&pay())), change, "{look:?}");
            recorded.0.insert(pay(), now);
        }
    }

    #[test]
    fn who_hears_nothing_gives_way_to_who_reads() {
        let (mut deaf, mut hears) = (Readings::default(), Readings::default());
        deaf.look(&pay(), &bad(100));
        hears.look(&pay(), &good(120, 5));
        let (deaf, hears) = (&deaf.0[&pay()], &hears.0[&pay()]);
        let outweighs = |stale| (deaf.outweighs(hears, at(stale)), hears.outweighs(deaf, at(stale)));
        assert_eq!((outweighs(110), outweighs(121)), ((false, true), (true, true)));
        let mut before = Readings::default();
        before.look(&pay(), &good(90, 5));
        assert!(deaf.outweighs(&before.0[&pay()], at(0)), "what was read before the silence ends nothing");
    }

    #[test]
    fn silence_keeps_what_was_read_before_with_its_time() {
        let mut readings = Readings::default();
        readings.look(&pay(), &good(0, 5));
        readings.look(&pay(), &bad(60));
        readings.look(&pay(), &bad(120));
        let known = &readings.0[&pay()];
        let silent = Silence { since: at(60), why: "refused".to_owned() };
        assert_eq!(
            (known.silent.as_ref(), known.at(), known.reaches()),
            (Some(&silent), Some(at(0)), Some(at(-5)))
        );
    }

    #[test]
    fn what_was_never_read_is_silent_at_once_and_has_no_lag() {
        let mut readings = Readings::default();
        readings.look(&pay(), &bad(0));
        assert!(readings.0[&pay()].silent.is_some());
        assert_eq!((readings.0[&pay()].lag(), readings.0[&pay()].reaches()), (None, None));
    }

    #[test]
    fn a_reading_is_good_for_its_own_way_and_time_only() {
        let mut readings = Readings::default();
        readings.look(&pay(), &good(100, 5));
        let (east, west) = (SiteName::new("east").unwrap(), SiteName::new("west").unwrap());
        let of = |from, to, since| readings.of(&pay(), Some(from), Some(to), at(since)).len();
        assert_eq!((of(&east, &west, 0), of(&west, &east, 0), of(&east, &west, 101)), (1, 0, 0));
    }

    #[test]
    fn the_worst_of_several_sources_counts() {
        let mut readings = Readings::default();
        let second =
            KnownReading { number: 2, recovery_point_at: Some(at(40)), lag: None, ..reading(100, 0) };
        let look = Look { read: vec![reading(100, 5), second], ..good(100, 5) };
        readings.look(&pay(), &look);
        let known = &readings.0[&pay()];
        assert_eq!((known.lag(), known.reaches()), (Some(Duration::from_secs(60)), Some(at(40))));
    }

    #[test]
    fn what_is_kept_stands_for_all_that_came_before() {
        let mut readings = Readings::default();
        readings.look(&pay(), &good(0, 61));
        let mut other = Readings::default();
        let kept = serde_json::to_string(&ReadingsEvent::Kept { services: readings.clone() }).unwrap();
        other.apply(&serde_json::from_str(&kept).unwrap());
        assert_eq!(other, readings);
        other.forget(at(1));
        assert_eq!(other, Readings::default());
    }
}
