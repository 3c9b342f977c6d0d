//! What becomes of a drill when the real operation begins: what the operation would do itself and can find
//! done stays, the rest is cleaned up. Decides from what has run; changes nothing.

use super::event::Applied;
use super::input::Direction;
use super::state::{IndexedPlan, RunState};
use super::{attempt, drill, transition};
use crate::model::action::{ActionName, Doubt, traits};
use crate::model::id::NodeAddress;
use crate::model::run::{Mode, NodeStatus};
use crate::plan::{Call, Node, NodeIndex, Plan, Section};

/// What a drill leaves to a real run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takeover {
    /// Nodes whose effect the real run would bring about itself, so that it stays: it looks, and finds it
    /// done.
    pub keep: Vec<NodeAddress>,
    /// Nodes among the same whose effect is being taken back: the real run does them anew afterwards, and
    /// nobody takes them back again.
    pub undone: Vec<NodeAddress>,
    /// Nodes that stay although nobody can look whether they are done: the real run does them again. Most are
    /// harmless to do twice.
    pub again: Vec<NodeAddress>,
    /// Nodes whose effect is there only because of the drill, so that it is taken back.
    pub clean: Vec<NodeAddress>,
    /// Nodes whose effect is there only because of the drill, and that only its cleanup takes away, which a
    /// real run leaves out.
    pub left: Vec<NodeAddress>,
}

impl Takeover {
    /// Says whether the real run goes on from what the drill has done.
    #[must_use]
    pub const fn promotes(&self) -> bool {
        !(self.keep.is_empty() && self.undone.is_empty() && self.again.is_empty())
    }

    /// All nodes whose effect the drill leaves alone from now on.
    #[must_use]
    pub fn kept(&self) -> Vec<NodeAddress> {
        [&self.keep, &self.undone, &self.again].into_iter().flatten().cloned().collect()
    }
}

/// Compares what a drill has done with what a real plan would do: the same node making the same call. What
/// nobody can look at and that has an undo is taken back first, rather than done twice.
#[must_use]
pub fn takeover(plan: &IndexedPlan, state: &RunState, real: &Plan) -> Takeover {
    sorted(plan, state, |index, node, call| {
        let shows = call.is_some_and(is_told);
        is_done_by(plan, state, index, real) && (shows || !attempt::can_undo(node))
    })
}

/// What a drill leaves when all it has done is to stay; a fault it made never does.
#[must_use]
pub fn keep_all(plan: &IndexedPlan, state: &RunState) -> Takeover {
    sorted(plan, state, |_, node, _| node.section() == Some(Section::Operation))
}

/// What a drill leaves when nothing of it is to stay.
#[must_use]
pub fn keep_nothing(plan: &IndexedPlan, state: &RunState) -> Takeover {
    sorted(plan, state, |_, _, _| false)
}

/// Says whether a real plan makes the same call as a node of a drill.
pub(super) fn is_done_by(plan: &IndexedPlan, state: &RunState, node: NodeIndex, real: &Plan) -> bool {
    let Some(definition) = plan.plan.nodes.get(node as usize) else { return false };
    let call = definition.call(mode_of(state, node));
    let same = real.nodes.iter().find(|other| other.address == definition.address);
    same.and_then(|other| other.call(real.mode)).is_some_and(|other| Some(other) == call)
}

/// What a drill that was told to end keeps for a real run, sorted by what becomes of it there.
#[must_use]
pub fn handed_over(plan: &IndexedPlan, state: &RunState) -> Takeover {
    let mut takeover = Takeover::default();
    for &index in &state.drill.keep {
        let Some(node) = plan.plan.nodes.get(index as usize) else { continue };
        kept_in(&mut takeover, state, index, node.call(mode_of(state, index))).push(node.address.clone());
    }
    takeover
}

/// Says whether a run that looks before it acts learns of the effect of a call.
fn is_seen(call: &Call) -> bool {
    match call.action {
        ActionName::CommandRun => {
            call.with.get("observes").and_then(serde_json::Value::as_bool) == Some(true)
        }
        ActionName::HttpRequest | ActionName::AwsLambdaInvoke => call.with.contains_key("observe"),
        action => traits::doubt(action, &call.with) == Doubt::Observable,
    }
}

/// Says whether a run that looks before it acts learns of the effect of a call, or does no harm when it makes
/// it again.
fn is_told(call: &Call) -> bool {
    is_seen(call) || traits::may_resend(call.action, &call.with)
}

/// The list of what stays that a node belongs to.
fn kept_in<'t>(
    takeover: &'t mut Takeover,
    state: &RunState,
    node: NodeIndex,
    call: Option<&Call>,
) -> &'t mut Vec<NodeAddress> {
    if is_undone(state, node) {
        &mut takeover.undone
    } else if call.is_some_and(is_seen) {
        &mut takeover.keep
    } else {
        &mut takeover.again
    }
}

fn sorted(
    plan: &IndexedPlan,
    state: &RunState,
    keeps: impl Fn(NodeIndex, &Node, Option<&Call>) -> bool,
) -> Takeover {
    let mut takeover = Takeover::default();
    let mut without = Vec::new();
    for index in drill::there(plan, state) {
        let Some(node) = plan.plan.nodes.get(index as usize) else { continue };
        let call = node.call(mode_of(state, index));
        let list = if keeps(index, node, call) {
            kept_in(&mut takeover, state, index, call)
        } else if attempt::can_undo(node) {
            &mut takeover.clean
        } else {
            &mut without
        };
        list.push(node.address.clone());
    }
    // What has no undo is swept up by the cleanup, unless that is left out.
    let rest = if takeover.promotes() { &mut takeover.left } else { &mut takeover.clean };
    rest.extend(without);
    takeover
}

/// Says whether the effect of a node is being taken back, or was as far as that was possible.
fn is_undone(state: &RunState, node: NodeIndex) -> bool {
    let it = state.node(node);
    let going = transition::is_active(it.status) && it.direction == Direction::Undo;
    it.applied != Applied::No && (going || it.status == NodeStatus::UndoFailed)
}

fn mode_of(state: &RunState, node: NodeIndex) -> Mode {
    state.node(node).mode.unwrap_or(state.mode)
}
