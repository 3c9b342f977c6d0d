//! Keeps events small: large outputs move into content-addressed blobs, too large ones are cut with a note.
//! Never fails:
//! the effect has already happened.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::model::limits;

/// A blob: SHA-256 in hex, and the bytes.
pub(super) type Blob = (String, Arc<[u8]>);

/// Makes a blob of bytes.
pub(super) fn blob(bytes: &[u8]) -> Blob {
    (hex(&Sha256::digest(bytes)), Arc::from(bytes))
}

/// Writes bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        text
    })
}

/// Moves values over the inline limit into blobs, each replaced by `{"blob": digest, "bytes": length}`.
pub(super) fn shrink(outputs: Map<String, Value>, blobs: &mut Vec<Blob>) -> Map<String, Value> {
    if size(&outputs) <= limits::INLINE_OUTPUT_BYTES {
        return outputs;
    }
    let share = limits::INLINE_OUTPUT_BYTES / (outputs.len().max(1) * 2);
    outputs
        .into_iter()
        .map(|(name, value)| {
            let text = match &value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if text.len() <= share.max(64) { (name, value) } else { (name, stored(&text, blobs)) }
        })
        .take(10_000)
        .collect()
}

fn size(outputs: &Map<String, Value>) -> usize {
    // Strings are what grows; everything else is counted by its text.
    outputs
        .iter()
        .map(|(name, value)| name.len() + value.as_str().map_or_else(|| value.to_string().len(), str::len))
        .sum()
}

fn stored(text: &str, blobs: &mut Vec<Blob>) -> Value {
    let whole = text.len();
    let mut end = whole.min(limits::OUTPUT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (digest, bytes) = blob(text.get(..end).unwrap_or_default().as_bytes());
    let mut value = json!({"blob": digest, "bytes": bytes.len()});
    if end < whole {
        value["truncated_from"] = whole.into();
    }
    blobs.push((digest, bytes));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_outputs_become_blobs_and_small_ones_stay() {
        let mut blobs = Vec::new();
        let mut outputs = Map::new();
        outputs.insert("small".to_owned(), "x".into());
        outputs.insert("large".to_owned(), "y".repeat(100_000).into());
        outputs.insert("huge".to_owned(), "ä".repeat(limits::OUTPUT_BYTES).into());
        let kept = shrink(outputs, &mut blobs);
        assert_eq!(kept["small"], "x");
        assert_eq!(kept["large"]["bytes"], 100_000);
        assert_eq!(kept["huge"]["truncated_from"], limits::OUTPUT_BYTES * 2);
        assert_eq!(blobs.len(), 2);
        assert!(
            blobs
                .iter()
                .all(|(digest, bytes)| *digest == blob(bytes).0 && bytes.len() <= limits::OUTPUT_BYTES)
        );
    }
}
