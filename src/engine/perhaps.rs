//! What a run may have changed although nobody knows: what failed half-way through, and what a person was
//! asked to do and has not spoken about.

use super::decide::Decision;
use super::event::{Applied, Want};
use super::input::Direction;
use super::state::{IndexedPlan, NodeState, RunState};
use super::{child, unwind};
use crate::model::action::{ActionName, traits};
use crate::model::id::NodeAddress;
use crate::model::policy::Reversibility;
use crate::model::run::{Failure, Mode, NodeStatus, Phase};
use crate::plan::{Node, NodeIndex, NodeKind};

/// Why a node may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubtful {
    /// A person was asked to do it by hand.
    Asked,
    /// It failed, and only its own code knows how far it had come.
    Failed,
}

/// Nodes that are not known to have changed anything, and may have all the same. An unwind leaves them.
#[must_use]
pub fn perhaps(plan: &IndexedPlan, state: &RunState) -> Vec<(NodeIndex, Doubtful)> {
    let nodes = (0..).zip(plan.plan.nodes.iter().zip(&state.nodes));
    nodes.filter_map(|(node, (definition, state))| Some((node, doubtful(definition, state)?))).collect()
}

/// The first step that may have begun and that no unwind takes back, if any: with it the point of no return
/// may be behind. One that a person has left out with an override is known to have changed nothing.
#[must_use]
pub fn perhaps_for_good<'a>(plan: &'a IndexedPlan, state: &RunState) -> Option<(&'a NodeAddress, Doubtful)> {
    first_for_good(plan, state, |node| !node.overridden)
}

/// Says whether anything irreversible may have begun, whatever people have said of it: nothing is taken back
/// behind it without a person.
pub(super) fn is_any_for_good(plan: &IndexedPlan, state: &RunState) -> bool {
    let mut nodes = plan.plan.nodes.iter().zip(&state.nodes);
    first_for_good(plan, state, |_| true).is_some()
        || nodes.any(|(definition, node)| {
            unwind::changes(definition)
                && node.applied != Applied::No
                && (definition.reversibility_in(state.mode) == Reversibility::Irreversible
                    || is_left_inside(definition, node)
                    || (promotes_inside(definition) && !child::was_taken_back(definition, node)))
        })
}

/// Says whether a node began a run that ended short of its goal and was not taken back: its own point of no
/// return may be behind.
fn is_left_inside(definition: &Node, node: &NodeState) -> bool {
    runs_inside(definition) && child::fell_short(node).is_some() && !child::was_taken_back(definition, node)
}

/// Says whether a promotion is done by another run, and by nothing here taken back.
fn promotes_inside(definition: &Node) -> bool {
    runs_inside(definition) && definition.phase == Some(Phase::Promote) && definition.undo.is_none()
}

fn runs_inside(definition: &Node) -> bool {
    definition.call(Mode::Graceful).is_some_and(|call| call.action == ActionName::RunbookRun)
}

/// Says whether another run has done the promotion of this one: for good, as its own would be.
pub(super) fn has_promoted_inside(definition: &Node, node: &NodeState) -> bool {
    promotes_inside(definition) && matches!(node.status, NodeStatus::Succeeded | NodeStatus::MarkedDone)
}

/// Says whether an attempt that ends like this holds an unwind: what it may have done would be left beside a
/// fence that is opened.
pub(super) fn holds_unwind(
    decision: &Decision<'_>,
    node: NodeIndex,
    definition: &Node,
    failure: &Failure,
) -> bool {
    let state = decision.node(node);
    let mode = state.mode.unwrap_or(decision.state.mode);
    decision.state.want == Want::Unwind
        && !runs_undo(definition, mode)
        && stays(definition, state, mode)
        && ends_half_way(definition, state, failure)
}

fn first_for_good<'a>(
    plan: &'a IndexedPlan,
    state: &RunState,
    counts: impl Fn(&NodeState) -> bool,
) -> Option<(&'a NodeAddress, Doubtful)> {
    let mut nodes = plan.plan.nodes.iter().zip(&state.nodes);
    nodes.find_map(|(definition, node)| {
        // Of a run that was left as it stands nobody waits for an answer.
        let open = node.partly || node.status == NodeStatus::AwaitingApproval;
        let open = open && stays(definition, node, state.mode);
        let inside = promotes_inside(definition) && is_left_inside(definition, node);
        let inside = inside.then_some(Doubtful::Failed);
        let found = doubtful(definition, node).filter(|_| open).or(inside);
        Some((&definition.address, found.filter(|_| counts(node))?))
    })
}

/// Says whether a node failed half-way, and what it may have done stays there for good.
#[must_use]
pub fn is_half_done(plan: &IndexedPlan, state: &RunState, node: NodeIndex) -> bool {
    let it = state.node(node);
    it.partly
        && plan.plan.nodes.get(node as usize).is_some_and(|definition| stays(definition, it, state.mode))
}

/// Says whether what a node may have done half-way stays there for good, or makes a second primary: a fence
/// is not opened beside it.
fn stays(definition: &Node, node: &NodeState, mode: Mode) -> bool {
    let mode = node.mode.unwrap_or(mode);
    let promotes = definition.phase == Some(Phase::Promote) && !runs_undo(definition, mode);
    promotes || definition.reversibility_in(mode) == Reversibility::Irreversible
}

fn doubtful(definition: &Node, node: &NodeState) -> Option<Doubtful> {
    if node.applied != Applied::No || node.direction != Direction::Do {
        return None;
    }
    let by_hand = matches!(definition.kind, NodeKind::Manual { .. });
    let asked = matches!(node.status, NodeStatus::AwaitingApproval | NodeStatus::Cancelled);
    if by_hand && asked { Some(Doubtful::Asked) } else { node.partly.then_some(Doubtful::Failed) }
}

/// Says whether the undo of a node runs also for what a failed try may have done, as its author wants it.
pub(super) fn runs_undo(definition: &Node, mode: Mode) -> bool {
    definition.undo_after_failure && definition.reversibility_in(mode) != Reversibility::Irreversible
}

/// Says whether another try is told by its key from a second effect: it is the same intent then.
pub(super) fn is_resent(definition: &Node, mode: Mode) -> bool {
    definition.call(mode).is_some_and(|call| {
        call.action == ActionName::HttpRequest && traits::may_resend(call.action, &call.with)
    })
}

/// Says whether an attempt that ends like this, now, may have done a part of its work.
pub(super) fn ends_half_way(definition: &Node, node: &NodeState, failure: &Failure) -> bool {
    let call = definition.call(node.mode.unwrap_or(Mode::Graceful));
    // One in doubt was looked at since: it is known not to have happened.
    node.status == NodeStatus::Running
        && node.direction == Direction::Do
        && unwind::is_effect(definition)
        && call.is_some_and(|call| traits::may_do_a_part(call.action, failure.class))
}

/// Says whether a node is taken back for what a failed try may have done.
pub(super) fn is_for_undo(definition: &Node, node: &NodeState) -> bool {
    node.partly && runs_undo(definition, node.mode.unwrap_or(Mode::Graceful))
}
