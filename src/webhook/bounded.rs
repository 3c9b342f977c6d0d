//! Untrusted JSON, read and cut to a size that can be kept. Nothing here panics or goes deeper than a fixed
//! number of brackets.

use serde_json::{Map, Value};

use super::Error;
use crate::model::time::Timestamp;

/// Deepest nesting that is read.
const DEEPEST: usize = 32;
/// Longest text that is kept, in characters.
const TEXT: usize = 500;
/// Most items of a list, and most fields of an object, that are kept.
const ITEMS: usize = 40;
/// Deepest nesting that is kept.
const KEPT: usize = 6;
/// Largest details that are kept, in bytes.
const DETAILS: usize = 16 * 1024;

/// Reads a JSON object.
///
/// # Errors
/// When it is too deep, no JSON, or no object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Error> {
    if depth(body) > DEEPEST {
        return Err(Error::malformed(format!("it is nested deeper than {DEEPEST} levels")));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Error::malformed("it is no JSON object")),
        // What serde says of a body names a place, never a value.
        Err(error) => {
            Err(Error::malformed(format!("it is no JSON: line {} column {}", error.line(), error.column())))
        }
    }
}

/// How deep brackets go, whether or not the rest is JSON.
fn depth(body: &[u8]) -> usize {
    let (mut deepest, mut depth, mut quoted, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in body {
        match (byte, quoted) {
            _ if escaped => escaped = false,
            (b'\\', true) => escaped = true,
            (b'"', _) => quoted = !quoted,
            (b'{' | b'[', false) => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (b'}' | b']', false) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A text, cut, if there is one that is not empty.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(cut).filter(|text| !text.is_empty())
}

/// A time in RFC 3339.
pub(super) fn time(value: Option<&Value>) -> Option<Timestamp> {
    value.and_then(Value::as_str).filter(|text| text.len() <= 64).and_then(|text| text.parse().ok())
}

/// A text without control characters, cut to what is kept.
pub(super) fn cut(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control() || *c == '\n').take(TEXT).collect()
}

/// What is kept of a value: shallow, and small.
pub(super) fn details(value: &Value) -> Value {
    let kept = keep(value, 0);
    let large = serde_json::to_string(&kept).map_or(usize::MAX, |text| text.len()) > DETAILS;
    if large { Value::Object(Map::from_iter([("left_out".to_owned(), Value::Bool(true))])) } else { kept }
}

fn keep(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) => Value::String(cut(text)),
        Value::Array(_) | Value::Object(_) if depth >= KEPT => Value::Null,
        Value::Array(items) => items.iter().take(ITEMS).map(|item| keep(item, depth + 1)).collect(),
        Value::Object(fields) => {
            let kept = fields.iter().take(ITEMS).map(|(key, field)| (cut(key), keep(field, depth + 1)));
            Value::Object(kept.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Labels: texts by name.
pub(super) fn labels(value: Option<&Value>) -> std::collections::BTreeMap<String, String> {
    let fields = value.and_then(Value::as_object).into_iter().flatten().take(ITEMS);
    fields
        .filter_map(|(name, value)| match value {
            Value::String(text) => Some((cut(name), cut(text))),
            Value::Bool(_) | Value::Number(_) => Some((cut(name), value.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
        .collect()
}

/// A digest of bytes, in hex: what a delivery is known by whose sender gives it no name.
pub(super) fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write;
    Sha256::digest(bytes).iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
