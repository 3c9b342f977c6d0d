//! What is said about the exercise of a runbook. Plain data; counts nothing.

use schemars::JsonSchema;
use serde::Serialize;

use super::Window;
use super::sides::{ApproverUse, BranchUse, DirectionUse, ModeUse, UndoUse};
use crate::model::drill::DrillLevel;
use crate::model::id::{RunId, ServiceName, SiteName, StepId};
use crate::model::run::{Intent, Mode, Operation, Phase, RunStatus, words};
use crate::model::time::Timestamp;

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
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
    pub(super) fn add(&mut self, run: &RunId, at: Timestamp) {
        let known = self.last_run.as_ref() == Some(run);
        self.times += usize::from(!known);
        if self.last_at.is_none_or(|last| last <= at) {
            (self.last_at, self.last_run) = (Some(at), Some(run.clone()));
        }
    }
}

/// A step of the runbook as it is now, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
