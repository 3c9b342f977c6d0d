//! Order among the nodes of a draft: topological, and as the author wrote them wherever that leaves a choice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::draft::Draft;
use super::error::Problem;
use super::node::{Edge, EdgeKind, Node, NodeIndex, NodeKind};
use crate::model::id::StepId;

/// Most edges of a plan. Reached only by needs between thousands of steps that no group holds together.
pub(super) const EDGES: usize = 2_000_000;

/// The order in which the nodes stand in the plan.
///
/// # Errors
/// When some steps need each other.
pub(super) fn order(draft: &Draft) -> Result<Vec<NodeIndex>, Problem> {
    let successors = successors(&draft.nodes);
    let mut missing: Vec<usize> = draft.nodes.iter().map(|node| node.needs.len()).collect();
    let mut ready = BinaryHeap::new();
    for (index, node) in draft.nodes.iter().enumerate() {
        if node.needs.is_empty() {
            ready.push(Reverse((draft.places[index], index)));
        }
    }
    let mut order = Vec::with_capacity(draft.nodes.len());
    while let Some(Reverse((_, index))) = ready.pop() {
        order.push(NodeIndex::try_from(index).unwrap_or(NodeIndex::MAX));
        for successor in &successors[index] {
            let successor = *successor as usize;
            missing[successor] -= 1;
            if missing[successor] == 0 {
                ready.push(Reverse((draft.places[successor], successor)));
            }
        }
    }
    if order.len() == draft.nodes.len() { Ok(order) } else { Err(circle(draft, &missing)) }
}

/// The nodes that need each node; one entry for each edge.
pub(super) fn successors(nodes: &[Node]) -> Vec<Vec<NodeIndex>> {
    let mut successors = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        for edge in &node.needs {
            successors[edge.node as usize].push(NodeIndex::try_from(index).unwrap_or(NodeIndex::MAX));
        }
    }
    successors
}

/// Names the steps of one circle among the nodes that never became ready.
fn circle(draft: &Draft, missing: &[usize]) -> Problem {
    let start = missing.iter().position(|missing| *missing > 0).unwrap_or(0);
    let mut at = start;
    let mut path = Vec::new();
    let mut seen = vec![false; draft.nodes.len()];
    while !seen[at] {
        seen[at] = true;
        path.push(at);
        let blocked =
            draft.nodes[at].needs.iter().map(|edge| edge.node as usize).find(|need| missing[*need] > 0);
        at = blocked.unwrap_or(start);
    }
    let begin = path.iter().position(|index| *index == at).unwrap_or(0);
    let on_circle = path[begin..].iter().filter_map(|index| draft.nodes[*index].step.as_ref());
    let mut steps: Vec<&str> = on_circle.map(StepId::as_str).collect();
    steps.dedup();
    if let Some(first) = steps.first().copied().filter(|_| steps.len() > 1 && steps.last() != steps.first()) {
        steps.push(first);
    }
    Problem::new(
        format!("steps wait for each other: {}", steps.join(" needs ")),
        "take one of these out of `needs`; a group must not be needed by its own members",
    )
}

/// The descendants of some nodes, themselves included.
pub(super) fn descendants(nodes: &[Node], of: &[NodeIndex]) -> Vec<bool> {
    let successors = successors(nodes);
    let mut found = vec![false; nodes.len()];
    let mut todo: Vec<NodeIndex> = of.to_vec();
    while let Some(index) = todo.pop() {
        if !std::mem::replace(&mut found[index as usize], true) {
            todo.extend(&successors[index as usize]);
        }
    }
    found
}

/// The ancestors of some nodes, themselves included.
pub(super) fn ancestors(nodes: &[Node], of: &[NodeIndex]) -> Vec<bool> {
    let mut found = vec![false; nodes.len()];
    let mut todo: Vec<NodeIndex> = of.to_vec();
    while let Some(index) = todo.pop() {
        if !std::mem::replace(&mut found[index as usize], true) {
            todo.extend(nodes[index as usize].needs.iter().map(|edge| edge.node));
        }
    }
    found
}

/// Puts the nodes in order, gives edges and members their new numbers, and merges repeated edges.
pub(super) fn arrange(draft: Draft, order: &[NodeIndex]) -> Vec<Node> {
    let mut number = vec![0; order.len()];
    for (new, old) in order.iter().enumerate() {
        number[*old as usize] = NodeIndex::try_from(new).unwrap_or(NodeIndex::MAX);
    }
    let mut old: Vec<Option<Node>> = draft.nodes.into_iter().map(Some).collect();
    let taken = order.iter().filter_map(|index| old[*index as usize].take());
    taken
        .map(|mut node| {
            for edge in &mut node.needs {
                edge.node = number[edge.node as usize];
            }
            node.needs = merged(std::mem::take(&mut node.needs));
            if let NodeKind::Group { members, .. } = &mut node.kind {
                for member in members.iter_mut() {
                    *member = number[*member as usize];
                }
                members.sort_unstable();
            }
            node
        })
        .collect()
}

/// One edge for each need: the strictest.
fn merged(mut edges: Vec<Edge>) -> Vec<Edge> {
    let strictness = |kind: EdgeKind| match kind {
        EdgeKind::Safety => 0,
        EdgeKind::Ordinary => 1,
        EdgeKind::Graceful => 2,
    };
    edges.sort_unstable_by_key(|edge| (edge.node, strictness(edge.kind)));
    edges.dedup_by_key(|edge| edge.node);
    edges
}
