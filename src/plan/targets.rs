//! Ranks the sites a service could move to: residency and readiness decide whether, capacity and cost which
//! first.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::Choices;
use crate::model::id::SiteName;
use crate::model::runbook::Runbook;
use crate::model::values::{Site, SiteRole, USUAL_COST, preference};

/// A site a service could have moved to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The site.
    pub site: SiteName,
    /// Why it cannot be moved to; absent: it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Share of the whole load it can carry, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
    /// Cost relative to the others, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_weight: Option<f64>,
}

impl Target {
    /// The site and what it was ranked by, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let capacity = self.capacity.map(|share| format!("capacity {} %", (share * 100.0).round()));
        let cost = self.cost_weight.map(|cost| format!("cost {cost}"));
        let facts: Vec<_> = self.refused.clone().into_iter().chain(capacity).chain(cost).collect();
        if facts.is_empty() { self.site.to_string() } else { format!("{} ({})", self.site, facts.join(", ")) }
    }
}

/// The sites and what they were ranked by, for people: also what was taken where a site does not say.
#[must_use]
pub fn ranking(targets: &[Target]) -> Vec<String> {
    let some_say = targets.iter().any(|target| target.cost_weight.is_some());
    let told = |target: &Target| {
        let mut target = target.clone();
        let silent = some_say && target.cost_weight.is_none();
        if silent {
            target.cost_weight = Some(USUAL_COST);
        }
        let shown = target.shown();
        if silent { shown.replacen("cost 1", "cost 1 by default", 1) } else { shown }
    };
    targets.iter().map(told).collect()
}

/// Every site the service could move to from another, the best first and those it cannot move to last.
pub(super) fn ranked(runbook: &Runbook, choices: &Choices, from: &SiteName) -> Vec<Target> {
    // Once the service has moved, the roles in the file no longer say where it may go.
    let moved = runbook.sites.get(from).is_some_and(|site| site.role == SiteRole::Standby);
    let possible =
        |(name, site): &(&SiteName, &Site)| *name != from && (moved || site.role == SiteRole::Standby);
    let mut targets: Vec<Target> = (runbook.sites.iter().filter(possible))
        .map(|(name, site)| Target {
            site: name.clone(),
            refused: refusal(runbook, choices, name, site),
            capacity: site.capacity,
            cost_weight: site.cost_weight,
        })
        .collect();
    targets.sort_by(|left, right| better(left, right).then_with(|| left.site.cmp(&right.site)));
    targets
}

/// Whether two targets are equally good: nothing but their names tells them apart.
pub(super) fn are_equal(left: &Target, right: &Target) -> bool {
    better(left, right) == Ordering::Equal
}

fn better(left: &Target, right: &Target) -> Ordering {
    let facts = |target: &Target| (target.capacity, target.cost_weight);
    (left.refused.is_some().cmp(&right.refused.is_some())).then_with(|| preference(facts(left), facts(right)))
}

fn refusal(runbook: &Runbook, choices: &Choices, name: &SiteName, site: &Site) -> Option<String> {
    if !may_hold_data(runbook, site) {
        let lies = site.jurisdiction.as_ref();
        let lies = lies.map_or_else(|| "names no jurisdiction".to_owned(), |at| format!("lies in {at}"));
        return Some(format!("residency: {lies}"));
    }
    choices.unready.get(name).cloned()
}

/// Whether residency allows the service's data at a site.
pub(super) fn may_hold_data(runbook: &Runbook, site: &Site) -> bool {
    runbook.residency.as_ref().is_none_or(|residency| residency.allows(site))
}
