//! What a drill leaves behind: all that still stands of it and that nothing will take away by itself, each
//! with what is known of why. Nothing that a real run uses counts as left.

use std::collections::BTreeSet;

use super::decide::Decision;
use super::event::{Applied, DrillOutcome, SkipCause, Want};
use super::perhaps::{Doubtful, perhaps};
use super::state::{IndexedPlan, RunState};
use super::status::{address, failure_text};
use super::{attempt, child, drill, unwind};
use crate::model::drill::DrillLevel;
use crate::model::run::{NodeStatus, RunStatus};
use crate::plan::{Node, NodeIndex, Section};

/// Nodes named in a list; the others are counted.
const NAMED: usize = 4;

/// What is not cleaned up, and why, in one line; `None`: nothing is left.
pub(super) fn told(decision: &Decision<'_>) -> Option<String> {
    let mut lines = lines(decision);
    if lines.is_empty() {
        return None;
    }
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("left behind: {}{more}", lines.join("; ")))
}

fn lines(decision: &Decision<'_>) -> Vec<String> {
    let (plan, state) = (decision.plan, &decision.state);
    let mut seen = BTreeSet::new();
    let mut left = Vec::new();
    for node in failed(plan, state) {
        seen.insert(node);
        left.push(failure_text(plan, state, node));
    }
    for node in &state.active {
        seen.insert(*node);
        left.push(format!("nobody can tell what came of {}", address(plan, *node)));
    }
    for (node, definition) in (0..).zip(&plan.plan.nodes) {
        let winds = matches!(definition.section(), Some(Section::Failback | Section::Cleanup));
        let waits = winds && !state.node(node).status.is_settled() && !is_superseded(state, definition);
        if waits && !seen.contains(&node) && left.is_empty() {
            seen.insert(node);
            left.push(format!("{} has not run", address(plan, node)));
        }
    }
    for node in standing(plan, state).into_iter().filter(|node| !seen.contains(node)) {
        let why = match plan.plan.nodes.get(node as usize) {
            Some(definition) if attempt::can_undo(definition) => "what was built on it is still there",
            Some(_) if is_swept(plan) => "the cleanup was left out for the sake of the real run",
            Some(_) | None => "it has no undo",
        };
        left.push(format!("{} is not taken back: {why}", address(plan, node)));
    }
    left
}

/// Nodes that failed while the drill was wound up and that nobody else answers for.
fn failed<'a>(plan: &'a IndexedPlan, state: &'a RunState) -> impl Iterator<Item = NodeIndex> + 'a {
    state.failed.iter().copied().filter(move |node| {
        let definition = plan.plan.nodes.get(*node as usize);
        let undo = state.node(*node).status == NodeStatus::UndoFailed && !state.drill.keep.contains(node);
        undo || definition.is_some_and(|it| drill::winds_up(it) && !is_superseded(state, it))
    })
}

/// Says whether a step of the way back is of no use any more: a real run has taken the service over.
pub(super) fn is_superseded(state: &RunState, definition: &Node) -> bool {
    state.drill.outcome == Some(DrillOutcome::Promoted) && definition.section() == Some(Section::Failback)
}

/// Effects of a drill that is over which are there only because of it, and which neither an undo nor the
/// failback nor the cleanup takes away any more.
pub(super) fn standing(plan: &IndexedPlan, state: &RunState) -> Vec<NodeIndex> {
    let Some(it) = drill::of(plan) else { return Vec::new() };
    let moved = drill::is_moved(plan, state);
    // On the simulated estate nothing has to be taken away that has no undo.
    let real = matches!(it.level, DrillLevel::Isolated | DrillLevel::Live);
    let swept = is_swept(plan) && !is_sweep_left_out(plan, state);
    let nodes = (0..).zip(plan.plan.nodes.iter().zip(&state.nodes));
    let stands = nodes.filter(|(index, (definition, node))| {
        let own = match definition.section() {
            Some(Section::Inject) => true,
            Some(Section::Operation) => !moved,
            Some(Section::Guard | Section::Verify | Section::Hold | Section::Failback | Section::Cleanup)
            | None => false,
        };
        let there = own && unwind::stands(node);
        let can_undo = attempt::can_undo(definition);
        let for_sweep = unwind::is_effect(definition) && real && !swept;
        let applied = node.applied != Applied::No;
        there && applied && (can_undo || for_sweep) && !state.drill.keep.contains(index)
    });
    stands.map(|(index, _)| index).collect()
}

/// Says whether a drill is over but for what it has left behind.
pub(super) fn is_open(state: &RunState) -> bool {
    state.want == Want::CleanUp && state.status == RunStatus::CleanupIncomplete
}

/// Says whether the drill has steps of cleanup.
fn is_swept(plan: &IndexedPlan) -> bool {
    plan.plan.nodes.iter().any(|node| node.section() == Some(Section::Cleanup))
}

/// Says whether the steps of cleanup were left out, which may not know what a real run uses.
fn is_sweep_left_out(plan: &IndexedPlan, state: &RunState) -> bool {
    let nodes = plan.plan.nodes.iter().zip(&state.nodes);
    let mut sweeps = nodes.filter(|(node, _)| node.section() == Some(Section::Cleanup));
    sweeps.any(|(_, node)| is_left_out(node))
}

/// Says whether a node was left out because the drill ended otherwise.
pub(super) fn is_left_out(node: &super::state::NodeState) -> bool {
    node.status == NodeStatus::Skipped && matches!(node.skipped, Some(SkipCause::Drill))
}

/// What a drill that is over may have left behind: what failed half-way, of which no undo was run, unless its
/// steps of cleanup take it away. On the simulated estate nothing is there.
pub(super) fn perhaps_left(decision: &Decision<'_>) -> Option<String> {
    let (plan, state) = (decision.plan, &decision.state);
    let real = matches!(drill::of(plan)?.level, DrillLevel::Isolated | DrillLevel::Live);
    let own = |node: &NodeIndex| {
        let section = plan.plan.nodes.get(*node as usize).and_then(Node::section);
        matches!(section, Some(Section::Inject | Section::Operation))
    };
    let failed = perhaps(plan, state).into_iter().filter(|(_, why)| *why == Doubtful::Failed);
    let failed = failed.map(|(node, _)| node).filter(own);
    let names: Vec<_> = failed.map(|node| address(plan, node)).collect();
    let told = real && !names.is_empty() && !is_swept(plan);
    told.then(|| format!("may have left something behind, look at it: {}", child::few(names, ", ")))
}

/// Nodes of a drill that could not be cleaned up and can be tried again; of one that a real run goes on from
/// and that has left something standing, also the steps of cleanup that were left out.
#[must_use]
pub fn left_behind(plan: &IndexedPlan, state: &RunState) -> Vec<NodeIndex> {
    let doubtful = state.active.iter().copied().filter(|node| state.node(*node).person_needed);
    let without = |node: &NodeIndex| {
        plan.plan.nodes.get(*node as usize).is_some_and(|definition| !attempt::can_undo(definition))
    };
    let sweeps = standing(plan, state).iter().any(without);
    let left_out = (0..).zip(plan.plan.nodes.iter().zip(&state.nodes)).filter(|(_, (definition, node))| {
        sweeps && definition.section() == Some(Section::Cleanup) && is_left_out(node)
    });
    failed(plan, state).chain(doubtful).chain(left_out.map(|(index, _)| index)).collect()
}
