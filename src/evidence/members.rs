//! What became of the runs that a run began: whether each kept its own objectives.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::engine::{IndexedPlan, Kept, RunState, fell_short, kept};
use crate::model::action::ActionName;
use crate::model::run::{Intent, NodeStatus, Operation, RunStatus, Verdict};
use crate::model::time::Duration;

/// The runs that a run began, against their own objectives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MembersView {
    /// How many of each verdict, of those that have succeeded.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// Those that missed one.
    pub missed: Vec<MissedView>,
    /// Each of them, in the order of the plan, with what it measured.
    pub runs: Vec<MemberView>,
}

/// A run that another one began. Only one that has succeeded has a verdict and a recovery time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemberView {
    /// The node that began it; of a fleet, the service.
    pub step: String,
    /// Its id.
    pub run: String,
    /// Where it stands, or what became of it.
    pub status: String,
    /// Its objectives against what was measured.
    pub verdict: Option<Verdict>,
    /// Its recovery time, where it was measured.
    pub recovery_time_ms: Option<u64>,
    /// Its recovery time objective.
    pub rto_ms: Option<u64>,
    /// The most data it lost, where it was measured.
    pub data_loss_ms: Option<u64>,
    /// Its recovery point objective.
    pub rpo_ms: Option<u64>,
}

/// A run that missed an objective of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MissedView {
    /// The node that began it; of a fleet, the service.
    pub step: String,
    /// Its id.
    pub run: String,
    /// Its recovery time, where it was measured.
    pub recovery_time_ms: Option<u64>,
    /// Its recovery time objective.
    pub rto_ms: Option<u64>,
    /// The most data it lost, where it was measured.
    pub data_loss_ms: Option<u64>,
    /// Its recovery point objective.
    pub rpo_ms: Option<u64>,
}

impl MembersView {
    /// Of a run; `None` when it has begun no other.
    pub(super) fn of(plan: &IndexedPlan, state: &RunState) -> Option<Self> {
        let kept = kept(plan, state);
        let mut verdicts = BTreeMap::new();
        for child in &kept {
            *verdicts.entry(child.verdict.as_str()).or_default() += 1;
        }
        let missed = kept.iter().filter(|child| child.verdict == Verdict::Missed);
        let missed = missed.filter_map(|child| {
            let step = plan.plan.nodes.get(child.node as usize)?.address.to_string();
            Some(MissedView::of(step, child))
        });
        let missed = missed.collect();
        let runs: Vec<_> =
            (0..plan.plan.nodes.len()).filter_map(|at| member(plan, state, at, &kept)).collect();
        (!runs.is_empty()).then_some(Self { verdicts, missed, runs })
    }
}

/// The run that a node began; `None`: it has begun none.
fn member(plan: &IndexedPlan, state: &RunState, at: usize, kept: &[Kept]) -> Option<MemberView> {
    let (definition, node) = (plan.plan.nodes.get(at)?, state.nodes.get(at)?);
    definition.call(state.mode).filter(|call| call.action == ActionName::RunbookRun)?;
    let text = |name: &str| node.outputs.get(name).and_then(Value::as_str).map(str::to_owned);
    let ended = || Some((text("run")?, text("status")?));
    let fell_short = || fell_short(node).map(|(run, status)| (run.to_string(), status.to_string()));
    let under_way = node.child.as_ref().map(|child| (child.run.to_string(), child.status.to_string()));
    let (run, status) = under_way.or_else(ended).or_else(fell_short)?;
    let kept = kept.iter().find(|child| child.run == run);
    let millis = |of: fn(&Kept) -> Option<Duration>| kept.and_then(of).map(Duration::as_millis);
    Some(MemberView {
        step: definition.address.to_string(),
        run,
        status,
        verdict: kept.map(|child| child.verdict),
        recovery_time_ms: millis(|child| child.recovery_time),
        rto_ms: millis(|child| child.rto),
        data_loss_ms: millis(|child| child.data_loss),
        rpo_ms: millis(|child| child.rpo),
    })
}

impl MemberView {
    /// What was measured and what was asked for, with the verdict, for people.
    #[must_use]
    pub fn row(&self) -> [String; 3] {
        let words = |measured: Option<u64>, objective: Option<u64>| {
            let span = |millis| Duration::from_millis(millis).to_string();
            let measured = measured.map_or_else(|| "not measured".to_owned(), span);
            objective
                .map_or(measured.clone(), |objective| format!("{measured}; objective {}", span(objective)))
        };
        match self.verdict {
            Some(verdict) => [
                words(self.recovery_time_ms, self.rto_ms),
                words(self.data_loss_ms, self.rpo_ms),
                verdict.as_str().replace('_', " "),
            ],
            None => ["no recovery time".to_owned(), String::new(), "not validated".to_owned()],
        }
    }
}

impl MissedView {
    fn of(step: String, child: &Kept) -> Self {
        let millis = |time: Option<Duration>| time.map(Duration::as_millis);
        Self {
            step,
            run: child.run.clone(),
            recovery_time_ms: millis(child.recovery_time),
            rto_ms: millis(child.rto),
            data_loss_ms: millis(child.data_loss),
            rpo_ms: millis(child.rpo),
        }
    }

    /// What was missed, for people.
    #[must_use]
    pub fn text(&self) -> String {
        let missed = [
            ("recovery time", self.recovery_time_ms, self.rto_ms),
            ("data loss", self.data_loss_ms, self.rpo_ms),
        ];
        let lines = missed.into_iter().filter_map(|(what, measured, objective)| {
            let (measured, objective) = (measured?, objective?);
            let span = Duration::from_millis;
            (measured > objective)
                .then(|| format!("{what} {}, objective {}", span(measured), span(objective)))
        });
        let lines: Vec<_> = lines.collect();
        // Else it is one of the runs that it began itself.
        if lines.is_empty() { "a run inside it missed an objective".to_owned() } else { lines.join("; ") }
    }
}

/// A run that has moved its service and was left as it is, while the one that began it ended short of its
/// goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftView {
    /// The node that began it; of a fleet, the service.
    pub step: String,
    /// Its id.
    pub run: String,
    /// What to type to take it back; nothing of a simulation is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What a run that was unwound, aborted or given up leaves behind: the runs it began and that have succeeded.
pub(super) fn left(plan: &IndexedPlan, state: &RunState) -> Vec<LeftView> {
    let short = match state.status {
        RunStatus::Unwinding | RunStatus::Unwound | RunStatus::Aborted | RunStatus::Failed => true,
        RunStatus::Pending
        | RunStatus::Staged
        | RunStatus::Running
        | RunStatus::Pausing
        | RunStatus::Paused
        | RunStatus::AwaitingApproval
        | RunStatus::Stuck
        | RunStatus::Expired
        | RunStatus::CleaningUp
        | RunStatus::Succeeded
        | RunStatus::SucceededWithWarnings
        | RunStatus::AwaitingAttestation
        | RunStatus::CleanupIncomplete => false,
    };
    if short { moved(plan, state) } else { Vec::new() }
}

/// The runs that this one began and that have succeeded, with what takes each back: whatever becomes of this
/// one does not.
pub(super) fn moved(plan: &IndexedPlan, state: &RunState) -> Vec<LeftView> {
    let back = match plan.plan.operation {
        Operation::Failover | Operation::Switchover => "failback",
        Operation::Failback => "switchover",
    };
    let nodes = plan.plan.nodes.iter().zip(&state.nodes);
    let left = nodes.filter_map(|(definition, node)| {
        let call = definition.call(state.mode).filter(|call| call.action == ActionName::RunbookRun)?;
        let run = node.outputs.get("run").filter(|_| node.status == NodeStatus::Succeeded)?.as_str()?;
        let service = call.with.get("runbook").and_then(Value::as_str)?;
        let command = format!("drctl {back} {service} --reason \"…\"");
        let command = (state.created.intent == Intent::Real).then_some(command);
        Some(LeftView { step: definition.address.to_string(), run: run.to_owned(), command })
    });
    left.collect()
}
