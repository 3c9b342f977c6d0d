//! How long a plan takes by its estimates or, where it carries them, by what earlier runs took. What the run
//! itself has taken belongs to the engine.

use std::collections::HashMap;

use super::node::{EdgeKind, Node, NodeIndex, Plan};
use crate::model::run::{Mode, Phase};
use crate::model::time::Duration;

/// For each node, the longest estimate from its start to the end of the recovery, itself included.
///
/// Steps after validation (commit, cleanup, reprotect) take no recovery time. A node of a lane also waits for
/// the node that many places before it in the lane as the lane is wide: that is how a queue is served. The
/// nodes must each come after all they need.
#[must_use]
pub fn tails(nodes: &[Node], mode: Mode) -> Vec<Duration> {
    to_recovery(nodes, mode).tails
}

/// As [`tails`], to the end of the whole plan.
#[must_use]
pub fn whole_tails(nodes: &[Node], mode: Mode) -> Vec<Duration> {
    longest(nodes, mode, &|node| node.estimate).tails
}

/// As [`whole_tails`], of a plan that knows how long earlier runs took.
pub(super) fn whole(plan: &Plan) -> Vec<Duration> {
    longest(&plan.nodes, plan.mode, &|node| plan.expected(node)).tails
}

/// As [`recovery`], of a plan that knows how long earlier runs took.
pub(super) fn expected(plan: &Plan) -> (Vec<Duration>, Vec<NodeIndex>) {
    path(longest(&plan.nodes, plan.mode, &|node| {
        if is_recovery(node) { plan.expected(node) } else { Duration::ZERO }
    }))
}

/// Tails to the end of the recovery, and the nodes on the longest path in order.
pub(super) fn recovery(nodes: &[Node], mode: Mode) -> (Vec<Duration>, Vec<NodeIndex>) {
    path(to_recovery(nodes, mode))
}

fn path(longest: Longest) -> (Vec<Duration>, Vec<NodeIndex>) {
    let Longest { tails, next } = longest;
    let start = (0..tails.len()).max_by_key(|index| (tails[*index], std::cmp::Reverse(*index)));
    let path =
        std::iter::successors(start.filter(|index| tails[*index] > Duration::ZERO), |index| next[*index]);
    let critical = path.filter_map(|index| NodeIndex::try_from(index).ok()).collect();
    (tails, critical)
}

fn to_recovery(nodes: &[Node], mode: Mode) -> Longest {
    longest(nodes, mode, &|node| if is_recovery(node) { node.estimate } else { Duration::ZERO })
}

fn is_recovery(node: &Node) -> bool {
    let beside = node.section().is_some_and(|section| !section.is_recovery());
    !beside && !matches!(node.phase, Some(Phase::Commit | Phase::Cleanup | Phase::Reprotect))
}

/// Tails and, for each node, the next one on the longest path from it.
struct Longest {
    tails: Vec<Duration>,
    next: Vec<Option<usize>>,
}

fn longest(nodes: &[Node], mode: Mode, takes: &dyn Fn(&Node) -> Duration) -> Longest {
    // What follows each node, filled from the end: when a node is reached, all that need it have been.
    let mut after = vec![Duration::ZERO; nodes.len()];
    let mut next = vec![None; nodes.len()];
    let mut tails = vec![Duration::ZERO; nodes.len()];
    let queue = queued_behind(nodes);
    for (index, node) in nodes.iter().enumerate().rev() {
        let own = if node.is_skipped_in(mode) || node.is_left_out() { Duration::ZERO } else { takes(node) };
        let tail = own.plus(after[index]);
        tails[index] = tail;
        let needs = node.needs.iter().filter(|edge| counts(edge.kind, mode)).map(|edge| edge.node as usize);
        for need in needs.chain(queue[index]) {
            // Among equals the earlier node wins, as the author wrote it first.
            if tail > Duration::ZERO && after.get(need).is_some_and(|known| tail >= *known) {
                after[need] = tail;
                next[need] = Some(index);
            }
        }
    }
    Longest { tails, next }
}

/// Says whether an edge holds anything up in a mode.
fn counts(kind: EdgeKind, mode: Mode) -> bool {
    match kind {
        EdgeKind::Ordinary | EdgeKind::Safety => true,
        EdgeKind::Graceful => mode == Mode::Graceful,
    }
}

/// For each node, the node of its lane whose end it waits for.
fn queued_behind(nodes: &[Node]) -> Vec<Option<usize>> {
    let mut lanes: HashMap<u32, Vec<usize>> = HashMap::new();
    let mut behind = vec![None; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        let Some(lane) = node.lane else { continue };
        let members = lanes.entry(lane.id).or_default();
        behind[index] =
            members.len().checked_sub(lane.width as usize).and_then(|at| members.get(at)).copied();
        members.push(index);
    }
    behind
}
