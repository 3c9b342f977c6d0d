//! Checks: read-only nodes that look until something is true, or until their time is over.

use serde_json::{Map, Value};

use super::context;
use super::decide::Decision;
use super::event::{Applied, Event, NodeSucceeded};
use super::ready;
use crate::model::run::{Failure, FailureClass};
use crate::plan::{Node, NodeIndex, NodeKind};

/// A check looked once.
pub(super) fn looked(
    decision: &mut Decision<'_>,
    node: NodeIndex,
    definition: &Node,
    result: Result<Map<String, Value>, Failure>,
) {
    let NodeKind::Check { until, within, every, consecutive, .. } = &definition.kind else { return };
    let result = result.and_then(|outputs| {
        let Some(until) = until else { return Ok(outputs) };
        let names = context::context(decision.plan, &decision.state, definition, Some(&outputs));
        match until.is_true(&names) {
            Ok(true) => Ok(outputs),
            Ok(false) => {
                Err(Failure::new(FailureClass::Transient, format!("not true yet: {}", until.as_str())))
            }
            Err(error) => {
                let message = format!("`until: {}` could not be evaluated: {error}", until.as_str());
                Err(Failure::new(FailureClass::Permanent, message))
            }
        }
    });
    let streak = if result.is_ok() { decision.node(node).streak + 1 } else { 0 };
    let failure = match result {
        Ok(outputs) if streak >= *consecutive => {
            return ready::finish(decision, NodeSucceeded { node, outputs, adopted: false, fence: None });
        }
        Ok(_) => None,
        Err(failure) => Some(failure),
    };
    let hopeless = failure
        .as_ref()
        .is_some_and(|failure| matches!(failure.class, FailureClass::Permanent | FailureClass::Refused));
    let again_at = decision.now.plus(*every);
    let began = decision.node(node).started_at.unwrap_or(decision.now);
    // One more look in a row is always allowed: a streak that has begun may end a little late.
    let in_time = within.is_some_and(|within| again_at <= began.plus(within))
        || (failure.is_none() && *consecutive > 1);
    if in_time && !hopeless {
        return decision.emit(Event::Looked { node, streak, again_at, failure });
    }
    let failure =
        failure.unwrap_or_else(|| Failure::new(FailureClass::Transient, "did not hold often enough in time"));
    ready::fail(decision, node, failure, Applied::No);
}
