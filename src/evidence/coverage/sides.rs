//! What is exercised beside steps: modes, directions, and the people who agree.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::unit::has;
use super::{Past, Seen};
use crate::model::drill::DrillLevel;
use crate::model::id::{SiteName, StepId};
use crate::model::run::{Mode, Operation, RunStatus};
use crate::model::runbook::Runbook;
use crate::model::time::Timestamp;
use crate::plan::{cases, plan_of};

/// A condition of a step, each way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BranchUse {
    /// Which steps it is one of.
    pub workflow: Operation,
    /// The step.
    pub step: StepId,
    /// The condition.
    pub when: String,
    /// It was true, and the step was performed.
    pub taken: Seen,
    /// It was false, and the step left out.
    pub left_out: Seen,
}

/// An operation in a mode that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModeUse {
    /// The operation.
    pub operation: Operation,
    /// The mode.
    pub mode: Mode,
    /// Runs that succeeded so.
    #[serde(flatten)]
    pub seen: Seen,
}

/// A way from one site to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DirectionUse {
    /// Site that is left.
    pub from: Option<SiteName>,
    /// Site that is moved to.
    pub to: Option<SiteName>,
    /// Runs that succeeded on that way.
    #[serde(flatten)]
    pub seen: Seen,
    /// Whether one of them moved the service, and did not only rehearse that inside a boundary.
    pub moved: bool,
}

/// Somebody who has granted something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ApproverUse {
    /// Name.
    pub name: String,
    /// Runs in which that was.
    #[serde(flatten)]
    pub seen: Seen,
}

/// A way back: the undo of a step, or a step that cleans a drill up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UndoUse {
    /// `undo` or `cleanup`.
    pub kind: &'static str,
    /// Which steps it is one of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Operation>,
    /// The step.
    pub step: String,
    /// Runs in which it was performed.
    #[serde(flatten)]
    pub seen: Seen,
}

fn at(past: &Past<'_>) -> Timestamp {
    past.state.clock.ended_at.unwrap_or(past.state.last_at)
}

fn succeeded(past: Past<'_>) -> bool {
    matches!(
        past.state.status,
        RunStatus::Succeeded | RunStatus::SucceededWithWarnings | RunStatus::AwaitingAttestation
    )
}

/// Every operation in either mode.
pub(super) fn modes(runbook: &Runbook, runs: &[Past<'_>]) -> Vec<ModeUse> {
    let mut modes: BTreeMap<(Operation, Mode), Seen> = BTreeMap::new();
    for operation in Operation::ALL.iter().filter(|operation| has(runbook, **operation)) {
        // A planned move is graceful unless its source is lost on the way.
        modes.insert((*operation, Mode::of(*operation)), Seen::default());
        modes.insert((*operation, Mode::Graceful), Seen::default());
    }
    for past in runs.iter().filter(|past| succeeded(**past)) {
        let (run, operation) = (&past.state.created.run, past.state.created.operation);
        modes.entry((operation, past.state.mode)).or_default().add(run, at(past));
        if past.state.clock.returned_at.is_some() {
            modes.entry((Operation::Failback, Mode::Graceful)).or_default().add(run, at(past));
        }
    }
    modes.into_iter().map(|((operation, mode), seen)| ModeUse { operation, mode, seen }).collect()
}

/// Every way the runbook knows, and every other that was taken.
pub(super) fn directions(runbook: &Runbook, runs: &[Past<'_>]) -> Vec<DirectionUse> {
    type Ends = (Option<SiteName>, Option<SiteName>);
    let mut ways: BTreeMap<Ends, (Seen, bool)> = BTreeMap::new();
    let none = BTreeMap::new();
    for case in cases(runbook).iter().filter(|case| case.mode == Mode::Graceful) {
        if let Ok(plan) = plan_of(runbook, case, &none) {
            ways.entry((plan.from, plan.to)).or_default();
        }
    }
    for past in runs.iter().filter(|past| succeeded(**past)) {
        let created = &past.state.created;
        let level = past.plan.plan.drill.as_ref().map(|drill| drill.level);
        let moved = level.is_none_or(|level| level == DrillLevel::Live);
        let way = ways.entry((created.from.clone(), created.to.clone())).or_default();
        way.0.add(&created.run, at(past));
        way.1 |= moved;
        if past.state.clock.returned_at.is_some() {
            let way = ways.entry((created.to.clone(), created.from.clone())).or_default();
            way.0.add(&created.run, at(past));
            way.1 = true;
        }
    }
    ways.into_iter().map(|((from, to), (seen, moved))| DirectionUse { from, to, seen, moved }).collect()
}

/// Everybody who has granted an approval or opened a gate.
pub(super) fn approvers(runs: &[Past<'_>]) -> Vec<ApproverUse> {
    let mut people: BTreeMap<String, Seen> = BTreeMap::new();
    for past in runs {
        let votes = past.state.nodes.iter().flat_map(|node| &node.votes);
        let granted = votes.filter(|(_, granted)| *granted).map(|(by, _)| by.name.as_str());
        let said = past.state.interventions.iter().filter(|said| said.verb == "approve");
        let names: BTreeSet<&str> = granted.chain(said.map(|said| said.by.name.as_str())).collect();
        for name in names {
            people.entry(name.to_owned()).or_default().add(&past.state.created.run, at(past));
        }
    }
    people.into_iter().map(|(name, seen)| ApproverUse { name, seen }).collect()
}
