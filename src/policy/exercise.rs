//! How long ago a service was last exercised, and how much of it.

use super::{Finding, select, severity};
use crate::compile::{Code, Severity};
use crate::model::governance::{DrillDemand, Policy};
use crate::model::run::Operation;
use crate::model::runbook::Runbook;
use crate::model::time::{Duration, Timestamp};

/// What was exercised of a service.
#[derive(Clone, Copy)]
pub struct Exercised<'a> {
    /// When the last failover or switchover, real or drilled, that succeeded was over; `None`: there was
    /// none.
    pub last: Option<Timestamp>,
    /// Part of the steps of the failover that were exercised within a time up to now, in percent; `None`: it
    /// has no steps.
    pub covered: &'a dyn Fn(Duration) -> Option<usize>,
}

/// What the policy says to what was exercised. A failover is warned, never refused.
#[must_use]
pub fn exercise(
    policy: &Policy,
    runbook: &Runbook,
    operation: Operation,
    exercised: Exercised<'_>,
    now: Timestamp,
) -> Vec<Finding> {
    let demands = policy.drills.iter().enumerate();
    let demands = demands.filter(|(_, demand)| select::fits(&demand.select, runbook, operation));
    let found = demands.flat_map(|(at, demand)| {
        let severity = match (operation, severity(demand.severity)) {
            (Operation::Failover, Severity::Error) => Severity::Warning,
            (_, severity) => severity,
        };
        let breaches = [old(demand, runbook, exercised.last, now), thin(demand, runbook, exercised)];
        breaches.into_iter().flatten().map(move |message| {
            Finding::new(Code::DrillStale, severity, format!("drills[{at}]"), message).help("plan a drill")
        })
    });
    found.collect()
}

fn old(demand: &DrillDemand, runbook: &Runbook, last: Option<Timestamp>, now: Timestamp) -> Option<String> {
    if last.is_some_and(|last| now.since(last) <= demand.freshness) {
        return None;
    }
    let age = last.map_or_else(
        || format!("{} was never exercised", runbook.metadata.name),
        |last| format!("{} was exercised {} ago", runbook.metadata.name, now.since(last)),
    );
    Some(format!("{age}; the policy wants a drill every {}", demand.freshness))
}

fn thin(demand: &DrillDemand, runbook: &Runbook, exercised: Exercised<'_>) -> Option<String> {
    let wanted = demand.coverage?;
    let covered = (exercised.covered)(demand.freshness)?;
    (covered < usize::from(wanted)).then(|| {
        format!(
            "{covered} % of the failover of {} was exercised in {}; the policy wants {wanted} %",
            runbook.metadata.name, demand.freshness
        )
    })
}
