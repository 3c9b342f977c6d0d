//! Changes of the estate: what they make true, what was there before, and how they are reversed. Decides
//! neither when a change happens nor whether it may.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::estate::{Capacity, Database, DatabaseRole, Estate, Setting, Size};
use crate::model::id::SiteName;
use crate::model::time::{Duration, Timestamp};

/// One setting and its new value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingChange {
    /// Name of the setting.
    pub name: String,
    /// Value afterwards.
    pub wanted: Value,
    /// Value it had before anybody mentioned it.
    pub initially: Value,
    /// TTL afterwards; absent: unchanged.
    pub ttl: Option<Duration>,
}

/// What an action changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Nothing the model knows, such as the effect of a program.
    Nothing,
    /// A primary accepts no more writes.
    Fence {
        /// The database.
        database: String,
        /// Where it is.
        site: Option<SiteName>,
    },
    /// A primary accepts writes again.
    Release {
        /// The database.
        database: String,
    },
    /// A replica becomes a primary.
    Promote {
        /// The database.
        database: String,
        /// Where it is.
        site: Option<SiteName>,
        /// Where its primary is.
        source: Option<SiteName>,
        /// How far its data reaches then.
        recovery_point: Timestamp,
    },
    /// A database becomes a replica; made where it does not exist.
    Follow {
        /// The database.
        database: String,
        /// Where it is.
        site: Option<SiteName>,
        /// Where its primary is.
        source: Option<SiteName>,
        /// It exists already, as an old primary.
        rejoins: bool,
    },
    /// A database is made from a copy.
    Restore {
        /// The database.
        database: String,
        /// Where it is.
        site: Option<SiteName>,
        /// How far its data reaches.
        recovery_point: Timestamp,
    },
    /// A resource is backed up.
    BackUp {
        /// The resource or the recovery point.
        resource: String,
        /// How far the data reaches.
        recovery_point: Timestamp,
    },
    /// A size is changed.
    Scale {
        /// What has the size.
        group: String,
        /// The size.
        size: Size,
        /// Instances that must be in service before the change is complete.
        enough: u32,
    },
    /// Settings are changed, all together.
    Set {
        /// The settings.
        settings: Vec<SettingChange>,
    },
}

/// What was there before a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Before {
    /// Nothing that could be restored.
    Nothing,
    /// Whether a database was fenced.
    Fenced(bool),
    /// A database was a primary.
    Led,
    /// A database was a replica of the one in this site.
    Followed(Option<SiteName>),
    /// A size.
    Size(Size),
    /// Settings by name.
    Settings(BTreeMap<String, Setting>),
}

impl Estate {
    /// Puts what a change is about where it would be before anybody touched it.
    pub(super) fn mention(&mut self, change: &Change, now: Timestamp) {
        match change {
            Change::Fence { database, site } => {
                self.mention_database(database, site.as_ref(), None, DatabaseRole::Primary);
            }
            Change::Follow { database, site, rejoins: true, .. } => {
                self.mention_database(database, site.as_ref(), None, DatabaseRole::Primary);
            }
            Change::Promote { database, site, source, .. } => {
                self.mention_database(database, site.as_ref(), source.as_ref(), DatabaseRole::Replica);
            }
            Change::Scale { group, size, .. } => self.mention_capacity(group, size, now),
            Change::Set { settings } => {
                for change in settings {
                    let ttl = Duration::from_secs(60);
                    let setting = Setting { value: change.initially.clone(), ttl, cached_until: None };
                    self.settings.entry(change.name.clone()).or_insert(setting);
                }
            }
            Change::Nothing
            | Change::Release { .. }
            | Change::Follow { .. }
            | Change::Restore { .. }
            | Change::BackUp { .. } => {}
        }
    }

    pub(super) fn mention_database(
        &mut self,
        name: &str,
        site: Option<&SiteName>,
        source: Option<&SiteName>,
        role: DatabaseRole,
    ) {
        self.databases.entry(name.to_owned()).or_insert_with(|| Database {
            site: site.cloned(),
            source: source.cloned(),
            role,
            fenced_at: None,
            recovery_point: None,
        });
    }

    /// A standby runs a quarter of what is asked of it now; what is emptied had two.
    fn mention_capacity(&mut self, group: &str, asked: &Size, now: Timestamp) {
        let running = if asked.wanted == 0 { 2 } else { asked.wanted / 4 };
        let size = Size { min: running.min(asked.min), max: running.max(1), wanted: running };
        self.capacities.entry(group.to_owned()).or_insert(Capacity {
            size,
            before: running,
            arrives: running,
            since: now,
            ready_at: now,
        });
    }

    /// Says whether a change would change nothing because all is as wanted.
    pub(super) fn is_true(&self, change: &Change, now: Timestamp) -> bool {
        let database = |name: &String| self.databases.get(name);
        match change {
            Change::Nothing | Change::BackUp { .. } => false,
            Change::Fence { database: name, .. } => database(name).is_some_and(|it| it.fenced_at.is_some()),
            Change::Release { database: name } => database(name).is_some_and(|it| it.fenced_at.is_none()),
            Change::Promote { database: name, .. } => {
                database(name).is_some_and(|it| it.role == DatabaseRole::Primary && it.fenced_at.is_none())
            }
            Change::Follow { database: name, .. } => {
                database(name).is_some_and(|it| it.role == DatabaseRole::Replica)
            }
            Change::Restore { database: name, .. } => database(name).is_some(),
            Change::Scale { group, size, enough } => {
                self.capacities.get(group).is_some_and(|it| it.size == *size && it.in_service(now) >= *enough)
            }
            Change::Set { settings } => settings.iter().all(|change| {
                self.settings.get(&change.name).is_some_and(|setting| {
                    setting.value == change.wanted && change.ttl.is_none_or(|ttl| ttl == setting.ttl)
                })
            }),
        }
    }

    /// What is there before a change.
    pub(super) fn before(&self, change: &Change) -> Before {
        match change {
            Change::Fence { database, .. } | Change::Release { database } => {
                Before::Fenced(self.databases.get(database).is_some_and(|it| it.fenced_at.is_some()))
            }
            Change::Promote { database, source, .. } => match self.databases.get(database) {
                Some(it) if it.role == DatabaseRole::Primary => Before::Led,
                Some(it) => Before::Followed(it.source.clone()),
                None => Before::Followed(source.clone()),
            },
            Change::Scale { group, .. } => {
                self.capacities.get(group).map_or(Before::Nothing, |capacity| Before::Size(capacity.size))
            }
            Change::Set { settings } => {
                let known = settings.iter().filter_map(|change| {
                    let setting = self.settings.get(&change.name)?;
                    Some((change.name.clone(), Setting { cached_until: None, ..setting.clone() }))
                });
                Before::Settings(known.collect())
            }
            Change::Nothing | Change::Follow { .. } | Change::Restore { .. } | Change::BackUp { .. } => {
                Before::Nothing
            }
        }
    }

    /// Makes a change true.
    pub(super) fn apply(&mut self, change: &Change, at: Timestamp) {
        self.mention(change, at);
        match change {
            // A size was changed when the operation began: instances come one after the other.
            Change::Nothing | Change::Scale { .. } => {}
            Change::Fence { database, .. } => self.with_database(database, |it| {
                it.fenced_at.get_or_insert(at);
            }),
            Change::Release { database } => self.with_database(database, |it| it.fenced_at = None),
            Change::Promote { database, recovery_point, .. } => self.with_database(database, |it| {
                if it.role == DatabaseRole::Replica {
                    it.recovery_point = Some(*recovery_point);
                }
                (it.role, it.source, it.fenced_at) = (DatabaseRole::Primary, None, None);
            }),
            Change::Follow { database, site, source, .. } => {
                self.mention_database(database, site.as_ref(), source.as_ref(), DatabaseRole::Replica);
                self.with_database(database, |it| {
                    (it.role, it.source, it.fenced_at) = (DatabaseRole::Replica, source.clone(), None);
                    it.recovery_point = None;
                });
            }
            Change::Restore { database, site, recovery_point } => {
                self.mention_database(database, site.as_ref(), None, DatabaseRole::Primary);
                self.with_database(database, |it| it.recovery_point = Some(*recovery_point));
            }
            Change::BackUp { resource, recovery_point } => {
                self.backups.insert(resource.clone(), *recovery_point);
            }
            Change::Set { settings } => self.set(settings, at),
        }
    }

    fn with_database(&mut self, name: &str, change: impl FnOnce(&mut Database)) {
        if let Some(database) = self.databases.get_mut(name) {
            change(database);
        }
    }

    fn set(&mut self, settings: &[SettingChange], at: Timestamp) {
        for change in settings {
            let Some(setting) = self.settings.get_mut(&change.name) else { continue };
            if setting.value != change.wanted {
                setting.cached_until = Some(at.plus(setting.ttl));
            }
            setting.value.clone_from(&change.wanted);
            setting.ttl = change.ttl.unwrap_or(setting.ttl);
        }
    }
}

impl Change {
    /// The change that restores what was there before this one; absent where nothing was recorded.
    pub(super) fn reversed(&self, before: &Before) -> Option<Self> {
        match (self, before) {
            (Self::Fence { database, .. }, Before::Fenced(false)) => {
                Some(Self::Release { database: database.clone() })
            }
            (Self::Fence { .. }, Before::Fenced(true)) => Some(self.clone()),
            (Self::Promote { .. }, Before::Led) => Some(Self::Nothing),
            (Self::Promote { database, site, .. }, Before::Followed(source)) => Some(Self::Follow {
                database: database.clone(),
                site: site.clone(),
                source: source.clone(),
                rejoins: true,
            }),
            (Self::Scale { group, .. }, Before::Size(size)) => {
                Some(Self::Scale { group: group.clone(), size: *size, enough: size.wanted })
            }
            (Self::Set { .. }, Before::Settings(settings)) => {
                let restored = settings.iter().map(|(name, setting)| SettingChange {
                    name: name.clone(),
                    wanted: setting.value.clone(),
                    initially: setting.value.clone(),
                    ttl: Some(setting.ttl),
                });
                Some(Self::Set { settings: restored.collect() })
            }
            _ => None,
        }
    }
}
