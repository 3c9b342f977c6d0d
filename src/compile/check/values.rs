//! Parameters and secrets: each must agree with itself. Also refuses templates where none is rendered.

use serde_json::Value;

use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::tree::escape;
use crate::model::expression;
use crate::model::runbook::Runbook;
use crate::model::time::Duration;
use crate::model::values::{Parameter, ParameterType, Secret, SecretSourceKind};

use super::secret;

pub(super) fn check(runbook: &Runbook, reporter: &mut Reporter<'_>) {
    for (name, parameter) in &runbook.parameters {
        let pointer = format!("/parameters/{}", escape(name));
        readable(Code::BrokenParameter, "a parameter", name, &pointer, reporter);
        self::parameter(name, parameter, &pointer, reporter);
    }
    for (name, secret) in &runbook.secrets {
        let pointer = format!("/secrets/{}", escape(name));
        readable(Code::BrokenSecret, "a secret", name, &pointer, reporter);
        self::secret(name, secret, &pointer, reporter);
    }
    for (name, site) in &runbook.sites {
        let pointer = format!("/sites/{}", escape(name.as_str()));
        let value = serde_json::to_value(site).unwrap_or_default();
        literal(&value, &pointer, reporter);
        secret::check(&Value::Object(site.values.clone()), &format!("{pointer}/values"), reporter);
    }
}

/// A name that expressions can read with a dot.
fn readable(code: Code, what: &str, name: &str, pointer: &str, reporter: &mut Reporter<'_>) {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = format!("`{name}` cannot be the name of {what}");
        reporter
            .key(code, pointer, message)
            .help("use letters, digits and `_`, so that expressions can read it");
    }
}

fn parameter(name: &str, parameter: &Parameter, pointer: &str, reporter: &mut Reporter<'_>) {
    let mut fault = |key: &str, message: String, help: &str| {
        reporter.value(Code::BrokenParameter, &format!("{pointer}/{key}"), message).help(help);
    };
    let numeric = matches!(parameter.kind, ParameterType::Integer | ParameterType::Number);
    for (key, given) in [("minimum", parameter.minimum), ("maximum", parameter.maximum)] {
        if given.is_some() && !numeric {
            fault(key, format!("`{name}` is a {}, which has no `{key}`", parameter.kind), "leave it out");
        }
    }
    if let (Some(minimum), Some(maximum)) = (parameter.minimum, parameter.maximum)
        && minimum > maximum
    {
        fault(
            "minimum",
            format!("no value of `{name}` is at least {minimum} and at most {maximum}"),
            "exchange the two",
        );
    }
    for (at, value) in parameter.allowed.iter().enumerate().filter(|(_, value)| !is_of(parameter.kind, value))
    {
        let message = format!("{value} cannot be a value of `{name}`: it is not {}", spoken(parameter.kind));
        fault(&format!("enum/{at}"), message, "write a value of the parameter's type");
    }
    if let Some(default) = &parameter.default {
        if parameter.required {
            fault(
                "default",
                format!("`{name}` is required, so its default is never used"),
                "leave out one of the two",
            );
        }
        if let Some(reason) = unfit(parameter, default) {
            fault(
                "default",
                format!("the default of `{name}` {reason}"),
                "write a default that could be given, too",
            );
        }
        literal(default, &format!("{pointer}/default"), reporter);
        secret::check_named(name, default, &format!("{pointer}/default"), reporter);
    }
}

/// Why a value cannot be given for a parameter.
fn unfit(parameter: &Parameter, value: &Value) -> Option<String> {
    if expression::has_template(value) {
        return None;
    }
    if !is_of(parameter.kind, value) {
        return Some(format!("is not {}", spoken(parameter.kind)));
    }
    if !parameter.allowed.is_empty() && !parameter.allowed.contains(value) {
        return Some("is not one of the values of `enum`".to_owned());
    }
    let number = value.as_f64()?;
    let low =
        parameter.minimum.filter(|minimum| number < *minimum).map(|minimum| format!("is below {minimum}"));
    low.or_else(|| {
        parameter.maximum.filter(|maximum| number > *maximum).map(|maximum| format!("is above {maximum}"))
    })
}

fn is_of(kind: ParameterType, value: &Value) -> bool {
    match kind {
        ParameterType::String => value.is_string(),
        ParameterType::Integer => value.is_i64() || value.is_u64(),
        ParameterType::Number => value.is_number(),
        ParameterType::Boolean => value.is_boolean(),
        ParameterType::Duration => value.as_str().is_some_and(|text| text.parse::<Duration>().is_ok()),
        ParameterType::List => value.is_array(),
        ParameterType::Map => value.is_object(),
    }
}

const fn spoken(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::String => "a text",
        ParameterType::Integer => "a whole number",
        ParameterType::Number => "a number",
        ParameterType::Boolean => "`true` or `false`",
        ParameterType::Duration => "a duration such as 30s",
        ParameterType::List => "a list",
        ParameterType::Map => "a mapping",
    }
}

fn secret(name: &str, secret: &Secret, pointer: &str, reporter: &mut Reporter<'_>) {
    let given = [
        ("name", secret.name.as_ref().map(|text| !text.trim().is_empty())),
        ("path", secret.path.as_ref().map(|text| !text.trim().is_empty())),
        ("argv", (!secret.argv.is_empty()).then_some(true)),
    ];
    let needed = match secret.from {
        SecretSourceKind::Env => "name",
        SecretSourceKind::File => "path",
        SecretSourceKind::Command => "argv",
    };
    for (key, filled) in given {
        let at = format!("{pointer}/{key}");
        if key == needed && filled != Some(true) {
            let message = format!("the secret `{name}` comes from {}, so it needs `{key}`", secret.from);
            reporter.key(Code::BrokenSecret, &at, message).help(format!("add `{key}`"));
        } else if key != needed && filled.is_some() {
            let message = format!("the secret `{name}` comes from {}, so `{key}` has no effect", secret.from);
            reporter.key(Code::BrokenSecret, &at, message).help("leave it out");
        }
    }
    literal(&serde_json::to_value(secret).unwrap_or_default(), pointer, reporter);
}

/// What to do about a template where none is rendered. Nobody is led to write a secret down.
fn instead(text: &str, pointer: &str) -> &'static str {
    if text.contains("secrets.") {
        "leave it out, and read the secret in the `with` of the step that needs it; its value never stands in a runbook"
    } else if pointer.starts_with("/secrets/") {
        "write here where the secret is kept, without a template; its value never stands in a runbook"
    } else {
        "write what is the same in every run; what is not belongs into the `with` of a step, which may read \
         parameters, and what must not be read by everybody under `secrets`"
    }
}

/// Refuses templates in a value that is taken as it is.
fn literal(value: &Value, pointer: &str, reporter: &mut Reporter<'_>) {
    match value {
        Value::String(text) if expression::is_template(text) => {
            let message = "a template here is taken literally";
            reporter.value(Code::DeadTemplate, pointer, message).help(instead(text, pointer));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, item)| literal(item, &format!("{pointer}/{at}"), reporter));
        }
        Value::Object(fields) => {
            fields
                .iter()
                .for_each(|(key, item)| literal(item, &format!("{pointer}/{}", escape(key)), reporter));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
