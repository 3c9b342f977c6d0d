//! Names a plan by its content: SHA-256 over JSON with sorted keys and no spaces. The same plan always has
//! the same name.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Plan;
use crate::model::runbook::Runbook;

/// The digest of a plan: 64 hexadecimal characters.
#[must_use]
pub fn digest(plan: &Plan) -> String {
    // A plan holds only strings as keys and finite numbers, so it always has a JSON form.
    of_value(&serde_json::to_value(plan).unwrap_or_default())
}

/// The digest of what a runbook says. Two texts that compile to the same runbook share it.
#[must_use]
pub fn of_runbook(runbook: &Runbook) -> String {
    let mut hash = Hash(Sha256::new());
    // A runbook has only strings as keys and finite numbers, and writing into a hash cannot fail.
    let _ = serde_json::to_writer(&mut hash, runbook);
    hash.finish()
}

/// The digest of a JSON value, as `Plan::sensitive` holds it.
#[must_use]
pub fn of_value(value: &Value) -> String {
    let mut hash = Hash(Sha256::new());
    // Writing into a hash or a string cannot fail.
    let _ = canonical(value, &mut hash);
    hash.finish()
}

/// The digest of bytes, under which they are stored as a blob.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> String {
    let mut hash = Hash(Sha256::new());
    hash.0.update(bytes);
    hash.finish()
}

struct Hash(Sha256);

impl Hash {
    fn finish(self) -> String {
        self.0.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn canonical(value: &Value, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Array(items) => {
            out.write_all(b"[")?;
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.write_all(b",")?;
                }
                canonical(item, out)?;
            }
            out.write_all(b"]")
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            out.write_all(b"{")?;
            for (at, (key, field)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.write_all(b",")?;
                }
                serde_json::to_writer(&mut *out, key)?;
                out.write_all(b":")?;
                canonical(field, out)?;
            }
            out.write_all(b"}")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Ok(serde_json::to_writer(out, value)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let one = of_value(&json!({"a": 1, "b": {"c": [1, 2], "d": "x"}}));
        assert_eq!(one, of_value(&json!({"b": {"d": "x", "c": [1, 2]}, "a": 1})));
        assert_ne!(one, of_value(&json!({"a": 1, "b": {"c": [2, 1], "d": "x"}})));
        assert_ne!(of_value(&json!({"a": "b,c"})), of_value(&json!({"a": "b", "c": ""})));
        // printf '"hunter2"' | sha256sum
        let known = "4ddbb67bf993867e13253c146a339ed3b33ea5b895543569278e99d5b3c2b7d5";
        assert_eq!(of_value(&json!("hunter2")), known);
    }
}
