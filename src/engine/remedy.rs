//! What a person may do about a node that cannot go on by itself: one answer for what is advised and for what
//! is granted. Never changes anything.

use super::event::{Applied, Want};
use super::input::Direction;
use super::perhaps::is_half_done;
use super::state::{IndexedPlan, NodeState, RunState};
use super::{attempt, left, ready};
use crate::model::action::Doubt;
use crate::model::run::{Failure, FailureClass, Mode, NodeStatus};
use crate::plan::{NodeIndex, Section};

const LOOKED_AT: &str = "is in doubt and being looked at; wait for the answer";

/// Something a person may say about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Try it again; what is in doubt is looked at first, where that is possible.
    Retry,
    /// It is done: applied, or taken back.
    Done,
    /// Leave it as it is.
    Skip,
}

/// What is worth telling a person about a node that waits for one, the best first.
#[must_use]
pub fn remedies(plan: &IndexedPlan, state: &RunState, node: NodeIndex) -> Vec<Remedy> {
    let it = state.node(node);
    let worth: &[Remedy] = match it.status {
        // Trying again what is known to be there would do it twice.
        NodeStatus::Failed if it.applied == Applied::Yes => &[Remedy::Done, Remedy::Retry],
        NodeStatus::Failed if is_unasked_fence(plan, state, node) => {
            &[Remedy::Retry, Remedy::Done, Remedy::Skip]
        }
        NodeStatus::Failed if is_half_done(plan, state, node) => &[Remedy::Retry, Remedy::Done],
        NodeStatus::Failed | NodeStatus::UndoFailed => &[Remedy::Retry],
        NodeStatus::InDoubt if !it.person_needed => &[],
        NodeStatus::InDoubt if takes_back(plan, state, node) && it.direction == Direction::Do => {
            &[Remedy::Retry, Remedy::Done, Remedy::Skip]
        }
        NodeStatus::InDoubt => &[Remedy::Done, Remedy::Retry],
        NodeStatus::Pending
        | NodeStatus::Ready
        | NodeStatus::Running
        | NodeStatus::Waiting
        | NodeStatus::AwaitingApproval
        | NodeStatus::Retrying
        | NodeStatus::Succeeded
        | NodeStatus::FailedIgnored
        | NodeStatus::TimedOut
        | NodeStatus::Skipped
        | NodeStatus::MarkedDone
        | NodeStatus::Undone
        | NodeStatus::Cancelled => &[],
    };
    let ends = matches!(state.want, Want::Abort | Want::Fail);
    let may = |remedy: &Remedy| !ends && refusal(plan, state, node, *remedy).is_none();
    worth.iter().copied().filter(may).collect()
}

/// Says whether a node is a fence that could not be confirmed in a plan that moves the service before anybody
/// is asked to accept that, so that the run stops at it.
#[must_use]
pub fn is_unasked_fence(plan: &IndexedPlan, state: &RunState, node: NodeIndex) -> bool {
    let it = state.node(node);
    let lost = |failure: &Failure| !matches!(failure.class, FailureClass::Permanent | FailureClass::Refused);
    it.status == NodeStatus::Failed
        && state.mode == Mode::Ungraceful
        && it.failure.as_ref().is_some_and(lost)
        && plan.plan.nodes.get(node as usize).is_some_and(ready::is_fence)
        && !ready::may_stay_unconfirmed(plan, state)
}

/// Why a person may not do this about a node now; `None`: nothing speaks against it here. A reason, consents
/// and safety are asked for elsewhere.
#[must_use]
pub fn refusal(plan: &IndexedPlan, state: &RunState, node: NodeIndex, remedy: Remedy) -> Option<String> {
    let address = plan.plan.nodes.get(node as usize).map_or_else(String::new, |it| it.address.to_string());
    let it = state.node(node);
    let why = match remedy {
        Remedy::Retry => retry_refusal(plan, state, node),
        Remedy::Done => done_refusal(plan, state, node),
        Remedy::Skip => match it.status {
            NodeStatus::Running => Some("is under way; wait for it, or abort".to_owned()),
            NodeStatus::InDoubt if is_first_looked_at(it) => Some(LOOKED_AT.to_owned()),
            NodeStatus::Succeeded | NodeStatus::MarkedDone | NodeStatus::Undone | NodeStatus::Cancelled => {
                Some(format!("is already {}", it.status))
            }
            NodeStatus::Pending
            | NodeStatus::Ready
            | NodeStatus::Waiting
            | NodeStatus::AwaitingApproval
            | NodeStatus::Retrying
            | NodeStatus::InDoubt
            | NodeStatus::Failed
            | NodeStatus::UndoFailed
            | NodeStatus::FailedIgnored
            | NodeStatus::TimedOut
            | NodeStatus::Skipped => None,
        },
    };
    why.map(|why| format!("`{address}` {why}"))
}

fn retry_refusal(plan: &IndexedPlan, state: &RunState, node: NodeIndex) -> Option<String> {
    let it = state.node(node);
    let definition = plan.plan.nodes.get(node as usize);
    if state.want == Want::CleanUp {
        // Taken back or returned now, it would be taken from the real run.
        let used = state.drill.keep.contains(&node);
        if used || definition.is_some_and(|definition| left::is_superseded(state, definition)) {
            return Some("is not tried again: a real run has taken over".to_owned());
        }
        let sweeps = definition.is_some_and(|node| node.section() == Some(Section::Cleanup));
        if sweeps && left::is_left_out(it) {
            return None;
        }
    }
    match it.status {
        NodeStatus::Failed | NodeStatus::Retrying | NodeStatus::UndoFailed | NodeStatus::InDoubt => {}
        NodeStatus::Pending
        | NodeStatus::Ready
        | NodeStatus::Running
        | NodeStatus::Waiting
        | NodeStatus::AwaitingApproval
        | NodeStatus::Succeeded
        | NodeStatus::FailedIgnored
        | NodeStatus::TimedOut
        | NodeStatus::Skipped
        | NodeStatus::MarkedDone
        | NodeStatus::Undone
        | NodeStatus::Cancelled => {
            return Some(format!("is {}: only what failed or is in doubt can be retried", it.status));
        }
    }
    if it.status == NodeStatus::InDoubt && !it.person_needed {
        return Some(LOOKED_AT.to_owned());
    }
    let wanted = match state.want {
        Want::Run | Want::Pause => it.direction == Direction::Do,
        // Looking whether there is anything to take back begins nothing.
        Want::Unwind => it.direction == Direction::Undo || can_look(plan, state, node),
        Want::CleanUp => {
            winds_up(plan, node) || it.direction == Direction::Undo || can_look(plan, state, node)
        }
        Want::Abort | Want::Fail => false,
    };
    let want = state.want;
    (!wanted).then(|| format!("is not tried again: the run was asked to {want}"))
}

fn done_refusal(plan: &IndexedPlan, state: &RunState, node: NodeIndex) -> Option<String> {
    let it = state.node(node);
    let stands = left::is_open(state) && left::standing(plan, state).contains(&node);
    match it.status {
        // Somebody has taken it away by hand.
        NodeStatus::Succeeded
        | NodeStatus::Failed
        | NodeStatus::FailedIgnored
        | NodeStatus::TimedOut
        | NodeStatus::Pending
        | NodeStatus::Cancelled
        | NodeStatus::MarkedDone
        | NodeStatus::Skipped
            if stands =>
        {
            None
        }
        // What it stands in the way of would be taken back beside it.
        NodeStatus::InDoubt if takes_back(plan, state, node) && !it.person_needed => {
            Some(LOOKED_AT.to_owned())
        }
        NodeStatus::InDoubt if is_first_looked_at(it) => Some(LOOKED_AT.to_owned()),
        NodeStatus::InDoubt | NodeStatus::UndoFailed => None,
        NodeStatus::Retrying | NodeStatus::AwaitingApproval if it.direction == Direction::Undo => None,
        NodeStatus::Failed
        | NodeStatus::AwaitingApproval
        | NodeStatus::Retrying
        | NodeStatus::Pending
        | NodeStatus::Ready
        | NodeStatus::Waiting
        | NodeStatus::FailedIgnored
        | NodeStatus::Skipped
        | NodeStatus::TimedOut => match state.want {
            Want::Run | Want::Pause => None,
            Want::CleanUp if winds_up(plan, node) => None,
            Want::Abort | Want::Fail | Want::Unwind | Want::CleanUp => {
                Some(format!("needs nothing any more: the run was asked to {}", state.want))
            }
        },
        NodeStatus::Running
        | NodeStatus::Succeeded
        | NodeStatus::MarkedDone
        | NodeStatus::Undone
        | NodeStatus::Cancelled => Some(format!("is {}", it.status)),
    }
}

/// Says whether nobody has looked yet at what is in doubt: it may still run, and what comes next would begin
/// beside it.
fn is_first_looked_at(it: &NodeState) -> bool {
    it.status == NodeStatus::InDoubt && !it.person_needed && it.until.is_none()
}

/// Says whether what was applied is being taken back, this node's effect with it.
pub(super) fn takes_back(plan: &IndexedPlan, state: &RunState, node: NodeIndex) -> bool {
    match state.want {
        Want::Unwind => true,
        Want::CleanUp => !winds_up(plan, node),
        Want::Run | Want::Pause | Want::Abort | Want::Fail => false,
    }
}

fn winds_up(plan: &IndexedPlan, node: NodeIndex) -> bool {
    plan.plan.nodes.get(node as usize).is_some_and(super::drill::winds_up)
}

/// Says whether what is in doubt about a node can be looked at.
pub(super) fn can_look(plan: &IndexedPlan, state: &RunState, node: NodeIndex) -> bool {
    let it = state.node(node);
    let definition = plan.plan.nodes.get(node as usize);
    let attempt = it.current.as_ref().filter(|_| it.status == NodeStatus::InDoubt);
    definition
        .zip(attempt)
        .is_some_and(|(definition, attempt)| attempt::rule(definition, attempt) == Doubt::Observable)
}
