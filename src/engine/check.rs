//! Checks: read-only nodes that look until something is true, or until their time is over.

use serde_json::{Map, Value};

use super::context;
use super::decide::Decision;
use super::event::{Applied, Event, NodeSucceeded};
use super::ready;
use crate::model::expression::Expression;
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
        let not_yet = format!("not true yet: {}", until.as_str());
        if let Some(name) = unmeasured(until, &outputs) {
            return Err(Failure::new(FailureClass::Transient, format!("{not_yet}: `{name}` has no value")));
        }
        match until.is_true(&names) {
            Ok(true) => Ok(outputs),
            Ok(false) => Err(Failure::new(FailureClass::Transient, not_yet)),
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

/// An output without a value that the condition compares by size. To minijinja nothing is less than any
/// number, so that a lag nobody measured would pass as a small one. A condition that speaks of `none` itself
/// is left alone.
fn unmeasured(until: &Expression, outputs: &Map<String, Value>) -> Option<String> {
    let text = until.as_str();
    let compares = text.contains(['<', '>']);
    if !compares || text.contains("none") || text.contains("default") {
        return None;
    }
    let names = until.check().ok()?;
    let missing = |name: &String| {
        name.strip_prefix("result.").and_then(|field| outputs.get(field)).is_some_and(Value::is_null)
    };
    names.into_iter().find(missing)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lag_nobody_measured_is_not_a_small_one() {
        let Value::Object(outputs) = json!({"lag_ms": null, "status": "replicating", "age": 3}) else {
            panic!("no object")
        };
        let unmeasured = |text: &str| unmeasured(&Expression::new(text), &outputs);
        assert_eq!(unmeasured("result.lag_ms < 5000").as_deref(), Some("result.lag_ms"));
        assert_eq!(unmeasured("result.status == 'x' or result.lag_ms<=5").as_deref(), Some("result.lag_ms"));
        assert_eq!(unmeasured("result.age < 5"), None);
        assert_eq!(unmeasured("result.lag_ms is none or result.lag_ms < 5"), None);
        assert_eq!(unmeasured("result.status == 'replicating'"), None);
    }
}
