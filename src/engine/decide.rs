//! Says what became true: one input against the state gives events or a rejection. Never changes the state
//! it is given.

use super::apply::apply;
use super::event::{Event, Want};
use super::input::{AttemptKey, Direction, Input, Rejection};
use super::state::{AttemptState, IndexedPlan, NodeState, RunState};
use super::{approval, attempt, child, clock, control, doubt, drill, ready, status, unwind};
use crate::model::run::{Failure, FailureClass, Mode, NodeStatus, RunStatus};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{Node, NodeIndex};

/// Decides what follows from an input at a time.
///
/// # Errors
/// When the input is stale, was answered before, or cannot be done now. The state stays as it is.
pub fn decide(
    plan: &IndexedPlan,
    state: &RunState,
    input: Input,
    now: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    if state.status.is_terminal() && !matches!(input, Input::Request(_)) {
        return Err(Rejection::Stale(format!("the run is over: {}", state.status)));
    }
    let mut decision =
        Decision { plan, state: state.clone(), now: now.max(state.last_at), events: Vec::new() };
    match input {
        Input::Tick => tick(&mut decision),
        Input::TookOver { token, holder, host, traces, skew } => {
            took_over(&mut decision, Event::TookOver { token, holder, host, traces, skew }, token)?;
        }
        Input::Prepared { node, result } => attempt::prepared(&mut decision, node, result)?,
        Input::HandleReturned { attempt, handle } => {
            attempt::handle_returned(&mut decision, attempt, handle)?;
        }
        Input::ChildReported { attempt, child } => child::reported(&mut decision, attempt, child)?,
        Input::AttemptEnded { attempt, result } => attempt::ended(&mut decision, attempt, result)?,
        Input::Observed { attempt, observation } => doubt::observed(&mut decision, attempt, observation)?,
        Input::Request(request) => control::request(&mut decision, request)?,
    }
    if !decision.state.status.is_terminal() {
        decision.advance();
        clock::keep(&mut decision);
        status::keep(&mut decision);
    }
    Ok(decision.events)
}

/// A decision being made: the state as the events so far leave it.
pub(super) struct Decision<'a> {
    pub(super) plan: &'a IndexedPlan,
    pub(super) state: RunState,
    pub(super) now: Timestamp,
    pub(super) events: Vec<Event>,
}

impl<'a> Decision<'a> {
    pub(super) fn emit(&mut self, event: Event) {
        apply(self.plan, &mut self.state, &event, self.now);
        self.events.push(event);
    }

    /// The definition of a node; every index inside a state comes from its plan.
    pub(super) fn definition(&self, node: NodeIndex) -> Option<&'a Node> {
        self.plan.plan.nodes.get(node as usize)
    }

    pub(super) fn node(&self, node: NodeIndex) -> &NodeState {
        self.state.node(node)
    }

    /// The attempt that a report speaks of, if it still is the one under way or in doubt.
    pub(super) fn current(&self, key: AttemptKey) -> Result<(&'a Node, AttemptState), Rejection> {
        let stale = || Rejection::Stale(format!("attempt {} of node {} is over", key.attempt, key.node));
        let attempt = self.state.attempt(key).ok_or_else(stale)?.clone();
        let definition = self.definition(key.node).ok_or_else(stale)?;
        Ok((definition, attempt))
    }

    /// The mode that holds for a node: the one its attempt began in, else the run's.
    pub(super) fn mode_of(&self, node: NodeIndex) -> Mode {
        let current = self.node(node).current.as_ref();
        current.map_or(self.state.mode, |attempt| attempt.mode)
    }

    /// Begins whatever may begin, until nothing more can.
    fn advance(&mut self) {
        match self.state.want {
            Want::Run => {
                ready::advance(self);
                drill::look(self);
                if self.state.want == Want::CleanUp {
                    drill::advance(self);
                }
            }
            Want::Pause => {}
            Want::CleanUp => drill::advance(self),
            Want::Abort | Want::Fail => ready::give_up_waiting(self),
            Want::Unwind => {
                ready::give_up_waiting(self);
                unwind::advance(self);
            }
        }
    }
}

/// Looks at every deadline.
fn tick(decision: &mut Decision<'_>) {
    let now = decision.now;
    if decision.state.status == RunStatus::Staged {
        return; // Expiry of a staged run is a matter of status.
    }
    for node in decision.state.active.clone() {
        let state = decision.node(node);
        let due = state.until.is_some_and(|until| until <= now);
        match state.status {
            NodeStatus::Running => attempt::check_deadline(decision, node),
            NodeStatus::Retrying if due && !decision.state.is_held() => attempt::begin_next(decision, node),
            NodeStatus::Waiting if due => ready::wait_is_over(decision, node),
            NodeStatus::AwaitingApproval if due => approval::expire(decision, node),
            NodeStatus::InDoubt
            | NodeStatus::Ready
            | NodeStatus::Retrying
            | NodeStatus::Waiting
            | NodeStatus::AwaitingApproval
            | NodeStatus::Pending
            | NodeStatus::Succeeded
            | NodeStatus::Failed
            | NodeStatus::FailedIgnored
            | NodeStatus::TimedOut
            | NodeStatus::Skipped
            | NodeStatus::MarkedDone
            | NodeStatus::Undone
            | NodeStatus::UndoFailed
            | NodeStatus::Cancelled => {}
        }
    }
}

/// A new driver: everything begun under an older token is in doubt.
fn took_over(decision: &mut Decision<'_>, event: Event, token: u64) -> Result<(), Rejection> {
    if token <= decision.state.token {
        return Err(Rejection::Stale(format!("token {token} is not newer than {}", decision.state.token)));
    }
    decision.emit(event);
    for node in decision.state.active.clone() {
        let state = decision.node(node);
        let Some(attempt) = state.current.as_ref() else { continue };
        if state.status == NodeStatus::Running {
            let key = AttemptKey { node, attempt: attempt.number };
            doubt::doubt(decision, key, "the process that drove the run was lost");
        }
    }
    Ok(())
}

/// A failure that says which time ran out.
pub(super) fn timed_out(what: &str, limit: Duration) -> Failure {
    Failure::new(FailureClass::TimedOut, format!("{what} took longer than {limit}"))
}

/// Idempotency key of an attempt: the same for every send of one intent.
#[must_use]
pub fn idempotency_key(state: &RunState, node: &Node, direction: Direction, generation: u32) -> String {
    format!("{}/{}/{direction}/{generation}", state.created.run, node.address)
}
