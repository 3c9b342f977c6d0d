//! What a sender is told. Says nothing about secrets, and nothing that helps to guess one.

use serde_json::{Value, json};

use crate::webhook::Error;

/// What a sender is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status of HTTP: 202 taken, 400 unreadable, 401 not proved, 404 no such webhook, 413 too large, 503 to
    /// be sent again.
    pub status: u16,
    /// One word: `accepted`, `duplicate`, `malformed`, `unproved`, `unknown`, `too_large`, `unavailable`.
    pub what: &'static str,
    /// The same for people.
    pub detail: String,
    /// Seconds after which it may be sent again.
    pub retry_after: Option<u32>,
}

impl Answer {
    fn new(status: u16, what: &'static str, detail: impl Into<String>) -> Self {
        Self { status, what, detail: detail.into(), retry_after: None }
    }

    pub(super) fn accepted() -> Self {
        Self::new(202, "accepted", "it is kept")
    }

    pub(super) fn duplicate() -> Self {
        Self::new(202, "duplicate", "it was kept before")
    }

    pub(super) fn unknown() -> Self {
        Self::new(404, "unknown", "there is no such webhook")
    }

    pub(super) fn unavailable(why: &str) -> Self {
        Self { retry_after: Some(5), ..Self::new(503, "unavailable", why) }
    }

    pub(super) fn refused(error: &Error) -> Self {
        let (status, what) = match error {
            Error::TooLarge => (413, "too_large"),
            Error::Unproved(_) => (401, "unproved"),
            Error::Malformed(_) => (400, "malformed"),
        };
        Self::new(status, what, error.to_string())
    }

    /// The body, as JSON.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({ "status": self.what, "detail": self.detail })
    }
}
