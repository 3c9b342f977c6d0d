//! What must hold of every history, whatever happened to the engine.

use std::collections::{BTreeMap, BTreeSet};

use drctl::engine::event::Event;
use drctl::engine::input::Direction;
use drctl::engine::{IndexedPlan, RunState, apply};
use drctl::model::run::{NodeStatus, Phase};
use drctl::plan::{EdgeKind, Node, NodeIndex, NodeKind};

use crate::world::Fact;

/// Checks the facts of a run: order, tokens, outcomes, replay.
pub(crate) fn check(plan: &IndexedPlan, events: &[Fact], end: &RunState) -> Result<(), String> {
    sequences_and_tokens(events)?;
    needs_before_nodes(plan, events)?;
    fence_before_promotion(plan, events)?;
    one_outcome_each(events)?;
    let replayed = replay(plan, events)?;
    if replayed != *end {
        return Err(format!(
            "replaying the journal gives another state than the live one:\n{replayed:?}\n{end:?}"
        ));
    }
    Ok(())
}

fn sequences_and_tokens(events: &[Fact]) -> Result<(), String> {
    let mut token = 0;
    for (index, Fact { sequence, token: written_with, .. }) in events.iter().enumerate() {
        if *sequence != index as u64 + 1 {
            return Err(format!("record {index} has sequence {sequence}"));
        }
        if *written_with < token {
            return Err(format!("record {sequence} was written with token {written_with} after {token}"));
        }
        token = *written_with;
    }
    Ok(())
}

/// No attempt begins before its needs are over, and none before the gate where it needs the gate.
fn needs_before_nodes(plan: &IndexedPlan, events: &[Fact]) -> Result<(), String> {
    let mut state: Option<RunState> = None;
    for fact in events {
        let Fact { sequence, event, .. } = fact;
        if let (Some(state), Event::AttemptStarted(started)) = (&state, event) {
            let node = &plan.plan.nodes[started.attempt.node as usize];
            for edge in node.needs.iter().filter(|_| started.direction == Direction::Do) {
                let need = state.node(edge.node);
                let waits = edge.kind != EdgeKind::Graceful || state.mode.as_str() == "graceful";
                if waits && !need.status.is_settled() {
                    let other = &plan.plan.nodes[edge.node as usize].address;
                    return Err(format!(
                        "record {sequence}: {} began while {other} was {}",
                        node.address, need.status
                    ));
                }
                let truly =
                    matches!(need.status, NodeStatus::Succeeded | NodeStatus::MarkedDone) || need.overridden;
                if edge.kind == EdgeKind::Safety && !truly {
                    return Err(format!(
                        "record {sequence}: {} began on a {} safety need",
                        node.address, need.status
                    ));
                }
            }
        }
        fold(plan, &mut state, fact)?;
    }
    Ok(())
}

/// No promotion begins before every fence is over in truth, whatever the plan's edges say.
fn fence_before_promotion(plan: &IndexedPlan, events: &[Fact]) -> Result<(), String> {
    let effect =
        |node: &Node, phase| node.phase == Some(phase) && matches!(node.kind, NodeKind::Effect { .. });
    let mut state: Option<RunState> = None;
    for fact in events {
        if let (Some(state), Event::AttemptStarted(started)) = (&state, &fact.event)
            && effect(&plan.plan.nodes[started.attempt.node as usize], Phase::Promote)
        {
            for (fence, it) in plan.plan.nodes.iter().zip(&state.nodes) {
                let holds = matches!(it.status, NodeStatus::Succeeded | NodeStatus::MarkedDone);
                if effect(fence, Phase::Fence) && !holds && !it.overridden {
                    let (sequence, fence, status) = (fact.sequence, &fence.address, it.status);
                    return Err(format!("record {sequence}: a promotion began while {fence} was {status}"));
                }
            }
        }
        fold(plan, &mut state, fact)?;
    }
    Ok(())
}

/// No effect is taken back while one that came after it is still there.
pub(crate) fn undone_in_reverse(plan: &IndexedPlan, events: &[Fact]) -> Result<(), String> {
    let mut state: Option<RunState> = None;
    for fact in events {
        if let (Some(state), Event::AttemptStarted(started)) = (&state, &fact.event)
            && started.direction == Direction::Undo
        {
            let node = &plan.plan.nodes[started.attempt.node as usize].address;
            for later in descendants(plan, started.attempt.node) {
                let definition = &plan.plan.nodes[later as usize];
                if definition.undo.is_some() && state.node(later).status == NodeStatus::Succeeded {
                    let (sequence, later) = (fact.sequence, &definition.address);
                    return Err(format!("record {sequence}: {node} was taken back before {later}"));
                }
            }
        }
        fold(plan, &mut state, fact)?;
    }
    Ok(())
}

/// Nodes that need a node, directly or not, and however loosely.
pub(crate) fn descendants(plan: &IndexedPlan, node: NodeIndex) -> BTreeSet<NodeIndex> {
    let mut found = BTreeSet::new();
    let mut open = vec![node];
    while let Some(need) = open.pop() {
        for (index, node) in (0..).zip(&plan.plan.nodes) {
            if node.needs.iter().any(|edge| edge.node == need) && found.insert(index) {
                open.push(index);
            }
        }
    }
    found
}

/// An attempt has at most one outcome.
fn one_outcome_each(events: &[Fact]) -> Result<(), String> {
    let mut open: BTreeMap<NodeIndex, u32> = BTreeMap::new();
    let mut ended: BTreeSet<(NodeIndex, u32)> = BTreeSet::new();
    for Fact { sequence, event, .. } in events {
        let node = match event {
            Event::AttemptStarted(started) => {
                open.insert(started.attempt.node, started.attempt.attempt);
                continue;
            }
            Event::NodeSucceeded(done) => done.node,
            Event::NodeFailed { node, .. }
            | Event::RetryScheduled { node, .. }
            | Event::NodeUndone { node } => *node,
            _ => continue,
        };
        if let Some(attempt) = open.remove(&node)
            && !ended.insert((node, attempt))
        {
            return Err(format!("record {sequence}: attempt {attempt} of node {node} ended twice"));
        }
    }
    Ok(())
}

fn replay(plan: &IndexedPlan, events: &[Fact]) -> Result<RunState, String> {
    let mut state = None;
    for fact in events {
        fold(plan, &mut state, fact)?;
    }
    state.ok_or_else(|| "the run has no records".to_owned())
}

fn fold(plan: &IndexedPlan, state: &mut Option<RunState>, fact: &Fact) -> Result<(), String> {
    match (state.as_mut(), &fact.event) {
        (None, Event::RunCreated(created)) => {
            *state = Some(RunState::new(plan, (**created).clone(), fact.at));
            Ok(())
        }
        (None, other) => Err(format!("the first record is {}", other.kind())),
        (Some(state), event) => {
            apply(plan, state, event, fact.at);
            Ok(())
        }
    }
}

/// Nodes that perform an effect, by address.
pub(crate) fn effects(plan: &IndexedPlan) -> BTreeSet<String> {
    let nodes = plan.plan.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Effect { .. }));
    nodes.map(|node| node.address.to_string()).collect()
}
