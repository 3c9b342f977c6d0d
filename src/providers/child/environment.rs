//! What every program is told about the attempt it belongs to. Must never hold a secret.

use crate::ports::{AttemptContext, trace};

/// Name of the variable that carries the idempotency key; a live child is found by it.
pub(in crate::providers) const KEY_VARIABLE: &str = "DRCTL_IDEMPOTENCY_KEY";

/// Variables added to the environment of every program.
pub(in crate::providers) fn environment(context: &AttemptContext) -> Vec<(&'static str, String)> {
    vec![
        (KEY_VARIABLE, context.idempotency_key.clone()),
        ("DRCTL_FENCING_TOKEN", context.fencing_token.to_string()),
        ("DRCTL_RUN", context.run.to_string()),
        ("DRCTL_NODE", context.node.to_string()),
        ("DRCTL_ATTEMPT", context.attempt.to_string()),
        ("DRCTL_DIRECTION", context.direction.to_string()),
        ("DRCTL_MODE", context.mode.to_string()),
        ("DRCTL_INTENT", context.intent.to_string()),
        ("TRACEPARENT", trace::traceparent(&context.run, &context.node, context.direction)),
    ]
}
