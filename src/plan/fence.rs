//! Which nodes of a plan stop the old primary from accepting writes. A look, an empty list and a fence of
//! the wrong site do not.

use std::collections::BTreeMap;

use super::drill::Section;
use super::node::{Call, Node, NodeKind, Plan};
use crate::model::action::Role;
use crate::model::action::meaning::{self, Aim, Meaning};
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

    /// Whether something makes data writable elsewhere, for good or not, without taking the writer away by
    /// itself.
    #[must_use]
    pub fn promotes(&self, mode: Mode) -> bool {
        self.nodes.iter().any(|node| makes_writable(node, mode))
    }
}

fn promotes_beside(node: &Node, mode: Mode) -> bool {
    node.reversibility_in(mode) == Reversibility::Irreversible && makes_writable(node, mode)
}

fn makes_writable(node: &Node, mode: Mode) -> bool {
    let promotes = |call: &Call| {
        let phase = matches!(node.phase, Some(Phase::Promote | Phase::Restore));
        (phase || call.action.spec().role == Role::Promote) && !meaning::fences_itself(call.action)
    };
    matches!(node.kind, NodeKind::Effect { .. } | NodeKind::Manual { .. })
        && node.call(mode).is_some_and(promotes)
}
