//! The plan while it is being made: nodes in the order they were thought of, with edges to nodes thought of
//! later.

use serde_json::Value;

use super::drill::InDrill;
use super::fence::Sides;
use super::node::{Call, Edge, EdgeKind, Lane, Node, NodeIndex, NodeKind, NodeVariant};
use crate::model::action::Role;
use crate::model::action::meaning::{Meaning, meaning};
use crate::model::expression::Expression;
use crate::model::id::{NodeAddress, StepId};
use crate::model::policy::{OnFailure, Retry, Reversibility};
use crate::model::run::{Mode, Phase};
use crate::model::time::Duration;

/// Distance between the places of two nodes, so that others fit in between.
const STRIDE: u64 = 4;

/// Nodes under construction.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) nodes: Vec<Node>,
    /// Where each node would like to stand.
    pub(super) places: Vec<u64>,
    /// Leaf steps: those that perform something, fanned out or not.
    pub(super) leaves: Vec<Leaf>,
    /// Copies of prechecks for the start of the run.
    pub(super) start: Vec<Node>,
    /// Nodes that need nothing.
    pub(super) roots: Vec<NodeIndex>,
}

/// What became of one step that performs something.
pub(super) struct Leaf {
    pub(super) phase: Option<Phase>,
    pub(super) class: Class,
    /// The nodes that perform it.
    pub(super) mains: Vec<NodeIndex>,
    /// The nodes that must be over for what needs the step.
    pub(super) exits: Vec<NodeIndex>,
}

/// What a step means for the order of a recovery. A step can be several of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent answers, not a state")]
pub(super) struct Class {
    pub(super) fence: bool,
    pub(super) promote: bool,
    pub(super) verify: bool,
    pub(super) shift: bool,
}

impl Class {
    /// The class of a step with this phase, which is performed by these nodes.
    pub(super) fn of(phase: Option<Phase>, nodes: &[&Node], sides: &Sides<'_>) -> Self {
        let calls: Vec<&Call> = nodes.iter().flat_map(|node| calls(node)).collect();
        let is = |role: Role| calls.iter().any(|call| call.action.spec().role == role);
        let only_looks = |call: &&Call| meaning(call.action, &call.with) == Meaning::Looks;
        Self {
            fence: calls.iter().any(|call| sides.fences(phase, call)),
            promote: is(Role::Promote)
                || (matches!(phase, Some(Phase::Promote | Phase::Restore)) && !calls.iter().all(only_looks)),
            verify: phase == Some(Phase::Verify),
            shift: phase == Some(Phase::Shift) || is(Role::Shift),
        }
    }
}

/// What a node performs in either mode.
fn calls(node: &Node) -> impl Iterator<Item = &Call> {
    let other = match &node.ungraceful {
        Some(NodeVariant::Call(call)) => Some(call),
        Some(NodeVariant::Skip | NodeVariant::MinSuccess(_)) | None => None,
    };
    node.call(Mode::Graceful).into_iter().chain(other)
}

/// What a node takes from its step and from the groups around it.
#[derive(Clone, Default)]
pub(super) struct Setting {
    pub(super) step: Option<StepId>,
    pub(super) title: String,
    pub(super) phase: Option<Phase>,
    pub(super) when: Option<Expression>,
    pub(super) on_failure: Option<OnFailure>,
    pub(super) lane: Option<Lane>,
    pub(super) item: Option<Value>,
    /// Left out when the run is ungraceful.
    pub(super) skip: bool,
    /// What it is in a drill.
    pub(super) drill: Option<InDrill>,
}

impl Setting {
    /// A node with these settings that does nothing in particular.
    pub(super) fn node(&self, address: NodeAddress, title: String, kind: NodeKind) -> Node {
        Node {
            address,
            title,
            step: self.step.clone(),
            phase: self.phase,
            kind,
            needs: Vec::new(),
            when: self.when.clone(),
            timeout: Duration::ZERO,
            deadline: None,
            estimate: Duration::ZERO,
            retry: Retry::default(),
            on_failure: self.on_failure.unwrap_or(OnFailure::Pause),
            reversibility: Reversibility::Reversible,
            ungraceful: self.skip.then_some(NodeVariant::Skip),
            undo: None,
            undo_after_failure: false,
            outputs: std::collections::BTreeMap::new(),
            item: self.item.clone(),
            lane: self.lane,
            manual: None,
            drill: self.drill,
        }
    }
}

impl Draft {
    /// Says what each leaf means, now that its nodes are bound.
    pub(super) fn classify(&mut self, sides: &Sides<'_>) {
        for leaf in &mut self.leaves {
            let mains: Vec<&Node> =
                leaf.mains.iter().filter_map(|main| self.nodes.get(*main as usize)).collect();
            leaf.class = Class::of(leaf.phase, &mains, sides);
        }
    }

    /// Adds a node after all others.
    pub(super) fn push(&mut self, node: Node) -> NodeIndex {
        let place = (self.nodes.len() as u64 + 1) * STRIDE;
        self.push_at(node, place)
    }

    /// Adds a node at a place.
    pub(super) fn push_at(&mut self, node: Node, place: u64) -> NodeIndex {
        let index = NodeIndex::try_from(self.nodes.len()).unwrap_or(NodeIndex::MAX);
        self.nodes.push(node);
        self.places.push(place);
        index
    }

    pub(super) fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[index as usize]
    }

    pub(super) fn place(&self, index: NodeIndex) -> u64 {
        self.places[index as usize]
    }

    /// Makes a node need another.
    pub(super) fn need(&mut self, node: NodeIndex, need: NodeIndex, kind: EdgeKind) {
        self.nodes[node as usize].needs.push(Edge { node: need, kind });
    }

    /// Makes each of `nodes` need all of `needs`.
    pub(super) fn connect(&mut self, nodes: &[NodeIndex], needs: &[NodeIndex]) {
        for node in nodes {
            let edges = needs.iter().map(|need| Edge { node: *need, kind: EdgeKind::Ordinary });
            self.nodes[*node as usize].needs.extend(edges);
        }
    }

    /// How many edges there are, repeated ones included.
    pub(super) fn edges(&self) -> usize {
        self.nodes.iter().map(|node| node.needs.len()).sum()
    }
}
