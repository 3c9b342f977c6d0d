//! The service record: where a service is, whatever its runbook says. A fold of its own stream.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::id::{RunId, SiteName};
use crate::model::run::Identity;
use crate::model::time::Timestamp;

/// A fact about a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceEvent {
    /// A run moved the service.
    Moved {
        /// Where it is now.
        site: SiteName,
        /// Where it was; quarantined until it is protected again.
        from: Option<SiteName>,
        /// The run.
        run: RunId,
    },
    /// A run took a site out of a service that runs in several at once.
    Left {
        /// The site.
        site: SiteName,
        /// The run.
        run: RunId,
    },
    /// A run took such a site back in.
    Readmitted {
        /// The site.
        site: SiteName,
        /// The run.
        run: RunId,
    },
    /// A run took back all that it had moved: the service is where it was before.
    TakenBack {
        /// Where it is again; `None` for one that runs in several sites at once.
        site: Option<SiteName>,
        /// The run.
        run: RunId,
    },
    /// A site may be used again: replication runs towards it.
    Reprotected {
        /// The site.
        site: SiteName,
        /// The run.
        run: RunId,
    },
    /// A person says that a site may be used again: it was rebuilt by hand.
    ReprotectedByHand {
        /// The site.
        site: SiteName,
        /// Who says so.
        by: Identity,
        /// Why.
        reason: String,
    },
    /// A person says where the service is.
    Set {
        /// Where it is.
        site: SiteName,
        /// Who says so.
        by: Identity,
        /// Why.
        reason: String,
    },
}

impl ServiceEvent {
    /// The type under which the event is stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Moved { .. } => "service_moved",
            Self::Left { .. } => "service_left",
            Self::Readmitted { .. } => "service_readmitted",
            Self::TakenBack { .. } => "service_taken_back",
            Self::Reprotected { .. } => "service_reprotected",
            Self::ReprotectedByHand { .. } => "service_reprotected_by_hand",
            Self::Set { .. } => "service_set",
        }
    }
}

/// Where a service is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceRecord {
    /// The site it runs in; `None` before anything was recorded.
    pub active: Option<SiteName>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The run that moved it there.
    pub run: Option<RunId>,
    /// Sites that must be protected again before the service may go there, with the run that left them.
    pub quarantined: BTreeMap<SiteName, RunId>,
    /// Sites that were taken out of a service that runs in several at once, with the run that did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<SiteName, RunId>,
    /// What the last run that moved it found, for when it takes that back.
    #[serde(skip)]
    before: Option<Before>,
}

/// What a run found before it moved a service.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Before {
    run: RunId,
    active: Option<SiteName>,
    quarantined: BTreeMap<SiteName, RunId>,
    left: BTreeMap<SiteName, RunId>,
    /// Sites of which the run has said something since.
    touched: BTreeSet<SiteName>,
    /// Where it has moved the service.
    to: Option<SiteName>,
}

impl ServiceRecord {
    /// Folds one fact into the record.
    pub fn apply(&mut self, event: &ServiceEvent, at: Timestamp) {
        match event {
            ServiceEvent::Moved { site, from, run } => {
                self.note(run, [Some(site), from.as_ref()], Some(site));
                if let Some(from) = from.as_ref().filter(|from| *from != site) {
                    self.quarantined.insert(from.clone(), run.clone());
                }
                self.quarantined.remove(site);
                self.settle(site, Some(run.clone()), at);
            }
            ServiceEvent::Left { site, run } => {
                self.note(run, [Some(site), None], None);
                self.left.insert(site.clone(), run.clone());
            }
            ServiceEvent::Readmitted { site, run } => {
                self.note(run, [Some(site), None], None);
                self.left.remove(site);
            }
            ServiceEvent::TakenBack { site, run } => self.take_back(site.as_ref(), run, at),
            ServiceEvent::Reprotected { site, .. } | ServiceEvent::ReprotectedByHand { site, .. } => {
                self.quarantined.remove(site);
                self.left.remove(site);
            }
            ServiceEvent::Set { site, .. } => {
                self.quarantined.remove(site);
                self.left.remove(site);
                self.settle(site, None, at);
            }
        }
    }

    /// Sites the service cannot count on, and why.
    #[must_use]
    pub fn unready(&self) -> BTreeMap<SiteName, String> {
        let quarantined = self.quarantined.iter();
        let quarantined =
            quarantined.map(|(site, run)| (site.clone(), format!("quarantined since {run} left it")));
        let left = self.left.iter().map(|(site, run)| (site.clone(), format!("out since {run} left it")));
        left.chain(quarantined).collect()
    }

    /// Keeps what a run finds before it says anything of these sites.
    fn note(&mut self, run: &RunId, sites: [Option<&SiteName>; 2], to: Option<&SiteName>) {
        if self.before.as_ref().is_none_or(|before| before.run != *run) {
            self.before = Some(Before {
                run: run.clone(),
                active: self.active.clone(),
                quarantined: self.quarantined.clone(),
                left: self.left.clone(),
                touched: BTreeSet::new(),
                to: None,
            });
        }
        if let Some(before) = &mut self.before {
            before.touched.extend(sites.into_iter().flatten().cloned());
            before.to = to.cloned().or(before.to.take());
        }
    }

    /// Says again of the sites that a run has moved the service between what was said before it.
    fn take_back(&mut self, site: Option<&SiteName>, run: &RunId, at: Timestamp) {
        let Some(before) = self.before.take_if(|before| before.run == *run) else { return };
        for touched in before.touched {
            put_back(&mut self.quarantined, &touched, &before.quarantined);
            put_back(&mut self.left, &touched, &before.left);
        }
        // What a person has said meanwhile stays.
        if before.to.is_none() || self.active != before.to {
            return;
        }
        if let Some(site) = site.cloned().or(before.active) {
            self.settle(&site, Some(run.clone()), at);
        } else {
            (self.active, self.since, self.run) = (None, None, None);
        }
    }

    fn settle(&mut self, site: &SiteName, run: Option<RunId>, at: Timestamp) {
        self.active = Some(site.clone());
        self.since = Some(at);
        self.run = run;
    }
}

fn put_back(entries: &mut BTreeMap<SiteName, RunId>, site: &SiteName, before: &BTreeMap<SiteName, RunId>) {
    match before.get(site) {
        Some(run) => drop(entries.insert(site.clone(), run.clone())),
        None => drop(entries.remove(site)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_was_left_is_out_until_it_is_taken_back() {
        let mut record = ServiceRecord::default();
        let at = Timestamp::from_millis(0);
        record.apply(&ServiceEvent::Left { site: site("a"), run: run("run-1") }, at);
        record.apply(&ServiceEvent::Left { site: site("b"), run: run("run-2") }, at);
        assert_eq!(record.unready().into_keys().collect::<Vec<_>>(), [site("a"), site("b")]);
        assert_eq!(record.active, None, "it runs in several sites at once");
        record.apply(&ServiceEvent::Readmitted { site: site("a"), run: run("run-3") }, at);
        assert_eq!(record.unready(), BTreeMap::from([(site("b"), "out since run-2 left it".to_owned())]));
    }

    fn site(name: &str) -> SiteName {
        SiteName::new(name).unwrap()
    }

    fn run(name: &str) -> RunId {
        RunId::new(name).unwrap()
    }

    fn moved(from: &str, to: &str, by: &str) -> ServiceEvent {
        ServiceEvent::Moved { site: site(to), from: Some(site(from)), run: run(by) }
    }

    fn taken_back(to: Option<&str>, by: &str) -> ServiceEvent {
        ServiceEvent::TakenBack { site: to.map(site), run: run(by) }
    }

    fn folded(events: &[ServiceEvent]) -> ServiceRecord {
        let mut record = ServiceRecord::default();
        for (event, at) in events.iter().zip(0..) {
            record.apply(event, Timestamp::from_millis(at));
        }
        record
    }

    #[test]
    fn what_a_run_took_back_is_said_as_before_it() {
        let record = folded(&[moved("east", "west", "run-1"), taken_back(Some("east"), "run-1")]);
        assert_eq!((record.active, record.run), (Some(site("east")), Some(run("run-1"))));
        assert_eq!((record.quarantined, record.since), (BTreeMap::new(), Some(Timestamp::from_millis(1))));
        // A failback that was taken back: the site it went to is no more to be counted on than before.
        let there = moved("east", "west", "run-1");
        let record =
            folded(&[there.clone(), moved("west", "east", "run-2"), taken_back(Some("west"), "run-2")]);
        assert_eq!(record.active, Some(site("west")));
        assert_eq!(record.quarantined, BTreeMap::from([(site("east"), run("run-1"))]));
        // Another run has nothing to say about it, and nobody says it twice.
        let twice = [there, taken_back(Some("east"), "run-2"), taken_back(Some("east"), "run-1")];
        let record = folded(&[&twice[..], &[taken_back(Some("west"), "run-1")]].concat());
        assert_eq!(record.active, Some(site("east")));
    }

    #[test]
    fn what_a_person_said_since_stays_when_a_run_is_taken_back() {
        let said = ServiceEvent::Set {
            site: site("north"),
            by: Identity::asserted("ann"),
            reason: "moved by hand".to_owned(),
        };
        let record = folded(&[moved("east", "west", "run-1"), said, taken_back(Some("east"), "run-1")]);
        assert_eq!((record.active, record.quarantined), (Some(site("north")), BTreeMap::new()));
    }

    #[test]
    fn a_site_that_was_left_or_taken_back_in_is_again_what_it_was() {
        let left = ServiceEvent::Left { site: site("a"), run: run("run-1") };
        let record = folded(&[left.clone(), taken_back(None, "run-1")]);
        assert_eq!((record.left, record.active), (BTreeMap::new(), None));
        let back = ServiceEvent::Readmitted { site: site("a"), run: run("run-2") };
        let record = folded(&[left, back, taken_back(None, "run-2")]);
        assert_eq!(record.left, BTreeMap::from([(site("a"), run("run-1"))]));
    }
}
