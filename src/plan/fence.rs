//! Which nodes of a plan stop the old primary from accepting writes. A look, an empty list and a fence of
//! the wrong site do not.

use std::collections::BTreeMap;

use super::drill::Section;
use super::graph;
use super::node::{Call, Node, NodeIndex, NodeKind, Plan};
use crate::model::action::meaning::{self, Aim, Meaning};
use crate::model::action::{Effect, Role, traits};
use crate::model::id::SiteName;
use crate::model::policy::Reversibility;
use crate::model::run::{Mode, Phase};
use crate::model::runbook::Strategy;
use crate::model::values::Site;

/// The sites of a plan, and the one it leaves.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) from: Option<&'a SiteName>,
    pub(super) sites: &'a BTreeMap<SiteName, Site>,
}

impl Sides<'_> {
    /// Whether a call of a phase fences the site the service leaves, as far as anybody can tell.
    pub(super) fn fences(&self, phase: Option<Phase>, call: &Call) -> bool {
        meaning::fences(phase, call.action, &call.with) && self.aim(call) != Aim::Elsewhere
    }

    /// Whether a call starts something at the site the service leaves.
    pub(super) fn starts_at_source(&self, call: &Call) -> bool {
        matches!(meaning::meaning(call.action, &call.with), Meaning::Consumes | Meaning::Grows)
            && self.aim(call) == Aim::From
    }

    fn aim(&self, call: &Call) -> Aim {
        let Some((from, site)) = self.from.and_then(|from| Some((from, self.sites.get(from)?))) else {
            return Aim::Unknown;
        };
        let others = self.sites.iter().filter(|(name, _)| *name != from).map(|(_, site)| site);
        meaning::aim(call.action, &call.with, site, others)
    }
}

impl Plan {
    /// Whether a node stops the old primary from accepting writes in a mode.
    #[must_use]
    pub fn fences(&self, node: &Node, mode: Mode) -> bool {
        // The way back of a live drill leaves the site that the drill moved to.
        let back = node.section() == Some(Section::Failback);
        let from = if back { &self.to } else { &self.from };
        let sides = Sides { from: from.as_ref(), sites: &self.sites };
        let performs = matches!(node.kind, NodeKind::Effect { .. } | NodeKind::Manual { .. });
        performs && node.call(mode).is_some_and(|call| sides.fences(node.phase, call))
    }

    /// Whether a second primary would come up beside the old one unless something fences that: something
    /// makes data writable for good, and is no operation that takes the writer away by itself.
    #[must_use]
    pub fn needs_fence(&self, mode: Mode) -> bool {
        self.strategy != Some(Strategy::ActiveActive)
            && self.from.is_some()
            && self.nodes.iter().any(|node| promotes_beside(node, mode))
    }

    /// Whether something makes data writable elsewhere, for good or not, or sends users to restored data,
    /// before anybody is asked at the gate whether the old primary may still accept writes.
    #[must_use]
    pub fn moves_unasked(&self, mode: Mode) -> bool {
        let is_gate = |(at, node): (NodeIndex, &Node)| matches!(node.kind, NodeKind::Gate).then_some(at);
        let gate: Vec<NodeIndex> = (0..).zip(&self.nodes).filter_map(is_gate).collect();
        let asked = graph::descendants(&self.nodes, &gate);
        let restores = self.nodes.iter().any(|node| restores(node, mode));
        let moves = |node: &Node| promotes(node, mode) || (restores && shifts(node, mode));
        self.nodes.iter().zip(asked).any(|(node, asked)| !asked && moves(node))
    }
}

fn promotes_beside(node: &Node, mode: Mode) -> bool {
    node.reversibility_in(mode) == Reversibility::Irreversible
        && (promotes(node, mode) || restores(node, mode))
}

/// Whether a node makes a copy of the data writable that the old primary had, and leaves that as it is.
pub(super) fn promotes(node: &Node, mode: Mode) -> bool {
    performed(node, mode).is_some_and(|call| {
        let phase = node.phase == Some(Phase::Promote) || call.action.spec().role == Role::Promote;
        phase && !restores(node, mode) && !meaning::fences_itself(call.action)
    })
}

/// Whether a node makes data anew from a backup: nobody uses it before users are sent there.
fn restores(node: &Node, mode: Mode) -> bool {
    let by_phase = node.phase == Some(Phase::Restore);
    performed(node, mode).is_some_and(|call| by_phase || meaning::restores(call.action))
}

fn shifts(node: &Node, mode: Mode) -> bool {
    let by_phase = node.phase == Some(Phase::Shift);
    performed(node, mode).is_some_and(|call| by_phase || call.action.spec().role == Role::Shift)
}

fn performed(node: &Node, mode: Mode) -> Option<&Call> {
    let performs = matches!(node.kind, NodeKind::Effect { .. } | NodeKind::Manual { .. });
    node.call(mode).filter(|call| performs && traits::effect(call.action, &call.with) == Effect::Mutate)
}
