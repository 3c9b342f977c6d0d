//! What an action sees of the simulated estate: replication, sizes, settings, ids. Read-only.

use serde_json::Value;

use super::super::chance::Chance;
use super::super::change::Before;
use super::super::estate::{DatabaseRole, Estate};
use super::super::faults::{Faults, earlier};
use super::super::places::Place;
use crate::model::id::SiteName;
use crate::model::time::{Duration, Timestamp};

/// How many times as fast as it was written a replica takes in what it is behind, once nothing new is
/// written.
const CATCH_UP: u64 = 10;

/// The estate as an action finds it.
#[derive(Clone, Copy)]
pub(in super::super) struct View<'a> {
    pub(in super::super) estate: &'a Estate,
    pub(in super::super) faults: Faults<'a>,
    /// Where the action works.
    pub(in super::super) place: &'a Place,
    /// What ids are drawn from, beside the seed.
    pub(in super::super) node: &'a str,
    pub(in super::super) now: Timestamp,
}

/// The estate as an action leaves it.
#[derive(Clone, Copy)]
pub(in super::super) struct Scene<'a> {
    pub(in super::super) view: View<'a>,
    /// What was there before.
    pub(in super::super) before: &'a Before,
    /// Whether all was as wanted before.
    pub(in super::super) already: bool,
    /// When the action is complete.
    pub(in super::super) at: Timestamp,
}

/// How far the data of a database reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Last measured time behind the primary.
    pub(super) lag: Duration,
    /// When that was measured.
    pub(super) measured_at: Timestamp,
    /// How far the data reaches.
    pub(super) recovery_point: Timestamp,
    /// Whether it follows a primary.
    pub(super) is_replica: bool,
    /// Whether data still arrives.
    pub(super) streams: bool,
}

impl View<'_> {
    /// Site an action's database follows, unless it is there itself.
    pub(super) fn source(&self) -> Option<SiteName> {
        self.faults.from.filter(|from| self.place.site() != Some(from)).cloned()
    }

    pub(super) fn site(&self) -> Option<SiteName> {
        self.place.site().cloned()
    }

    /// How far a database's data reaches at a time; one nobody has mentioned is a replica unless it is at the
    /// source.
    pub(super) fn standing(&self, name: &str, at: Timestamp) -> Standing {
        let known = self.estate.databases.get(name);
        let site = known.map_or_else(|| self.site(), |it| it.site.clone());
        let source = known.map_or_else(|| self.source(), |it| it.source.clone());
        let at_source = site.is_some() && site.as_ref() == self.faults.from;
        let is_replica = known.map_or(!at_source, |it| it.role == DatabaseRole::Replica);
        let standing = |point, measured_at, lag, streams| Standing {
            lag,
            measured_at,
            recovery_point: point,
            is_replica,
            streams: streams && is_replica,
        };
        if let Some(fixed) = known.and_then(|it| it.recovery_point) {
            return standing(fixed, at, Duration::ZERO, false);
        }
        if !is_replica {
            return standing(at, at, Duration::ZERO, false);
        }
        let lag = self.faults.scenario.replication.lag;
        let drained = Duration::from_millis(lag.as_millis() / CATCH_UP);
        let quiet_since = self.quiet_since(source.as_ref()).map(|since| since.plus(drained));
        let caught_up = |by: Timestamp| quiet_since.is_some_and(|since| since <= by);
        match self.faults.cut_since(source.as_ref(), site.as_ref(), at) {
            Some(cut) if caught_up(cut) => standing(cut, cut, Duration::ZERO, false),
            Some(cut) => standing(earlier(cut, lag), cut, lag, false),
            None if caught_up(at) => standing(at, at, Duration::ZERO, true),
            None => standing(earlier(at, lag), at, lag, true),
        }
    }

    /// Since when the known primaries of a site have accepted no more writes.
    fn quiet_since(&self, site: Option<&SiteName>) -> Option<Timestamp> {
        let site = site?;
        let mut primaries = self
            .estate
            .databases
            .values()
            .filter(|it| it.site.as_ref() == Some(site) && it.role == DatabaseRole::Primary)
            .peekable();
        primaries.peek()?;
        primaries.map(|it| it.fenced_at).try_fold(Timestamp::from_millis(0), |last, at| Some(last.max(at?)))
    }

    /// How far a backup's data reaches.
    pub(super) fn backup(&self, resource: &str) -> Timestamp {
        let initial = earlier(self.faults.started_at, self.faults.scenario.backups.age);
        self.estate.backups.get(resource).copied().unwrap_or(initial)
    }

    /// An id that is the same whenever the same node asks for the same thing.
    pub(super) fn id(&self, label: &str) -> String {
        Chance::of(self.faults.scenario.seed, &[self.node, label]).hex()
    }

    /// Region the source is in, or something like it.
    pub(super) fn source_region(&self) -> &str {
        self.faults.from.and_then(|from| self.faults.places.region(from)).unwrap_or("elsewhere-1")
    }
}

impl Scene<'_> {
    /// Value of a setting before the action.
    pub(super) fn previous(&self, name: &str) -> Value {
        match self.before {
            Before::Settings(settings) => settings.get(name).map_or(Value::Null, |it| it.value.clone()),
            Before::Nothing | Before::Fenced(_) | Before::Led | Before::Followed(_) | Before::Size(_) => {
                Value::Null
            }
        }
    }

    /// TTL of a setting before the action, in milliseconds.
    pub(super) fn previous_ttl_ms(&self) -> u64 {
        match self.before {
            Before::Settings(settings) => {
                settings.values().map(|it| it.ttl.as_millis()).max().unwrap_or_default()
            }
            Before::Nothing | Before::Fenced(_) | Before::Led | Before::Followed(_) | Before::Size(_) => 0,
        }
    }

    /// Instances in service once the action is complete.
    pub(super) fn in_service(&self, group: &str) -> u32 {
        self.view.estate.capacities.get(group).map_or(0, |it| it.in_service(self.at))
    }
}
