//! Orders to the shell. Derived from the state whenever it changes, never stored.

use serde_json::Value;

use super::decide::idempotency_key;
use super::input::{AttemptKey, Direction};
use super::state::{Adoption, IndexedPlan, RunState};
use crate::model::run::NodeStatus;
use crate::model::time::Timestamp;
use crate::plan::NodeIndex;

/// Something that must be in flight now.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Read what `undo` will need.
    Prepare {
        /// The node.
        node: NodeIndex,
    },
    /// Make one try.
    Start {
        /// The attempt.
        attempt: AttemptKey,
        /// Apply or take back.
        direction: Direction,
        /// Idempotency key.
        key: String,
        /// When the attempt runs out of time.
        deadline: Timestamp,
        /// What was read before the effect.
        prepared: Option<Value>,
    },
    /// Follow a long operation that was started earlier.
    Poll {
        /// The attempt.
        attempt: AttemptKey,
        /// Apply or take back.
        direction: Direction,
        /// Idempotency key.
        key: String,
        /// What finds the operation.
        handle: Value,
        /// When the attempt runs out of time.
        deadline: Timestamp,
        /// What was read before the effect.
        prepared: Option<Value>,
    },
    /// Look whether the effect is already true.
    Observe {
        /// The attempt in doubt.
        attempt: AttemptKey,
        /// Apply or take back.
        direction: Direction,
        /// Idempotency key.
        key: String,
        /// Handle of the operation, where one is known.
        handle: Option<Value>,
        /// What was read before the effect.
        prepared: Option<Value>,
    },
}

/// What must be in flight in this state. The dispatcher starts what is missing and gives up what is not
/// listed.
#[must_use]
pub fn commands(plan: &IndexedPlan, state: &RunState, now: Timestamp) -> Vec<Command> {
    if state.status.is_terminal() {
        return Vec::new();
    }
    state.active.iter().filter_map(|node| command(plan, state, *node, now)).collect()
}

fn command(plan: &IndexedPlan, state: &RunState, node: NodeIndex, now: Timestamp) -> Option<Command> {
    let definition = plan.plan.nodes.get(node as usize)?;
    let it = state.node(node);
    match it.status {
        NodeStatus::Ready => Some(match it.adoption {
            Adoption::Looking => Command::Observe {
                attempt: AttemptKey { node, attempt: it.attempts + 1 },
                direction: Direction::Do,
                key: idempotency_key(state, definition, Direction::Do, it.generation),
                handle: None,
                prepared: None,
            },
            Adoption::No | Adoption::Looked => Command::Prepare { node },
        }),
        NodeStatus::Running => {
            let current = it.current.as_ref()?;
            let attempt = AttemptKey { node, attempt: current.number };
            let (direction, deadline, prepared) = (current.direction, current.deadline, it.prepared.clone());
            let key = idempotency_key(state, definition, direction, current.generation);
            Some(match current.handle.clone() {
                Some(handle) => Command::Poll { attempt, direction, key, handle, deadline, prepared },
                None => Command::Start { attempt, direction, key, deadline, prepared },
            })
        }
        NodeStatus::InDoubt if !it.person_needed && it.until.is_none_or(|until| until <= now) => {
            let current = it.current.as_ref()?;
            Some(Command::Observe {
                attempt: AttemptKey { node, attempt: current.number },
                direction: current.direction,
                key: idempotency_key(state, definition, current.direction, current.generation),
                handle: current.handle.clone(),
                prepared: it.prepared.clone(),
            })
        }
        NodeStatus::InDoubt
        | NodeStatus::Pending
        | NodeStatus::Waiting
        | NodeStatus::AwaitingApproval
        | NodeStatus::Retrying
        | NodeStatus::Succeeded
        | NodeStatus::Failed
        | NodeStatus::FailedIgnored
        | NodeStatus::TimedOut
        | NodeStatus::Skipped
        | NodeStatus::MarkedDone
        | NodeStatus::Undone
        | NodeStatus::UndoFailed
        | NodeStatus::Cancelled => None,
    }
}
