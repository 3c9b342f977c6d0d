//! Orders to the shell. Derived from the state whenever it changes, never stored.

use serde_json::Value;

use super::input::{AttemptKey, Direction};
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
    /// Give up an attempt that is in flight.
    Cancel {
        /// The attempt.
        attempt: AttemptKey,
    },
}
