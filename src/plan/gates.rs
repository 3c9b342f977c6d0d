//! Safety of the order: strict edges between fence, promotion and traffic, the gate before the point of no
//! return, and the checks at the start. Never takes an edge away.

use super::context::Scope;
use super::draft::{Draft, Setting};
use super::error::Problem;
use super::fence;
use super::graph::{EDGES, ancestors, descendants};
use super::node::{Edge, EdgeKind, Node, NodeIndex, NodeKind};
use super::readings::Readings;
use crate::model::id::NodeAddress;
use crate::model::policy::{OnExpiry, Reversibility, Stragglers};
use crate::model::run::{Mode, Phase};

/// Above this many edges, the checks at the start are gathered under one node.
const START_EDGES: usize = 10_000;

/// Nodes that cannot be taken back, in the mode the run starts in or in the one it may switch to.
pub(super) fn irreversible(nodes: &[Node]) -> Vec<NodeIndex> {
    let found = (0..).zip(nodes).filter(|(_, node)| is_irreversible(node));
    found.map(|(index, _)| index).collect()
}

/// Says whether a node cannot be taken back in one of its variants.
pub(super) fn is_irreversible(node: &Node) -> bool {
    [Mode::Graceful, Mode::Ungraceful]
        .into_iter()
        .any(|mode| node.reversibility_in(mode) == Reversibility::Irreversible)
}

/// Adds the copies of prechecks that are made when the run starts.
pub(super) fn start_checks(draft: &mut Draft) {
    let mut checks: Vec<NodeIndex> = Vec::new();
    for node in std::mem::take(&mut draft.start) {
        checks.push(draft.push_at(node, 0));
    }
    if checks.len() * draft.roots.len() > START_EDGES {
        let kind =
            NodeKind::Group { members: checks.clone(), min_success: None, stragglers: Stragglers::Run };
        let setting = Setting { phase: Some(Phase::Assess), ..Setting::default() };
        let node = setting.node(NodeAddress::typed("start/checks"), "checks at the start".to_owned(), kind);
        let all = draft.push_at(node, 0);
        draft.connect(&[all], &checks);
        checks = vec![all];
    }
    for root in std::mem::take(&mut draft.roots) {
        for check in &checks {
            draft.need(root, *check, EdgeKind::Graceful);
        }
    }
}

/// Adds the strict edges: fence to promotion, promotion to traffic, verification to traffic, however far
/// apart they are.
pub(super) fn safety(
    draft: &mut Draft,
    order: &[NodeIndex],
    mode: Mode,
    scope: &Scope,
    problems: &mut Vec<Problem>,
) {
    const TO_PROMOTE: u8 = 1;
    const TO_SHIFT: u8 = 2;
    let mut sources: Vec<(NodeIndex, u8)> = Vec::new();
    let mut targets: Vec<(NodeIndex, u8)> = Vec::new();
    for leaf in &draft.leaves {
        let class = leaf.class;
        let gives = u8::from(class.fence) * TO_PROMOTE + u8::from(class.promote || class.verify) * TO_SHIFT;
        let takes = u8::from(class.promote) * TO_PROMOTE + u8::from(class.shift) * TO_SHIFT;
        // What is never done must not hold up what waits for it; a missing fence must.
        // What a drill leaves out has been judged when it was planned.
        let counts = |exit: &&NodeIndex| {
            let node = draft.node(**exit);
            !node.is_left_out() && (class.fence || !is_never(node, mode, scope))
        };
        sources.extend(leaf.exits.iter().filter(counts).filter(|_| gives > 0).map(|exit| (*exit, gives)));
        targets.extend(leaf.mains.iter().filter(|_| takes > 0).map(|main| (*main, takes)));
    }
    let mut added = draft.edges();
    for chunk in sources.chunks(64) {
        let reached = reached_from(draft, order, chunk);
        for (target, takes) in &targets {
            for (bit, (source, gives)) in chunk.iter().enumerate() {
                if reached[*target as usize] & (1 << bit) != 0 && gives & takes != 0 {
                    draft.need(*target, *source, EdgeKind::Safety);
                    added += 1;
                }
            }
            if added > EDGES {
                let help = "use `for_each`, or put them in groups, so that fewer steps need each other";
                problems.push(Problem::new(
                    "too many fences, promotions and traffic steps depend on each other",
                    help,
                ));
                return;
            }
        }
    }
}

/// For each node, which of up to 64 nodes come before it, as bits.
fn reached_from(draft: &Draft, order: &[NodeIndex], sources: &[(NodeIndex, u8)]) -> Vec<u64> {
    let mut own = vec![0_u64; draft.nodes.len()];
    for (bit, (source, _)) in sources.iter().enumerate() {
        own[*source as usize] |= 1 << bit;
    }
    let mut reached = vec![0_u64; draft.nodes.len()];
    for index in order {
        let needs = &draft.node(*index).needs;
        reached[*index as usize] =
            needs.iter().fold(0, |all, edge| all | reached[edge.node as usize] | own[edge.node as usize]);
    }
    reached
}

/// Adds the gate before everything that cannot be taken back, where there is such a thing.
pub(super) fn gate(
    draft: &mut Draft,
    irreversible: &[NodeIndex],
    readings: &Readings,
    mode: Mode,
    scope: &Scope,
) {
    if irreversible.is_empty() {
        return;
    }
    let after = descendants(&draft.nodes, irreversible);
    let is_before = |edge: &Edge| !after[edge.node as usize];
    let fences = draft.leaves.iter().filter(|leaf| leaf.class.fence).flat_map(|leaf| leaf.exits.iter());
    let fences = fences.filter(|exit| !draft.node(**exit).is_left_out());
    let mut needs: Vec<Edge> =
        fences.map(|node| Edge { node: *node, kind: EdgeKind::Safety }).filter(is_before).collect();
    needs.extend(readings.before_gate.iter().map(|node| Edge { node: *node, kind: EdgeKind::Ordinary }));
    let is_reading = |index: NodeIndex| matches!(draft.node(index).kind, NodeKind::Reading { .. });
    let is_fence: std::collections::HashSet<NodeIndex> = needs.iter().map(|edge| edge.node).collect();
    for index in irreversible {
        for edge in
            draft.node(*index).needs.iter().filter(|edge| is_before(edge) && !is_fence.contains(&edge.node))
        {
            let loose = is_reading(edge.node) || is_never(draft.node(edge.node), mode, scope);
            let kind = match edge.kind {
                EdgeKind::Graceful => EdgeKind::Graceful,
                EdgeKind::Ordinary | EdgeKind::Safety if loose => EdgeKind::Ordinary,
                EdgeKind::Ordinary | EdgeKind::Safety => EdgeKind::Safety,
            };
            needs.push(Edge { node: edge.node, kind });
        }
    }
    let place = irreversible.iter().map(|index| draft.place(*index)).min().unwrap_or(0).saturating_sub(1);
    let setting = Setting { phase: Some(Phase::Decide), ..Setting::default() };
    let mut node = setting.node(NodeAddress::gate(), "point of no return".to_owned(), NodeKind::Gate);
    node.needs = needs;
    let gate = draft.push_at(node, place);
    for index in irreversible {
        draft.need(*index, gate, EdgeKind::Safety);
    }
    // Nothing else is promoted before it is asked there whether the old primary may still accept writes, and
    // a promotion that somebody says is done by hand sends nobody on before that.
    let before = ancestors(&draft.nodes, &[gate]);
    let promotes = |node: &Node| {
        [Mode::Graceful, Mode::Ungraceful].map(|mode| fence::promotes(node, mode)) != [false; 2]
    };
    let mains = draft.leaves.iter().flat_map(|leaf| leaf.mains.iter().map(|main| (leaf.class, *main)));
    let moving: Vec<NodeIndex> = mains
        .filter(|(class, main)| !before[*main as usize] && (class.shift || promotes(draft.node(*main))))
        .map(|(_, main)| main)
        .filter(|main| !irreversible.contains(main))
        .collect();
    for main in moving {
        draft.need(main, gate, EdgeKind::Safety);
    }
}

/// Refuses approvals that go on by themselves towards something that cannot be taken back.
pub(super) fn approvals(draft: &Draft, irreversible: &[NodeIndex], problems: &mut Vec<Problem>) {
    let before = ancestors(&draft.nodes, irreversible);
    for (node, _) in draft.nodes.iter().zip(before).filter(|(_, before)| *before) {
        if let NodeKind::Approval { approval } = &node.kind
            && approval.on_expiry == OnExpiry::Proceed
        {
            let what =
                format!("`{}` goes on when it expires, and leads to an irreversible step", node.address);
            problems.push(Problem::new(what, "use `on_expiry: hold`, `deny` or `escalate`"));
        }
    }
}

/// Says whether a node is left out for certain: by its mode, or by a condition that nothing in the run can
/// change.
fn is_never(node: &Node, mode: Mode, scope: &Scope) -> bool {
    node.is_left_out()
        || node.is_skipped_in(mode)
        || node.when.as_ref().is_some_and(|when| scope.is_never(when))
}
