//! What becomes of a drill when the real operation begins: what the operation would do itself stays, the
//! rest is cleaned up. Decides from what has run; changes nothing.

use super::drill;
use super::state::{IndexedPlan, RunState};
use crate::model::id::NodeAddress;
use crate::plan::{Call, Node, NodeIndex, Plan, Section};

/// What a drill leaves to a real run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takeover {
    /// Nodes whose effect the real run would bring about itself, so that it stays.
    pub keep: Vec<NodeAddress>,
    /// Nodes whose effect is there only because of the drill, so that it is taken back.
    pub clean: Vec<NodeAddress>,
}

impl Takeover {
    /// Says whether the real run goes on from what the drill has done.
    #[must_use]
    pub const fn promotes(&self) -> bool {
        !self.keep.is_empty()
    }
}

/// Compares what a drill has done with what a real plan would do: the same node making the same call.
#[must_use]
pub fn takeover(plan: &IndexedPlan, state: &RunState, real: &Plan) -> Takeover {
    sorted(plan, state, |node, call| {
        let same = real.nodes.iter().find(|other| other.address == node.address);
        same.and_then(|other| other.call(real.mode)).is_some_and(|other| Some(other) == call)
    })
}

/// What a drill leaves when all it has done is to stay; a fault it made never does.
#[must_use]
pub fn keep_all(plan: &IndexedPlan, state: &RunState) -> Takeover {
    sorted(plan, state, |node, _| node.section() == Some(Section::Operation))
}

/// What a drill leaves when nothing of it is to stay.
#[must_use]
pub fn keep_nothing(plan: &IndexedPlan, state: &RunState) -> Takeover {
    sorted(plan, state, |_, _| false)
}

fn sorted(plan: &IndexedPlan, state: &RunState, keeps: impl Fn(&Node, Option<&Call>) -> bool) -> Takeover {
    let mut takeover = Takeover::default();
    for index in drill::there(plan, state) {
        let Some(node) = plan.plan.nodes.get(index as usize) else { continue };
        let call = node.call(mode_of(state, index));
        let list = if keeps(node, call) { &mut takeover.keep } else { &mut takeover.clean };
        list.push(node.address.clone());
    }
    takeover
}

fn mode_of(state: &RunState, node: NodeIndex) -> crate::model::run::Mode {
    state.node(node).mode.unwrap_or(state.mode)
}
