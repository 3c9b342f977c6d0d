//! What a single text, number or truth value must be. Reports through the caller, never on its own.

use serde_json::Value;

use super::shape::{Format, Shape};
use crate::compile::diagnostic::Code;
use crate::compile::suggest;
use crate::model::{id, time};

/// What is wrong with a value.
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    fn new(code: Code, message: String) -> Self {
        Self { code, message, help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The name JSON Schema has for a value's kind.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The name people have for it.
pub(super) fn spoken(kind: &str) -> &'static str {
    match kind {
        "null" => "nothing",
        "boolean" => "`true` or `false`",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        _ => "a mapping",
    }
}

/// Says whether a value has one of the kinds a shape allows.
pub(super) fn fits(shape: &Shape, value: &Value) -> bool {
    let found = kind(value);
    shape.kinds.is_empty()
        || shape.kinds.iter().any(|kind| *kind == found || (*kind == "number" && found == "integer"))
}

/// A value of the wrong kind.
pub(super) fn wrong_kind(shape: &Shape, value: &Value, name: &str) -> Fault {
    let expected = match shape.format {
        Some(Format::Duration) => "a duration".to_owned(),
        _ => shape.kinds.iter().map(|kind| spoken(kind)).collect::<Vec<_>>().join(" or "),
    };
    if value.is_null() {
        let fault = Fault::new(Code::WrongType, format!("{name} has no value; it must be {expected}"));
        return fault.help("write a value, or leave the key out");
    }
    let found = match value {
        Value::Bool(value) => format!("`{value}`"),
        other => spoken(kind(other)).to_owned(),
    };
    let fault = Fault::new(Code::WrongType, format!("{name} must be {expected}, found {found}"));
    let scalar = matches!(value, Value::Number(_) | Value::Bool(_));
    let wants = |kind: &str| shape.kinds.contains(&kind);
    match value {
        _ if scalar && wants("string") && shape.format != Some(Format::Duration) => {
            fault.help("put it in quotes")
        }
        Value::String(_) if wants("array") => fault.help("put it in brackets: [ … ]"),
        Value::String(text) if wants("integer") || wants("number") || wants("boolean") => {
            let unquoted = text.parse::<f64>().is_ok() || matches!(text.as_str(), "true" | "false");
            if unquoted { fault.help("leave out the quotes") } else { described(fault, shape) }
        }
        _ => described(fault, shape),
    }
}

fn described(fault: Fault, shape: &Shape) -> Fault {
    match &shape.description {
        Some(description) => fault.help(one_line(description)),
        None => fault,
    }
}

/// A list or mapping with too few entries.
pub(super) fn too_few(name: &str, fewest: u64, found: usize) -> String {
    let entries = if fewest == 1 { "entry" } else { "entries" };
    format!("{name} must have at least {fewest} {entries}, found {found}")
}

/// A description in one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Looks at a text or number of the right kind.
pub(super) fn check(shape: &Shape, value: &Value, name: &str) -> Option<Fault> {
    match value {
        Value::String(text) => check_text(shape, text, name),
        Value::Number(number) => check_number(shape, number.as_f64()?, name),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn check_number(shape: &Shape, number: f64, name: &str) -> Option<Fault> {
    let (least, most) = (shape.minimum, shape.maximum);
    let outside = least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most);
    // The largest number of a Rust type says nothing to a reader who wrote one that is too small.
    let most = most.filter(|most| *most < f64::from(u32::MAX) || number > *most);
    let range = match (least, most) {
        (Some(least), Some(most)) => format!("between {least} and {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => return None,
    };
    outside.then(|| Fault::new(Code::OutOfRange, format!("{name} must be {range}, found {number}")))
}

fn check_text(shape: &Shape, text: &str, name: &str) -> Option<Fault> {
    if !shape.words.is_empty() {
        return if shape.words.iter().any(|word| word == text) {
            None
        } else {
            Some(unknown_word(shape, text, name))
        };
    }
    let length = text.chars().count() as u64;
    let format = shape.format.and_then(|format| malformed(format, text, name));
    if format.is_some() {
        return format;
    }
    if shape.most.is_some_and(|most| length > most) {
        let most = shape.most.unwrap_or_default();
        return Some(Fault::new(
            Code::OutOfRange,
            format!("{name} has {length} characters; at most {most} are allowed"),
        ));
    }
    let fewest = shape.fewest.filter(|fewest| length < *fewest)?;
    Some(Fault::new(
        Code::OutOfRange,
        format!("{name} has {length} characters; at least {fewest} are needed"),
    ))
}

fn unknown_word(shape: &Shape, text: &str, name: &str) -> Fault {
    let words = || shape.words.iter().map(String::as_str);
    let found: String = text.chars().take(60).collect();
    let near = suggest::nearest(text, words());
    if shape.name.as_deref() == Some("ActionName") {
        let fault = Fault::new(Code::UnknownAction, format!("there is no action `{found}`"));
        return match near {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help("`drctl actions` lists them all"),
        };
    }
    let fault = Fault::new(Code::UnknownWord, format!("{name} cannot be `{found}`"));
    match near {
        Some(near) => fault.help(format!("did you mean `{near}`? Allowed: {}", suggest::list(words()))),
        None => fault.help(format!("allowed: {}", suggest::list(words()))),
    }
}

fn malformed(format: Format, text: &str, name: &str) -> Option<Fault> {
    let message = match format {
        Format::Duration => text.parse::<time::Duration>().err()?.to_string(),
        Format::Timestamp => text.parse::<time::Timestamp>().err()?.to_string(),
        Format::Identifier if id::is_identifier(text) => return None,
        Format::Identifier => id::StepId::new(text.chars().take(100).collect::<String>()).err()?.to_string(),
        Format::Code => {
            let digits = text.strip_prefix("DR").is_some_and(|rest| rest.len() == 4 && is_number(rest));
            (!digits).then(|| "a code looks like DR0402".to_owned())?
        }
        Format::Percent => {
            let number = text
                .strip_suffix('%')
                .filter(|rest| is_number(rest))
                .and_then(|rest| rest.parse::<u8>().ok());
            number.is_none_or(|number| number > 100).then(|| "a percentage looks like \"80%\"".to_owned())?
        }
    };
    Some(Fault::new(Code::Malformed, format!("{name}: {message}")))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}
