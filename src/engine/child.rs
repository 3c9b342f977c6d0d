//! What is known of the runs that nodes of this one began. Never decides what they do: they have journals of
//! their own.

use serde_json::{Map, Value};

use super::decide::Decision;
use super::event::{ChildRun, Event};
use super::input::{AttemptKey, Rejection};
use super::state::{IndexedPlan, NodeState, RunState};
use super::status::{WAITS_NAMED, address, failure_text};
use crate::model::action::ActionName;
use crate::model::id::RunId;
use crate::model::run::{Mode, NodeStatus, RunStatus, Verdict};
use crate::model::time::Duration;
use crate::plan::{Node, NodeIndex};

/// A run that this one began and that has succeeded, against its own objectives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The node that began it.
    pub node: NodeIndex,
    /// Its id.
    pub run: String,
    /// What became of its objectives.
    pub verdict: Verdict,
    /// Its recovery time, where it was measured.
    pub recovery_time: Option<Duration>,
    /// Its recovery time objective.
    pub rto: Option<Duration>,
    /// The most data it lost, where it was measured.
    pub data_loss: Option<Duration>,
    /// Its recovery point objective.
    pub rpo: Option<Duration>,
}

impl Kept {
    /// Says whether it has an objective that nobody can say was kept.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.verdict {
            Verdict::Met | Verdict::Missed => false,
            Verdict::Partial | Verdict::NotValidated => true,
            Verdict::NotMeasured => self.rto.is_some() || self.rpo.is_some(),
        }
    }
}

/// The runs that this one began and has heard of, in the order of the plan.
#[must_use]
pub fn begun(plan: &IndexedPlan, state: &RunState) -> Vec<RunId> {
    let nodes = plan.plan.nodes.iter().zip(&state.nodes);
    let runs = nodes.filter_map(|(definition, node)| {
        let of_node = node.child.as_ref().map(|child| child.run.clone());
        of_node.or_else(|| {
            let call = definition.call(state.mode)?;
            let ended = node.outputs.get("run").filter(|_| call.action == ActionName::RunbookRun)?;
            RunId::new(ended.as_str()?).ok()
        })
    });
    runs.collect()
}

/// The runs that this one began and that have succeeded, with their own objectives, in the order of the plan.
/// Those that were followed by a version that did not say are left out.
#[must_use]
pub fn kept(plan: &IndexedPlan, state: &RunState) -> Vec<Kept> {
    let nodes = (0..).zip(plan.plan.nodes.iter().zip(&state.nodes));
    let runs = nodes.filter(|(_, (definition, node))| {
        let call = definition.call(state.mode);
        node.status == NodeStatus::Succeeded && call.is_some_and(|call| call.action == ActionName::RunbookRun)
    });
    let kept = runs.filter_map(|(at, (_, node))| {
        let text = |name: &str| node.outputs.get(name).and_then(Value::as_str);
        let time = |name: &str| node.outputs.get(name).and_then(Value::as_u64).map(Duration::from_millis);
        Some(Kept {
            node: at,
            run: text("run")?.to_owned(),
            verdict: text("verdict")?.parse().ok()?,
            recovery_time: time("recovery_time_ms"),
            rto: time("rto_ms"),
            data_loss: time("data_loss_ms"),
            rpo: time("rpo_ms"),
        })
    });
    kept.collect()
}

/// The run of an attempt was heard of.
pub(super) fn reported(
    decision: &mut Decision<'_>,
    key: AttemptKey,
    child: ChildRun,
) -> Result<(), Rejection> {
    decision.current(key)?;
    if decision.node(key.node).child.as_ref() == Some(&child) {
        return Err(Rejection::Duplicate);
    }
    decision.emit(Event::ChildReported { node: key.node, child });
    Ok(())
}

/// What a run is that only waits for runs it began, and for whom they wait.
pub(super) fn waiting(plan: &IndexedPlan, state: &RunState) -> Option<(RunStatus, Option<String>)> {
    let waiting = state.active.iter().filter_map(|node| Some((*node, state.waiting_child(*node)?)));
    let waiting: Vec<(NodeIndex, &ChildRun)> = waiting.collect();
    let is = |status: RunStatus| waiting.iter().any(|(_, child)| child.status == status);
    let urgent = [RunStatus::Stuck, RunStatus::Paused].into_iter().find(|status| is(*status));
    let status = match urgent {
        Some(status) => status,
        None if waiting.is_empty() => return None,
        None => RunStatus::AwaitingApproval,
    };
    if state.is_in_trouble()
        && let Some(cause) = trouble(plan, state)
    {
        return Some((status, Some(cause)));
    }
    let lines = waiting.iter().map(|(node, child)| {
        let why = child.cause.as_deref().map_or_else(String::new, |cause| format!(" ({cause})"));
        format!("{}: {} is {}{why}", address(plan, *node), child.run, child.status)
    });
    Some((status, Some(listed(lines.collect()))))
}

/// How much of a fleet is in trouble, where any is.
pub(super) fn trouble(plan: &IndexedPlan, state: &RunState) -> Option<String> {
    let most = state.tolerance?;
    let troubled: Vec<NodeIndex> = state.troubled().collect();
    let lines = troubled.iter().map(|node| match &state.node(*node).child {
        Some(child) => {
            let why = child.cause.as_deref().map_or_else(String::new, |cause| format!(" ({cause})"));
            format!("{}: {} is {}{why}", address(plan, *node), child.run, child.status)
        }
        None => failure_text(plan, state, *node),
    });
    let limit = if state.is_in_trouble() { format!(", {most} may be") } else { String::new() };
    (!troubled.is_empty())
        .then(|| format!("{} in trouble{limit}: {}", troubled.len(), listed(lines.collect())))
}

/// What is said of a run that a node began and that has ended short of its goal.
#[must_use]
pub fn ended_as(run: &RunId, status: RunStatus) -> String {
    format!("run {run} is {status}")
}

/// The run that a failed node began and what became of it, as [`ended_as`] has said it.
#[must_use]
pub fn fell_short(node: &NodeState) -> Option<(RunId, RunStatus)> {
    let (run, rest) = node.failure.as_ref()?.message.strip_prefix("run ")?.split_once(" is ")?;
    let status = rest.split_once(':').map_or(rest, |(status, _)| status);
    Some((RunId::new(run).ok()?, status.parse().ok()?))
}

/// Says whether the run that a node began has itself taken back what it had done.
pub(super) fn was_taken_back(definition: &Node, node: &NodeState) -> bool {
    let begins = definition.call(Mode::Graceful).is_some_and(|call| call.action == ActionName::RunbookRun);
    let ended = begins && node.status == NodeStatus::Failed;
    ended && fell_short(node).is_some_and(|(_, status)| status == RunStatus::Unwound)
}

/// Says whether a run that a node began has ended with warnings.
pub(super) fn warned(state: &RunState) -> bool {
    let word = RunStatus::SucceededWithWarnings.as_str();
    let has_run = |outputs: &Map<String, Value>| outputs.contains_key("run");
    state.nodes.iter().any(|node| {
        has_run(&node.outputs) && node.outputs.get("status").and_then(|status| status.as_str()) == Some(word)
    })
}

fn listed(lines: Vec<String>) -> String {
    few(lines, "; ")
}

/// The first few of many lines.
pub(super) fn few(mut lines: Vec<String>, between: &str) -> String {
    let more = lines.len().saturating_sub(WAITS_NAMED);
    lines.truncate(WAITS_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", lines.join(between))
}
