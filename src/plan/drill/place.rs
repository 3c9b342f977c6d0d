//! What a node is in a drill, given the steps around it, and for which the boundary is not enforced. Decides
//! no level.

use super::{InDrill, Section};
use crate::model::drill::{DrillRule, DrillUse, DrillVariant};
use crate::model::step::Step;
use crate::plan::node::{Node, NodeKind, Plan};

/// Addresses of the nodes for which the boundary of a drill is not enforced.
#[must_use]
pub fn unenforced(plan: &Plan) -> Vec<String> {
    let bounded = plan.drill.as_ref().is_some_and(|drill| drill.boundary.is_some());
    let trusted = |node: &&Node| {
        bounded
            && node.drill.is_some_and(|place| place.trusted && !place.left_out)
            && matches!(node.kind, NodeKind::Effect { .. })
    };
    plan.nodes.iter().filter(trusted).map(|node| node.address.to_string()).collect()
}

impl InDrill {
    /// A node of a section, which runs.
    pub(in crate::plan) const fn of(section: Section) -> Self {
        Self { section, left_out: false, trusted: false }
    }

    /// What a step inside this one is; its rule has been resolved for the level of the drill.
    pub(in crate::plan) fn inside(self, step: &Step) -> Self {
        let (left_out, trusted) = match &step.drill {
            Some(DrillRule::Always(DrillVariant::Run)) => (false, self.trusted),
            Some(DrillRule::Always(DrillVariant::Skip)) => (true, self.trusted),
            Some(DrillRule::Always(DrillVariant::Other(other))) => {
                let DrillUse { boundary, .. } = other.as_ref();
                (false, self.trusted || boundary.is_some())
            }
            Some(DrillRule::Levels(_)) | None => (self.left_out, self.trusted),
        };
        Self { section: self.section, left_out, trusted }
    }
}
