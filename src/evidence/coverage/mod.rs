//! What of a runbook was exercised: its steps, branches, modes, directions, approvers and ways back, from recorded
//! runs. Pure; counts nothing that was skipped, simulated, done by hand or done otherwise.

mod past;
mod sides;
mod unit;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::{IndexedPlan, RunState};
use crate::model::drill::DrillLevel;
use crate::model::id::{RunId, ServiceName, SiteName, StepId};
use crate::model::run::{Intent, Mode, Operation, Phase, RunStatus, words};
use crate::model::runbook::Runbook;
use crate::model::time::Timestamp;
use crate::plan;

pub use sides::{ApproverUse, BranchUse, DirectionUse, ModeUse, UndoUse};

/// What a step counts as exercised by.
pub const DEFINITION: &str = "exercised steps of the runbook as it is now, of all its steps. A step counts when \
    drctl performed it, in a real run or in an isolated or live drill of the window, with the action and the \
    parameters that it has now. What was skipped, found done already, done by a person instead, failed, simulated, \
    or replaced in a drill does not count.";

/// A recorded run.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// Its plan.
    pub plan: &'a IndexedPlan,
    /// Its state.
    pub state: &'a RunState,
}

/// The time that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// From here on.
    pub since: Timestamp,
    /// Until here.
    pub until: Timestamp,
}

words! {
    /// What became of a step in the window.
    StepState {
        /// Performed as it is now.
        Exercised = "exercised",
        /// Performed as it is now, but not for all of its items.
        Partial = "partial",
        /// Performed only before it was changed.
        Changed = "changed",
        /// Only something else was performed in its place, in a drill.
        Replaced = "replaced",
        /// Tried, and failed.
        Failed = "failed",
        /// Not performed.
        Never = "never",
    }
}

/// How often something happened, and when last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// In how many runs.
    pub times: usize,
    /// When last.
    pub last_at: Option<Timestamp>,
    /// In which run last.
    pub last_run: Option<RunId>,
}

impl Seen {
    /// Adds a run; one that is there already only brings its time.
    fn add(&mut self, run: &RunId, at: Timestamp) {
        let known = self.last_run.as_ref() == Some(run);
        self.times += usize::from(!known);
        if self.last_at.is_none_or(|last| last <= at) {
            (self.last_at, self.last_run) = (Some(at), Some(run.clone()));
        }
    }
}

/// A step of the runbook as it is now, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepUse {
    /// Which steps it is one of: those of a failover, which a switchover shares, or of a failback.
    pub workflow: Operation,
    /// The step.
    pub step: StepId,
    /// What people read.
    pub name: String,
    /// Where it stands in the recovery.
    pub phase: Option<Phase>,
    /// What it does.
    pub action: &'static str,
    /// The only mode in which it does that; absent: in both.
    pub mode: Option<Mode>,
    /// What became of it.
    pub state: StepState,
    /// How many items it has, where it is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<usize>,
    /// Runs that performed it as it is now.
    #[serde(flatten)]
    pub seen: Seen,
}

/// How much of an operation was exercised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperationUse {
    /// The operation, in its own mode.
    pub operation: Operation,
    /// That mode.
    pub mode: Mode,
    /// Steps that were exercised.
    pub exercised: usize,
    /// All steps.
    pub steps: usize,
    /// Their part, rounded down; absent: there are no steps.
    pub percent: Option<usize>,
}

/// A run that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunUse {
    /// The run.
    pub run: RunId,
    /// What it did.
    pub operation: Operation,
    /// Mode it ended in.
    pub mode: Mode,
    /// Real, or a drill.
    pub intent: Intent,
    /// How far the drill went.
    pub level: Option<DrillLevel>,
    /// Site it left.
    pub from: Option<SiteName>,
    /// Site it moved to.
    pub to: Option<SiteName>,
    /// What became of it.
    pub status: RunStatus,
    /// When it was over, or last heard of.
    pub at: Timestamp,
    /// Steps of the runbook as it is now that it performed.
    pub steps: usize,
    /// Whether its runbook said the same as now.
    pub same_runbook: bool,
}

/// What of a runbook was exercised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The service.
    pub service: ServiceName,
    /// Digest of what its runbook says now.
    pub runbook_digest: String,
    /// The time that was looked at.
    pub window: Window,
    /// What the numbers mean.
    pub definition: &'static str,
    /// Steps that were exercised, each variant of a step for itself.
    pub exercised: usize,
    /// All of them.
    pub steps_total: usize,
    /// Their part, rounded down; absent: there are no steps.
    pub percent: Option<usize>,
    /// Each operation in its own mode.
    pub operations: Vec<OperationUse>,
    /// Every step, in order.
    pub steps: Vec<StepUse>,
    /// Conditions, each way.
    pub branches: Vec<BranchUse>,
    /// Operations in either mode.
    pub modes: Vec<ModeUse>,
    /// From where to where.
    pub directions: Vec<DirectionUse>,
    /// Who has granted something.
    pub approvers: Vec<ApproverUse>,
    /// Ways to take a step back, and steps that clean a drill up.
    pub undo: Vec<UndoUse>,
    /// The runs, newest first.
    pub runs: Vec<RunUse>,
    /// Why a workflow cannot be counted: it cannot be planned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl Coverage {
    /// How much of an operation was exercised in its own mode, in percent; `None`: it has no steps.
    #[must_use]
    pub fn of(&self, operation: Operation) -> Option<usize> {
        self.operations.iter().find(|it| it.operation == operation)?.percent
    }
}

/// Measures what of a runbook was exercised by runs, newest first.
#[must_use]
pub fn coverage(runbook: &Runbook, runs: &[Past<'_>], window: Window) -> Coverage {
    let digest = plan::of_runbook(runbook);
    let (units, problems) = unit::units(runbook);
    let mut tally = past::Tally::new(runbook, &digest, units, window);
    let looked: Vec<RunUse> = runs.iter().filter_map(|past| tally.add(*past)).collect();
    let counted: Vec<Past<'_>> = runs
        .iter()
        .copied()
        .filter(|past| looked.iter().any(|run| run.run == past.state.created.run))
        .collect();
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
