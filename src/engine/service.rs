//! The service record: where a service is, whatever its runbook says. A fold of its own stream.

use std::collections::BTreeMap;

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
}

impl ServiceRecord {
    /// Folds one fact into the record.
    pub fn apply(&mut self, event: &ServiceEvent, at: Timestamp) {
        match event {
            ServiceEvent::Moved { site, from, run } => {
                if let Some(from) = from.as_ref().filter(|from| *from != site) {
                    self.quarantined.insert(from.clone(), run.clone());
                }
                self.quarantined.remove(site);
                self.settle(site, Some(run.clone()), at);
            }
            ServiceEvent::Left { site, run } => {
                self.left.insert(site.clone(), run.clone());
            }
            ServiceEvent::Readmitted { site, .. } => {
                self.left.remove(site);
            }
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

    fn settle(&mut self, site: &SiteName, run: Option<RunId>, at: Timestamp) {
        self.active = Some(site.clone());
        self.since = Some(at);
        self.run = run;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_was_left_is_out_until_it_is_taken_back() {
        let site = |name: &str| SiteName::new(name).unwrap();
        let run = |name: &str| RunId::new(name).unwrap();
        let mut record = ServiceRecord::default();
        let at = Timestamp::from_millis(0);
        record.apply(&ServiceEvent::Left { site: site("a"), run: run("run-1") }, at);
        record.apply(&ServiceEvent::Left { site: site("b"), run: run("run-2") }, at);
        assert_eq!(record.unready().into_keys().collect::<Vec<_>>(), [site("a"), site("b")]);
        assert_eq!(record.active, None, "it runs in several sites at once");
        record.apply(&ServiceEvent::Readmitted { site: site("a"), run: run("run-3") }, at);
        assert_eq!(record.unready(), BTreeMap::from([(site("b"), "out since run-2 left it".to_owned())]));
    }
}
