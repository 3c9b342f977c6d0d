//! What of a runbook was exercised: its steps, branches, modes, directions, approvers and ways back, from
//! recorded runs. Pure; counts nothing that was skipped, simulated, done by hand or done otherwise.

mod past;
mod shape;
mod sides;
mod unit;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::{IndexedPlan, RunState};
use crate::model::id::RunId;
use crate::model::run::{Mode, Operation};
use crate::model::runbook::Runbook;
use crate::model::time::Timestamp;
use crate::plan;

pub use shape::{Coverage, OperationUse, RunUse, Seen, StepState, StepUse};
pub use sides::{ApproverUse, BranchUse, DirectionUse, ModeUse, UndoUse};

/// What a step counts as exercised by.
pub const DEFINITION: &str = "exercised steps of the runbook as it is now, of all its steps. A step counts when \
    drctl performed it, in a real run or in an isolated or live drill of the window, with the action and \
    the parameters that it has now. What was skipped, found done already, done by a person instead, failed, \
    simulated, or replaced in a drill does not count.";

/// A recorded run.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// Its plan.
    pub plan: &'a IndexedPlan,
    /// Its state.
    pub state: &'a RunState,
}

/// The time that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Window {
    /// From here on.
    pub since: Timestamp,
    /// Until here.
    pub until: Timestamp,
}

/// Measures what of a runbook was exercised by runs, newest first.
#[must_use]
pub fn coverage(runbook: &Runbook, runs: &[Past<'_>], window: Window) -> Coverage {
    let digest = plan::of_runbook(runbook);
    let (units, problems) = unit::units(runbook);
    let mut tally = past::Tally::new(runbook, &digest, units, window);
    let looked: Vec<RunUse> = runs.iter().filter_map(|past| tally.add(*past)).collect();
    let known: BTreeSet<&RunId> = looked.iter().map(|run| &run.run).collect();
    let counted: Vec<Past<'_>> =
        runs.iter().copied().filter(|past| known.contains(&past.state.created.run)).collect();
    let steps = tally.steps();
    let exercised = |step: &&StepUse| step.state == StepState::Exercised;
    let operations = operations(runbook, &steps);
    Coverage {
        service: runbook.metadata.name.clone(),
        runbook_digest: digest.clone(),
        window,
        definition: DEFINITION,
        exercised: steps.iter().filter(exercised).count(),
        steps_total: steps.len(),
        percent: percent(steps.iter().filter(exercised).count(), steps.len()),
        operations,
        branches: tally.branches(),
        modes: sides::modes(runbook, &counted),
        directions: sides::directions(runbook, &counted),
        approvers: sides::approvers(&counted),
        undo: tally.undo(),
        steps,
        runs: looked,
        problems,
    }
}

fn operations(runbook: &Runbook, steps: &[StepUse]) -> Vec<OperationUse> {
    let known: BTreeMap<Operation, Operation> = [
        (Operation::Failover, Operation::Failover),
        (Operation::Switchover, Operation::Failover),
        (Operation::Failback, Operation::Failback),
    ]
    .into();
    let of = |(operation, workflow): (Operation, Operation)| {
        let mode = Mode::of(operation);
        let own: Vec<&StepUse> = steps
            .iter()
            .filter(|step| step.workflow == workflow && step.mode.is_none_or(|only| only == mode))
            .collect();
        let exercised = own.iter().filter(|step| step.state == StepState::Exercised).count();
        let percent = percent(exercised, own.len());
        OperationUse { operation, mode, exercised, steps: own.len(), percent }
    };
    known.into_iter().filter(|(_, workflow)| unit::has(runbook, *workflow)).map(of).collect()
}

fn percent(part: usize, whole: usize) -> Option<usize> {
    (part * 100).checked_div(whole)
}
