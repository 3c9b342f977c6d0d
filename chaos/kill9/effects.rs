//! What must hold of the lines that the steps have written, whatever was killed meanwhile.

use std::collections::BTreeSet;

use drctl::engine::call_of;
use drctl::engine::event::AttemptStarted;
use drctl::engine::input::Direction;
use drctl::model::run::{Mode, NodeStatus};
use drctl::plan::{EdgeKind, NodeIndex, NodeKind};
use serde_json::Value;

use super::history::History;

/// One try of a program, as its lines tell.
struct Execution<'h> {
    attempt: &'h AttemptStarted,
    /// Number of the line it began with, and of the one it ended with.
    begin: usize,
    end: usize,
    failed: bool,
}

/// Checks the lines of a run against its journal: nothing twice, nothing lost, nothing too early, nothing
/// that the journal did not know of before.
pub(crate) fn check(history: &History, text: &str) -> Result<(), String> {
    let executions = executions(history, text)?;
    for one in &executions {
        once(history, one, &executions)?;
        in_order(history, one, &executions)?;
    }
    nothing_lost(history, &executions)
}

fn executions<'h>(history: &'h History, text: &str) -> Result<Vec<Execution<'h>>, String> {
    let mut found: Vec<Execution<'h>> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<_> = line.split(' ').collect();
        let [word, run, _, node, attempt, token] = words[..] else { return Err(format!("odd line {line}")) };
        if run != history.run.as_str() {
            continue;
        }
        let known = history.started(node, attempt.parse().unwrap());
        let (attempt, recorded) = known.ok_or_else(|| format!("`{line}` is no attempt in the journal"))?;
        if recorded.to_string() != token {
            return Err(format!("`{line}` has another token than the journal: {recorded}"));
        }
        let before = found.iter_mut().find(|one| one.attempt.attempt == attempt.attempt);
        match (word, before) {
            ("begin", None) => found.push(Execution { attempt, begin: number, end: 0, failed: false }),
            ("begin", Some(_)) => return Err(format!("`{line}`: one attempt began twice")),
            (_, Some(one)) if one.end == 0 => (one.end, one.failed) = (number, word == "failed"),
            _ => return Err(format!("`{line}`: an end without a beginning, or a second end")),
        }
    }
    match found.iter().find(|one| one.end == 0) {
        Some(one) => Err(format!("{} began and did not end", history.address(one.attempt.attempt.node))),
        None => Ok(found),
    }
}

impl Execution<'_> {
    fn is_of(&self, node: NodeIndex, direction: Direction) -> bool {
        (self.attempt.attempt.node, self.attempt.direction) == (node, direction)
    }
}

/// A program runs again only after a known failure or, where that is declared harmless, after doubt.
fn once(history: &History, one: &Execution<'_>, all: &[Execution<'_>]) -> Result<(), String> {
    let (key, direction) = (one.attempt.attempt, one.attempt.direction);
    let node = &history.plan.plan.nodes[key.node as usize];
    let call = call_of(node, one.attempt.mode, direction).unwrap();
    let harmless = call.with.get("idempotent") == Some(&Value::Bool(true));
    let again = all.iter().any(|other| other.is_of(key.node, direction) && other.begin > one.begin);
    if again && !one.failed && !(harmless && history.was_in_doubt(one.attempt)) {
        return Err(format!("{} {direction} ran again after attempt {}", node.address, key.attempt));
    }
    Ok(())
}

/// Everything before a step has ended when it begins; everything after it was taken back before it is.
fn in_order(history: &History, one: &Execution<'_>, all: &[Execution<'_>]) -> Result<(), String> {
    let (own, direction) = (one.attempt.attempt.node, one.attempt.direction);
    for other in all.iter().filter(|other| other.attempt.direction == Direction::Do && !other.failed) {
        let node = other.attempt.attempt.node;
        let must_precede = match direction {
            Direction::Do => ancestors(history, own).contains(&node),
            Direction::Undo => ancestors(history, node).contains(&own),
        };
        let ended =
            |what: &Execution<'_>| what.is_of(node, direction) && !what.failed && what.end < one.begin;
        if must_precede && !all.iter().any(ended) {
            let (own, node) = (history.address(own), history.address(node));
            return Err(format!("{direction} {own} began before {direction} {node} had ended"));
        }
    }
    Ok(())
}

/// Everything a node waits for, near and far.
fn ancestors(history: &History, node: NodeIndex) -> BTreeSet<NodeIndex> {
    let mut found = BTreeSet::new();
    let mut todo = vec![node];
    while let Some(node) = todo.pop() {
        let needs = history.plan.plan.nodes[node as usize].needs.iter();
        let needs =
            needs.filter(|edge| edge.kind != EdgeKind::Graceful || history.state.mode == Mode::Graceful);
        todo.extend(needs.map(|edge| edge.node).filter(|node| found.insert(*node)));
    }
    found
}

/// What the journal calls done or undone has its lines.
fn nothing_lost(history: &History, all: &[Execution<'_>]) -> Result<(), String> {
    let nodes = history.plan.plan.nodes.iter().zip(&history.state.nodes);
    for (index, (node, state)) in (0..).zip(nodes) {
        let direction = match state.status {
            NodeStatus::Succeeded | NodeStatus::MarkedDone => Direction::Do,
            NodeStatus::Undone => Direction::Undo,
            _ => continue,
        };
        let there = all.iter().any(|one| one.is_of(index, direction) && !one.failed);
        if matches!(node.kind, NodeKind::Effect { .. }) && !there {
            return Err(format!("{} is {} without an effect", node.address, state.status));
        }
    }
    Ok(())
}
