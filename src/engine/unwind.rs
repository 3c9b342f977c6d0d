//! Takes back what was applied, in reverse dependency order. Only before the point of no return.

use std::sync::Arc;

use super::decide::Decision;
use super::event::{Applied, SkipCause, Want};
use super::input::{Direction, Rejection};
use super::perhaps::{Doubtful, has_promoted_inside, is_any_for_good, perhaps, perhaps_for_good};
use super::state::{IndexedPlan, NodeState, RunState};
use super::status::address;
use super::{attempt, child, drill};
use crate::model::action::{Effect, traits};
use crate::model::id::NodeAddress;
use crate::model::policy::Reversibility;
use crate::model::run::NodeStatus;
use crate::model::shell;
use crate::plan::{Node, NodeIndex, NodeKind};

/// Says whether everything applied so far may be taken back without asking anybody.
pub(super) fn is_possible(decision: &Decision<'_>) -> bool {
    !is_any_for_good(decision.plan, &decision.state)
}

/// Refuses when an irreversible step has begun, or a person may have begun it.
pub(super) fn check(decision: &Decision<'_>) -> Result<(), Rejection> {
    let (plan, state) = (decision.plan, &decision.state);
    if let Some(address) = passed(plan, state) {
        return Err(Rejection::Refused(format!(
            "the point of no return is behind: `{address}` cannot be taken back. Hold with `drctl abort`, go \
             forward with `drctl resume`, or return later with `drctl failback`"
        )));
    }
    let Some((address, doubtful)) = perhaps_for_good(plan, state) else { return Ok(()) };
    let (run, typed) = (&state.created.run, shell::word(address.as_str()));
    let (why, only_if) = match doubtful {
        Doubtful::Asked => {
            (format!("a person was asked to do `{address}`, may have begun,"), "nobody has begun it")
        }
        Doubtful::Failed => (
            format!("`{address}` failed, only its own code knows how far it had come,"),
            "it has changed nothing",
        ),
    };
    let back = if plan.plan.nodes.iter().any(|node| node.address == *address && node.undo.is_some()) {
        "no undo of it runs before that is known"
    } else {
        "it cannot be taken back"
    };
    Err(Rejection::Refused(format!(
        "the point of no return may be behind: {why} and {back}. If it is done: `drctl pause {run}`, \
         `drctl done {run} {typed} --reason …`; hold with `drctl abort {run}`. Only if {only_if}: \
         `drctl pause {run}`, `drctl skip {run} {typed} --override --reason …`, and unwind then"
    )))
}

/// The first irreversible step that has begun, if any: performed by the run, or done by hand.
#[must_use]
pub fn passed<'a>(plan: &'a IndexedPlan, state: &RunState) -> Option<&'a NodeAddress> {
    let mut nodes = plan.plan.nodes.iter().zip(&state.nodes);
    let found = nodes.find(|(definition, node)| {
        let there = node.applied == Applied::Yes
            || (node.applied == Applied::Unknown && !(node.overridden && was_left_out(node)));
        let for_good = definition.reversibility_in(state.mode) == Reversibility::Irreversible
            && changes(definition)
            && there;
        for_good || has_promoted_inside(definition, node)
    });
    found.map(|(definition, _)| &definition.address)
}

/// Says whether a person has left out a step that may have done something.
fn was_left_out(node: &NodeState) -> bool {
    node.applied == Applied::Unknown
        && node.direction == Direction::Do
        && matches!(node.skipped, Some(SkipCause::Person { .. }))
}

/// What a run has applied, in the order of the plan, each with whether an unwind would take it back.
#[must_use]
pub fn applied(plan: &IndexedPlan, state: &RunState) -> Vec<(NodeIndex, bool)> {
    let nodes = (0..).zip(plan.plan.nodes.iter().zip(&state.nodes));
    let there = nodes.filter(|(_, (definition, node))| {
        changes(definition) && node.applied != Applied::No && node.status != NodeStatus::Undone
    });
    there.map(|(at, (definition, node))| (at, is_there(definition, node))).collect()
}

/// Begins every undo that no later applied effect stands in the way of.
pub(super) fn advance(decision: &mut Decision<'_>) {
    let cleans = decision.state.want == Want::CleanUp;
    if !cleans && !decision.state.failed.iter().all(|node| decision.node(*node).status == NodeStatus::Failed)
    {
        return; // An undo failed: a person decides before anything else is taken back.
    }
    for node in ready_to_undo(decision) {
        attempt::begin_undo(decision, node);
    }
}

fn ready_to_undo(decision: &Decision<'_>) -> Vec<NodeIndex> {
    let count = decision.plan.plan.nodes.len();
    // A node stands in the way of all before it while its effect is there or something is under way on it.
    let mut blocked = vec![false; count];
    let mut ready = Vec::new();
    for index in (0..count).rev() {
        let Ok(node) = NodeIndex::try_from(index) else { continue };
        let successors = decision.plan.index.successors.get(index).map_or(&[][..], Vec::as_slice);
        // Nothing is built on a fault: what cannot be taken back does not keep it.
        let is_fault = drill::is_fault(decision, node);
        let later = successors.iter().any(|successor| {
            (!is_fault || drill::is_fault(decision, *successor))
                && blocked.get(*successor as usize).copied().unwrap_or(false)
        });
        let under_way = decision.state.active.contains(&node);
        let outstanding = is_outstanding(decision, node);
        if outstanding && !later && !under_way {
            ready.push(node);
        }
        if let Some(entry) = blocked.get_mut(index) {
            *entry = later || under_way || outstanding || stays(decision, node);
        }
    }
    if !faults_may_go(decision, &ready) {
        ready.retain(|node| !drill::is_fault(decision, *node));
    }
    ready
}

/// Says whether the fault of a drill is taken back now: last of what can be, but at once for a real run.
fn faults_may_go(decision: &Decision<'_>, ready: &[NodeIndex]) -> bool {
    let other = |node: &NodeIndex| !drill::is_fault(decision, *node);
    let under_way = |node: &NodeIndex| {
        let winds = decision.definition(*node).is_some_and(drill::winds_up);
        other(node) && !winds && !decision.node(*node).person_needed
    };
    drill::is_promoted(decision) || !(ready.iter().any(other) || decision.state.active.iter().any(under_way))
}

/// Says whether what could not be taken back keeps what it stands on.
fn stays(decision: &Decision<'_>, node: NodeIndex) -> bool {
    let promoted = || {
        let definition = decision.definition(node);
        definition.is_some_and(|definition| has_promoted_inside(definition, decision.node(node)))
    };
    match decision.state.want {
        Want::CleanUp => decision.node(node).status == NodeStatus::UndoFailed,
        // It went on to its end while everything else was already being taken back.
        Want::Unwind => promoted(),
        Want::Run | Want::Pause | Want::Abort | Want::Fail => false,
    }
}

/// Says whether a node has an effect that is still to be taken back.
pub(super) fn is_outstanding(decision: &Decision<'_>, node: NodeIndex) -> bool {
    decision.definition(node).is_some_and(|definition| is_there(definition, decision.node(node)))
        && drill::takes_back(decision, node)
}

fn is_there(definition: &Node, state: &NodeState) -> bool {
    stands(state) && attempt::can_undo(definition)
}

/// Says whether what a node did, or may have done, is there and nobody answers for it but the run.
pub(super) fn stands(state: &NodeState) -> bool {
    match state.status {
        NodeStatus::Succeeded => !state.adopted,
        // Whoever said so did the step's work for this run.
        NodeStatus::MarkedDone => state.applied != Applied::No,
        NodeStatus::Failed | NodeStatus::FailedIgnored | NodeStatus::TimedOut => state.applied != Applied::No,
        // It was to be tried again, or was left out in between, while an earlier try may have been applied.
        NodeStatus::Pending | NodeStatus::Cancelled => state.applied != Applied::No,
        NodeStatus::Skipped => {
            state.applied != Applied::No && !matches!(state.skipped, Some(SkipCause::Person { .. }))
        }
        NodeStatus::Ready
        | NodeStatus::Running
        | NodeStatus::Waiting
        | NodeStatus::AwaitingApproval
        | NodeStatus::Retrying
        | NodeStatus::InDoubt
        | NodeStatus::Undone
        | NodeStatus::UndoFailed => false,
    }
}

/// Says whether a node changes the estate, or has a person change it.
pub(super) fn changes(definition: &Node) -> bool {
    is_effect(definition) || matches!(definition.kind, NodeKind::Manual { .. })
}

/// Says whether a node changes the estate by itself.
pub(super) fn is_effect(definition: &Node) -> bool {
    let NodeKind::Effect { call } = &definition.kind else { return false };
    traits::effect(call.action, &call.with) == Effect::Mutate
}

/// What an unwind leaves, in words: what may be there although nobody knows, what a person has done, and
/// what has no way back or was left out by a person.
pub(super) fn left_as_is(decision: &Decision<'_>) -> Vec<String> {
    let (plan, state) = (decision.plan, &decision.state);
    let nodes = plan.plan.nodes.iter().zip(&state.nodes);
    let left = nodes
        .filter(|(definition, node)| changes(definition) && node.applied != Applied::No)
        .filter(|(definition, node)| !child::was_taken_back(definition, node));
    let (done, other): (Vec<_>, Vec<_>) = left.partition(|(_, node)| node.status == NodeStatus::MarkedDone);
    let names = |nodes: Vec<(&Node, &Arc<NodeState>)>| {
        nodes.iter().map(|(definition, _)| definition.address.to_string()).collect::<Vec<_>>()
    };
    let (unknown, other): (Vec<_>, Vec<_>) = other.into_iter().partition(|(_, node)| was_left_out(node));
    let mut perhaps: Vec<_> = perhaps(plan, state).into_iter().map(|(node, _)| address(plan, node)).collect();
    perhaps.extend(names(unknown));
    let told = [
        ("may have changed something, look at it", perhaps),
        ("marked done by hand, left as it is", names(done)),
        ("without a way back, left as it is", names(other)),
    ];
    let told = told.into_iter().filter(|(_, names)| !names.is_empty());
    told.map(|(what, names)| format!("{what}: {}", child::few(names, ", "))).collect()
}
