//! What a fleet can know of the runbooks it may name. Plain data, handed in.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::id::{ServiceName, SiteName};
use crate::model::runbook::Runbook;
use crate::model::values::Parameter;

/// What a fleet can know of a runbook.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its sites.
    pub sites: BTreeSet<SiteName>,
    /// What is asked for when it is planned.
    pub parameters: BTreeMap<String, Parameter>,
    /// Services whose runbooks its steps run.
    pub runs: BTreeSet<ServiceName>,
    /// Another file is about the same service.
    pub twice: Option<Twice>,
    /// The file, where it does not compile: nothing else is known of it then.
    pub broken: Option<String>,
}

/// Two files about one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twice {
    /// Where they are.
    pub places: [String; 2],
    /// Labels of the second; `None` where it does not compile.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Runbooks that can be members, by service.
pub type Directory = BTreeMap<ServiceName, Listed>;

impl Listed {
    /// What is known of a runbook whose steps run those of some services.
    #[must_use]
    pub fn of(runbook: &Runbook, runs: BTreeSet<ServiceName>) -> Self {
        Self {
            labels: runbook.metadata.labels.clone(),
            sites: runbook.sites.keys().cloned().collect(),
            parameters: runbook.parameters.clone(),
            runs,
            twice: None,
            broken: None,
        }
    }

    /// Says whether the runbook carries all of these labels, or another one of the service may.
    pub(super) fn carries(&self, labels: &BTreeMap<String, String>) -> bool {
        let all = |own: &BTreeMap<String, String>| {
            labels.iter().all(|(label, value)| own.get(label) == Some(value))
        };
        let other = self.twice.as_ref().is_some_and(|twice| twice.labels.as_ref().is_none_or(all));
        self.broken.is_none() && (all(&self.labels) || other)
    }
}
