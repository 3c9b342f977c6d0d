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
            ServiceEvent::Reprotected { site, .. } | ServiceEvent::ReprotectedByHand { site, .. } => {
                self.quarantined.remove(site);
            }
            ServiceEvent::Set { site, .. } => {
                self.quarantined.remove(site);
                self.settle(site, None, at);
            }
        }
    }

    fn settle(&mut self, site: &SiteName, run: Option<RunId>, at: Timestamp) {
        self.active = Some(site.clone());
        self.since = Some(at);
        self.run = run;
    }
}
