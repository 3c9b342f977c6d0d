//! One use of an action, wherever it stands: its templates, its secrets, and whether it may change anything
//! there.

use serde_json::{Map, Value};

use crate::compile::diagnostic::Code;
use crate::compile::expression::{Expressions, Subject};
use crate::compile::reporter::Reporter;
use crate::compile::suggest;
use crate::compile::tree::escape;
use crate::model::action::{ActionName, Effect, traits};
use crate::model::step::Check;

use super::{approval, secret};

/// Checks the parameters of an action. `pointer` is that of `with`.
pub(super) fn parameters(
    with: &Map<String, Value>,
    pointer: &str,
    subject: Subject<'_>,
    expressions: &mut Expressions<'_>,
    reporter: &mut Reporter<'_>,
) {
    for (key, value) in with {
        let mut at = format!("{pointer}/{}", escape(key));
        expressions.value(value, &mut at, subject, reporter);
        if !secret::check_named(key, value, &at, reporter) {
            secret::check(value, &at, reporter);
        }
    }
    if subject.action == Some(ActionName::NetworkSwitchRoute) {
        switches(with, pointer, reporter);
    }
    if subject.action == Some(ActionName::ApprovalRequest) {
        approval::check_request(with, pointer, reporter);
    }
}

/// A switch of routes that names nothing to switch by can never do anything.
fn switches(with: &Map<String, Value>, pointer: &str, reporter: &mut Reporter<'_>) {
    let is_empty = |key: &&str| match with.get(*key) {
        None | Some(Value::Null) => true,
        Some(value) => value.as_array().is_some_and(Vec::is_empty),
    };
    let needed: &[&str] = match with.get("method").and_then(Value::as_str) {
        Some("command") => &["switch_command"],
        Some("aws_route" | "aws_transit_gateway_route") => &["region", "route_table_ids", "destinations"],
        _ => &[],
    };
    let missing: Vec<&str> = needed.iter().copied().filter(is_empty).collect();
    // A component that lacks them is told so at its own place.
    if !missing.is_empty() && !reporter.has_any(Code::BrokenComponent) {
        let message = format!("this way of switching needs {}", suggest::list(missing));
        reporter
            .value(Code::NothingToDo, &format!("{pointer}/method"), message)
            .help("without them the step could never do anything");
    }
}

/// Checks a precheck or verify.
pub(super) fn check_check(
    check: &Check,
    pointer: &str,
    subject: Subject<'_>,
    until: Subject<'_>,
    expressions: &mut Expressions<'_>,
    reporter: &mut Reporter<'_>,
) {
    only_reads(check.uses, &check.with, "a check", pointer, reporter);
    parameters(&check.with, &format!("{pointer}/with"), subject, expressions, reporter);
    if let Some(expression) = &check.until {
        expressions.bare(expression.as_str(), &format!("{pointer}/until"), until, reporter);
    }
    if let (Some(every), Some(within)) = (check.every, check.within)
        && every > within
    {
        let message = format!("a check every {every} never looks twice within {within}");
        reporter.value(Code::BrokenTimes, &format!("{pointer}/every"), message).help("look more often");
    }
    let repeats = check.every.is_some() || check.consecutive.is_some_and(|count| count > 1);
    if repeats && check.within.is_none() {
        let key = if check.every.is_some() { "every" } else { "consecutive" };
        let message = format!("`{key}` has no effect without `within`: the check looks only once");
        reporter.key(Code::KeyWithoutMeaning, &format!("{pointer}/{key}"), message).help("add `within`");
    }
}

/// Checks the action of a recovery point reading.
pub(super) fn check_reading(
    uses: ActionName,
    with: &Map<String, Value>,
    pointer: &str,
    reporter: &mut Reporter<'_>,
) {
    only_reads(uses, with, "a recovery point reading", pointer, reporter);
    let tells = |name: &str| matches!(name, "lag_ms" | "recovery_point_at" | "…");
    if !uses.spec().outputs.iter().any(|(name, _)| tells(name)) {
        let message = format!("`{uses}` returns neither `lag_ms` nor `recovery_point_at`");
        let help = "use `postgres.heartbeat` or `postgres.check_replication`, say";
        reporter.value(Code::NotAReading, &format!("{pointer}/uses"), message).help(help);
    }
}

/// Refuses an action that changes something, or that is no look at anything.
fn only_reads(
    uses: ActionName,
    with: &Map<String, Value>,
    what: &str,
    pointer: &str,
    reporter: &mut Reporter<'_>,
) {
    let waits = matches!(uses, ActionName::ApprovalRequest | ActionName::WaitFor);
    let message = if traits::effect(uses, with) == Effect::Mutate {
        format!("`{uses}` changes something; {what} must only read")
    } else if waits {
        format!("`{uses}` looks at nothing; {what} must read something")
    } else {
        return;
    };
    let help = match uses {
        ActionName::PostgresQuery => "leave out `write`",
        ActionName::PostgresHeartbeat => "use `task: read`",
        ActionName::HttpRequest => "use `http.check`, or the method GET",
        _ => "use an action that reads; `drctl actions` lists them, or make it a step",
    };
    reporter.value(Code::CheckChanges, &format!("{pointer}/uses"), message).help(help);
}
