//! Reads the body of an answer up to a limit. Must never hold more of it than that.

use reqwest::Response;
use serde_json::{Map, Value};

use crate::model::limits;

/// What was read of a body.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// The bytes, at most [`limits::OUTPUT_BYTES`].
    pub bytes: Vec<u8>,
    /// There was more.
    pub cut: bool,
}

impl Body {
    /// Reads the body.
    ///
    /// # Errors
    /// When the connection ends before the body does.
    pub(super) async fn read(response: &mut Response) -> Result<Self, reqwest::Error> {
        let mut body = Self::default();
        while let Some(chunk) = response.chunk().await? {
            let room = limits::OUTPUT_BYTES.saturating_sub(body.bytes.len());
            body.bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if chunk.len() > room {
                body.cut = true;
                break;
            }
        }
        Ok(body)
    }

    /// The body as JSON, when it is complete and JSON.
    pub(super) fn json(&self) -> Option<Value> {
        if self.cut { None } else { serde_json::from_slice(&self.bytes).ok() }
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.cut {
            text.push_str("\n[cut off by drctl]");
        }
        text
    }

    /// Adds `json`, or `body` when it is text.
    pub(super) fn add_to(&self, outputs: &mut Map<String, Value>) {
        match self.json() {
            Some(json) => outputs.insert("json".to_owned(), json),
            None if self.bytes.is_empty() => None,
            None => outputs.insert("body".to_owned(), Value::String(self.text())),
        };
    }
}
