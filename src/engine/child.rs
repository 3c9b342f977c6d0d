//! What is known of the runs that nodes of this one began. Never decides what they do: they have journals of
//! their own.

use super::decide::Decision;
use super::event::{ChildRun, Event};
use super::input::{AttemptKey, Rejection};
use super::state::{IndexedPlan, RunState};
use super::status::{WAITS_NAMED, address, failure_text};
use crate::model::run::RunStatus;
use crate::plan::NodeIndex;

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

/// Says whether a run that a node began has ended with warnings.
pub(super) fn warned(state: &RunState) -> bool {
    let word = RunStatus::SucceededWithWarnings.as_str();
    let has_run = |outputs: &serde_json::Map<String, serde_json::Value>| outputs.contains_key("run");
    state.nodes.iter().any(|node| {
        has_run(&node.outputs) && node.outputs.get("status").and_then(|status| status.as_str()) == Some(word)
    })
}

fn listed(mut lines: Vec<String>) -> String {
    let more = lines.len().saturating_sub(WAITS_NAMED);
    lines.truncate(WAITS_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", lines.join("; "))
}
