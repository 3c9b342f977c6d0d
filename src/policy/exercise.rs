//! How long ago a service was last exercised.

use super::{Finding, select, severity};
use crate::compile::{Code, Severity};
use crate::model::governance::Policy;
use crate::model::run::Operation;
use crate::model::runbook::Runbook;
use crate::model::time::Timestamp;

/// What the policy says to the time of the last exercise: a drill or a move that succeeded. `None`: there
/// was none. A failover is warned, never refused.
#[must_use]
pub fn exercise(
    policy: &Policy,
    runbook: &Runbook,
    operation: Operation,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Finding> {
    let demands = policy.drills.iter().enumerate();
    let demands = demands.filter(|(_, demand)| select::fits(&demand.select, runbook, operation));
    let stale = demands.filter(|(_, demand)| last.is_none_or(|last| now.since(last) > demand.freshness));
    let found = stale.map(|(at, demand)| {
        let age = last.map_or_else(
            || format!("{} was never exercised", runbook.metadata.name),
            |last| format!("{} was exercised {} ago", runbook.metadata.name, now.since(last)),
        );
        let message = format!("{age}; the policy wants a drill every {}", demand.freshness);
        let severity = match (operation, severity(demand.severity)) {
            (Operation::Failover, Severity::Error) => Severity::Warning,
            (_, severity) => severity,
        };
        Finding::new(Code::DrillStale, severity, format!("drills[{at}]"), message).help("plan a drill")
    });
    found.collect()
}
