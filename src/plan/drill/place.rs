//! What a node is in a drill, given the steps around it, and for which the boundary is not enforced. Decides
//! no level.

use serde_json::Value;

use super::boundary::is_unenforced;
use super::{InDrill, Section, within};
use crate::model::action::{Action, ActionName, Effect, traits};
use crate::model::drill::{DrillRule, DrillUse, DrillVariant};
use crate::model::step::Step;
use crate::plan::node::{Call, NodeIndex, Plan};

/// A call for which the boundary of a drill is not enforced: its author answers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unenforced {
    /// The node.
    pub node: NodeIndex,
    /// Its address.
    pub address: String,
    /// The action that cannot be checked.
    pub action: ActionName,
    /// What takes the effect back, not what makes it.
    pub undo: bool,
}

/// The calls of a plan for which the boundary of a drill is not enforced. One whose parameters are known only
/// in the run counts as one.
#[must_use]
pub fn unenforced(plan: &Plan) -> Vec<Unenforced> {
    if plan.drill.as_ref().is_none_or(|drill| drill.boundary.is_none()) {
        return Vec::new();
    }
    let mut found: Vec<Unenforced> = Vec::new();
    for (index, node) in (0..).zip(&plan.nodes) {
        if !node.drill.is_some_and(|place| place.trusted && !place.left_out) {
            continue;
        }
        for (call, undo) in within::calls(node).filter(|(call, _)| cannot_be_checked(call)) {
            let of = Unenforced { node: index, address: node.address.to_string(), action: call.action, undo };
            if !found.contains(&of) {
                found.push(of);
            }
        }
    }
    found
}

fn cannot_be_checked(call: &Call) -> bool {
    if call.deferred {
        return traits::effect(call.action, &call.with) == Effect::Mutate;
    }
    let action = Action::new(call.action, Value::Object(call.with.clone()));
    action.is_ok_and(|action| is_unenforced(&action, true))
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
