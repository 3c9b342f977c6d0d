//! What people give for a parameter, read in its declared type. Knows nothing of where it was given.

use serde_json::{Number, Value};

use super::time::Duration;
use super::values::{Parameter, ParameterType};

/// The value in the declared type; a string, as `--set` gives it, is read as that type.
///
/// # Errors
/// When it is not of that type, or not among the values the parameter may have: what it must be.
pub fn typed(parameter: &Parameter, value: &Value) -> Result<Value, String> {
    let typed = match value {
        Value::String(text) => parse(parameter.kind, text),
        other => fits(parameter.kind, other).then(|| other.clone()),
    };
    let typed = typed.ok_or_else(|| format!("it must be {}", article(parameter.kind)))?;
    if let Some(number) = typed.as_f64() {
        if parameter.minimum.is_some_and(|minimum| number < minimum) {
            return Err(format!("the smallest value is {}", parameter.minimum.unwrap_or_default()));
        }
        if parameter.maximum.is_some_and(|maximum| number > maximum) {
            return Err(format!("the largest value is {}", parameter.maximum.unwrap_or_default()));
        }
    }
    let same =
        |allowed: &Value| *allowed == typed || (allowed.is_number() && allowed.as_f64() == typed.as_f64());
    if parameter.allowed.is_empty() || parameter.allowed.iter().any(same) {
        return Ok(typed);
    }
    let allowed: Vec<_> = parameter.allowed.iter().map(brief).collect();
    Err(format!("it must be one of {}", allowed.join(", ")))
}

/// Reads a text as a type; `None` when it is none of it.
#[must_use]
pub fn parse(kind: ParameterType, text: &str) -> Option<Value> {
    match kind {
        ParameterType::String => Some(Value::String(text.to_owned())),
        ParameterType::Integer => {
            let text = text.trim();
            text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
        }
        ParameterType::Number => {
            let whole = parse(ParameterType::Integer, text);
            whole.or_else(|| text.trim().parse().ok().and_then(Number::from_f64).map(Value::Number))
        }
        ParameterType::Boolean => text.trim().parse::<bool>().map(Value::Bool).ok(),
        ParameterType::Duration => {
            text.parse::<Duration>().ok().map(|_| Value::String(text.trim().to_owned()))
        }
        ParameterType::List if text.trim_start().starts_with('[') => json(text).filter(Value::is_array),
        ParameterType::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(items.map(Value::from).collect())
        }
        ParameterType::Map => json(text).filter(Value::is_object),
    }
}

fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn fits(kind: ParameterType, value: &Value) -> bool {
    match kind {
        ParameterType::Integer => value.is_i64() || value.is_u64(),
        ParameterType::Number => value.is_number(),
        ParameterType::Boolean => value.is_boolean(),
        ParameterType::List => value.is_array(),
        ParameterType::Map => value.is_object(),
        // Strings are parsed; nothing else is one.
        ParameterType::String | ParameterType::Duration => false,
    }
}

fn article(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::String => "text",
        ParameterType::Integer => "a whole number",
        ParameterType::Number => "a number",
        ParameterType::Boolean => "true or false",
        ParameterType::Duration => "a length of time like 30s or 5m",
        ParameterType::List => "a list: `[\"a\", \"b\"]` or `a,b`",
        ParameterType::Map => "a mapping: `{\"key\": \"value\"}`",
    }
}

/// The value as it is told about, cut short.
#[must_use]
pub fn brief(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}
