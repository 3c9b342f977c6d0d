//! Keeps secrets out of everything that is stored, shown or logged.

use serde_json::{Map, Value};

use crate::engine::context::Confidential;
use crate::model::run::Failure;

/// What stands in the place of a secret.
const MASK: &str = "[redacted]";
/// Shorter values are not masked: they would tear holes into ordinary text without hiding anything.
const SHORTEST: usize = 3;

/// Replaces secret values wherever they appear in text.
#[derive(Clone, Default)]
pub struct Redactor {
    values: Vec<String>,
}

impl Redactor {
    /// Masks all secrets and sensitive parameters of a run.
    #[must_use]
    pub fn new(confidential: &Confidential) -> Self {
        let mut values: Vec<String> = confidential.secrets.values().cloned().collect();
        confidential.parameters.values().for_each(|value| collect(value, &mut values));
        values.retain(|value| value.len() >= SHORTEST);
        // Longest first, so that a secret that contains another one leaves nothing behind.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { values }
    }

    /// Masks a text.
    #[must_use]
    pub fn text(&self, text: String) -> String {
        self.values.iter().fold(text, |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
        })
    }

    /// Masks every string inside a value, keys included.
    #[must_use]
    pub fn value(&self, value: Value) -> Value {
        if self.values.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(item)).collect()),
            Value::Object(fields) => Value::Object(self.map(fields)),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// Masks every string inside a mapping, keys included.
    #[must_use]
    pub fn map(&self, fields: Map<String, Value>) -> Map<String, Value> {
        if self.values.is_empty() {
            return fields;
        }
        fields.into_iter().map(|(key, value)| (self.text(key), self.value(value))).collect()
    }

    /// Masks the message of a failure and cuts it to its longest length.
    #[must_use]
    pub fn failure(&self, failure: Failure) -> Failure {
        let message = self.text(failure.message);
        let message = match message.char_indices().nth(crate::model::limits::MESSAGE_CHARS) {
            Some((at, _)) => format!("{}…", message.get(..at).unwrap_or_default()),
            None => message,
        };
        Failure { message, ..failure }
    }
}

fn collect(value: &Value, values: &mut Vec<String>) {
    match value {
        Value::String(text) => values.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, values)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, values)),
        Value::Number(number) => values.push(number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_disappear_from_keys_values_and_messages() {
        let mut confidential = Confidential::default();
        confidential.secrets.insert("token".to_owned(), "hunter2".to_owned());
        confidential.secrets.insert("long".to_owned(), "hunter2-and-more".to_owned());
        confidential.parameters.insert("pin".to_owned(), json!({"deep": [4711]}));
        let redactor = Redactor::new(&confidential);
        let masked =
            redactor.value(json!({"a hunter2": ["x hunter2-and-more y", {"n": "pin 4711"}], "ok": 1}));
        assert_eq!(
            masked.to_string(),
            r#"{"a [redacted]":["x [redacted] y",{"n":"pin [redacted]"}],"ok":1}"#
        );
    }
}
