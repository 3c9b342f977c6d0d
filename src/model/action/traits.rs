//! What an action's parameters change about its spec.

use serde_json::{Map, Value};

use super::{ActionName, Doubt, Effect};
use crate::model::run::FailureClass;

fn flag(with: &Map<String, Value>, name: &str) -> bool {
    with.get(name) == Some(&Value::Bool(true))
}

fn text<'a>(with: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    with.get(name).and_then(Value::as_str)
}

fn only_reads(with: &Map<String, Value>) -> bool {
    matches!(text(with, "method"), Some("GET" | "HEAD"))
}

/// Whether the action changes anything with these parameters.
#[must_use]
pub fn effect(name: ActionName, with: &Map<String, Value>) -> Effect {
    match name {
        // A template may turn out to be true: only a plain absence or `false` counts as reading.
        ActionName::PostgresQuery if !matches!(with.get("write"), None | Some(Value::Bool(false))) => {
            Effect::Mutate
        }
        ActionName::PostgresQuery => Effect::Read,
        ActionName::PostgresHeartbeat if !matches!(text(with, "task"), None | Some("read")) => Effect::Mutate,
        ActionName::HttpRequest if only_reads(with) => Effect::Read,
        other => other.spec().effect,
    }
}

/// Whether nothing but its own code can tell what an action touches.
#[must_use]
pub const fn is_opaque(name: ActionName) -> bool {
    matches!(
        name,
        ActionName::CommandRun
            | ActionName::RunbookRun
            | ActionName::PostgresRejoin
            | ActionName::AwsLambdaInvoke
            | ActionName::AwsSsmRunAutomation
            | ActionName::AwsBackupRestore
            | ActionName::NetworkSwitchRoute
    )
}

/// Whether an attempt that failed like this may have done a part of its work, as only its own code knows.
/// What became of a run that it began is told by that run.
#[must_use]
pub const fn may_do_a_part(name: ActionName, class: FailureClass) -> bool {
    match name {
        ActionName::RunbookRun => false,
        // A refusal says that the request was not carried out.
        ActionName::HttpRequest => matches!(class, FailureClass::Transient),
        _ => is_opaque(name) && matches!(class, FailureClass::Transient | FailureClass::Permanent),
    }
}

/// How doubt about an attempt with these parameters is resolved.
#[must_use]
pub fn doubt(name: ActionName, with: &Map<String, Value>) -> Doubt {
    match name {
        // The child may still be alive: always look before anything is started again.
        ActionName::CommandRun => Doubt::Observable,
        ActionName::HttpRequest if flag(with, "idempotent") => Doubt::Idempotent,
        ActionName::HttpRequest if only_reads(with) => Doubt::Idempotent,
        ActionName::HttpRequest if with.contains_key("observe") => Doubt::Observable,
        ActionName::HttpRequest => Doubt::Ask,
        ActionName::AwsLambdaInvoke if flag(with, "idempotent") => Doubt::Idempotent,
        ActionName::AwsLambdaInvoke if !with.contains_key("observe") => Doubt::Ask,
        ActionName::PostgresQuery if effect(name, with) == Effect::Read => Doubt::Idempotent,
        ActionName::PostgresHeartbeat => Doubt::Idempotent,
        other => other.spec().doubt,
    }
}

/// Whether sending the action again under the same key is harmless, where looking cannot tell.
#[must_use]
pub fn may_resend(name: ActionName, with: &Map<String, Value>) -> bool {
    doubt(name, with) == Doubt::Idempotent || (name == ActionName::CommandRun && flag(with, "idempotent"))
}

/// Whether `undo: auto` can restore what the action found with these parameters.
#[must_use]
pub fn restores(name: ActionName, with: &Map<String, Value>) -> bool {
    name.spec().prepares
        || (name == ActionName::CommandRun && flag(with, "undoes"))
        || (name == ActionName::AwsLambdaInvoke && with.contains_key("undo"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_decide() {
        use {Doubt::*, Effect::*};
        for (name, with, expected) in [
            ("http.request", json!({"method": "GET"}), (Read, Idempotent)),
            ("http.request", json!({"method": "POST"}), (Mutate, Ask)),
            ("http.request", json!({"method": "{{ params.m }}"}), (Mutate, Ask)),
            ("http.request", json!({"method": "POST", "idempotent": true}), (Mutate, Idempotent)),
            ("http.request", json!({"method": "POST", "observe": {"url": "u"}}), (Mutate, Observable)),
            ("postgres.query", json!({}), (Read, Idempotent)),
            ("postgres.query", json!({"write": "{{ params.w }}"}), (Mutate, Ask)),
            ("postgres.heartbeat", json!({"task": "beat"}), (Mutate, Idempotent)),
            ("postgres.heartbeat", json!({}), (Read, Idempotent)),
            ("command.run", json!({"idempotent": true}), (Mutate, Observable)),
            ("postgres.promote", json!({}), (Mutate, Observable)),
            ("aws.lambda.invoke", json!({}), (Mutate, Ask)),
            ("aws.lambda.invoke", json!({"observe": {}}), (Mutate, Observable)),
            ("aws.lambda.invoke", json!({"idempotent": true}), (Mutate, Idempotent)),
        ] {
            let (name, with): (ActionName, _) = (name.parse().unwrap(), with.as_object().unwrap());
            assert_eq!((effect(name, with), doubt(name, with)), expected, "{name} {with:?}");
        }
        assert!(restores(ActionName::CommandRun, json!({"undoes": true}).as_object().unwrap()));
        assert!(
            !restores(ActionName::CommandRun, &Map::new())
                && restores(ActionName::PostgresFence, &Map::new())
        );
    }
}
