//! The model of the estate: databases, capacity, and settings such as records, weights and routes. Plain data
//! that knows neither actions nor scenarios; nothing is there until it is first mentioned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ledger::Ledger;
use crate::model::id::{RunId, SiteName};
use crate::model::run::words;
use crate::model::time::{Duration, Timestamp};

words! {
    /// What a database is to its copies.
    DatabaseRole {
        /// It accepts writes unless it is fenced.
        Primary = "primary",
        /// It follows a primary.
        Replica = "replica",
    }
}

/// A database server, instance or cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Site it is in, where known.
    pub site: Option<SiteName>,
    /// Site of its primary while it follows one.
    pub source: Option<SiteName>,
    /// What it is.
    pub role: DatabaseRole,
    /// When it was kept from accepting writes.
    pub fenced_at: Option<Timestamp>,
    /// How far its data reaches, where that stands still: it was promoted or restored.
    pub recovery_point: Option<Timestamp>,
}

/// Limits and wanted size of something that has instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Smallest number.
    pub min: u32,
    /// Largest number.
    pub max: u32,
    /// Number asked for.
    pub wanted: u32,
}

/// Something that has instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Limits and wanted size.
    pub size: Size,
    /// Instances in service when the size was last changed.
    pub before: u32,
    /// Instances in service once those that can come have come.
    pub arrives: u32,
    /// When the size was last changed.
    pub since: Timestamp,
    /// When those that can come have come.
    pub ready_at: Timestamp,
}

impl Capacity {
    /// Instances in service at a time; they come one after the other.
    #[must_use]
    pub fn in_service(&self, at: Timestamp) -> u32 {
        let whole = self.ready_at.since(self.since).as_millis();
        let passed = at.since(self.since).as_millis();
        if passed >= whole {
            return self.arrives;
        }
        let moved = u64::from(self.before.abs_diff(self.arrives)) * passed / whole.max(1);
        let moved = u32::try_from(moved).unwrap_or(u32::MAX);
        if self.arrives >= self.before { self.before + moved } else { self.before - moved }
    }
}

/// Anything that has a value: a record, a weight, a health check, a routing control, a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// How long caches keep it.
    pub ttl: Duration,
    /// When caches have forgotten the value before.
    pub cached_until: Option<Timestamp>,
}

/// Format of a stored estate.
const FORMAT: u32 = 1;

/// Everything the simulation knows. Lives as long as the simulated world, over any number of runs and engine
/// crashes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estate {
    format: u32,
    pub(super) runs: BTreeMap<RunId, Timestamp>,
    pub(super) databases: BTreeMap<String, Database>,
    pub(super) capacities: BTreeMap<String, Capacity>,
    pub(super) settings: BTreeMap<String, Setting>,
    pub(super) backups: BTreeMap<String, Timestamp>,
    pub(super) rule_hits: BTreeMap<String, u32>,
    pub(super) tokens: BTreeMap<RunId, u64>,
    pub(super) ledger: Ledger,
}

impl Default for Estate {
    fn default() -> Self {
        Self {
            format: FORMAT,
            runs: BTreeMap::new(),
            databases: BTreeMap::new(),
            capacities: BTreeMap::new(),
            settings: BTreeMap::new(),
            backups: BTreeMap::new(),
            rule_hits: BTreeMap::new(),
            tokens: BTreeMap::new(),
            ledger: Ledger::default(),
        }
    }
}

impl Estate {
    /// Every effect that was applied.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Databases by name.
    #[must_use]
    pub fn databases(&self) -> &BTreeMap<String, Database> {
        &self.databases
    }

    /// Things that have instances, by name.
    #[must_use]
    pub fn capacities(&self) -> &BTreeMap<String, Capacity> {
        &self.capacities
    }

    /// Settings by name.
    #[must_use]
    pub fn settings(&self) -> &BTreeMap<String, Setting> {
        &self.settings
    }

    /// Names of the databases that are primaries nobody has fenced, whether or not their site lives. More
    /// than one of the same data in living sites is a split brain.
    #[must_use]
    pub fn unfenced_primaries(&self) -> Vec<&str> {
        let open =
            |database: &Database| database.role == DatabaseRole::Primary && database.fenced_at.is_none();
        self.databases.iter().filter(|(_, it)| open(it)).map(|(name, _)| name.as_str()).collect()
    }

    pub(super) fn has_known_format(&self) -> bool {
        self.format == FORMAT
    }

    /// Remembers when a run was first seen.
    pub(super) fn run_started(&mut self, run: &RunId, now: Timestamp) -> Timestamp {
        *self.runs.entry(run.clone()).or_insert(now)
    }

    /// Makes everything true that has become true by now.
    pub(super) fn settle(&mut self, now: Timestamp) {
        for (at, change) in self.ledger.take_due(now) {
            self.apply(&change, at);
        }
    }

    /// Begins a change of size, of which instances for `arrives` come until `ready_at`.
    pub(super) fn begin_scale(
        &mut self,
        group: &str,
        size: Size,
        arrives: u32,
        now: Timestamp,
        ready_at: Timestamp,
    ) {
        if let Some(capacity) = self.capacities.get_mut(group) {
            let before = capacity.in_service(now);
            *capacity = Capacity { size, before, arrives, since: now, ready_at };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_come_one_after_the_other() {
        let at = |seconds| Timestamp::from_millis(0).plus(Duration::from_secs(seconds));
        let size = Size { min: 0, max: 10, wanted: 10 };
        let capacity = Capacity { size, before: 2, arrives: 10, since: at(0), ready_at: at(80) };
        assert_eq!([0, 10, 45, 80, 500].map(|s| capacity.in_service(at(s))), [2, 3, 6, 10, 10]);
        let shrinking = Capacity { before: 10, arrives: 0, ..capacity };
        assert_eq!([0, 40, 80].map(|s| shrinking.in_service(at(s))), [10, 5, 0]);
    }
}
