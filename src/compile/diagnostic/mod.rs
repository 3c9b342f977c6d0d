//! What the compiler has to say about a text: code, place, message, help. Never holds the value of a secret.

mod catalogue;
mod code;
mod export;
mod reference;
mod render;

use serde::Serialize;

use crate::model::run::words;

pub use code::{Code, Entry};
pub use export::{sarif_location, to_json, to_sarif};
pub use reference::reference;
pub use render::render;

words! {
    /// How much a finding matters.
    Severity {
        /// The runbook cannot be used.
        Error = "error",
        /// The runbook can be used, but something is wrong with it.
        Warning = "warning",
        /// Worth knowing; an accepted finding is one.
        Note = "note",
    }
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// A second place that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// Why and until when a finding is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acceptance {
    /// The author's reason.
    pub reason: String,
    /// Last day on which it holds, such as `2027-01-01`.
    pub until: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Which rule.
    pub code: Code,
    /// How much it matters here.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where it is in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Where it is in the document, as a JSON pointer.
    pub pointer: String,
    /// Other places that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Set when the author accepted it; its severity is then `note`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Acceptance>,
}

impl Diagnostic {
    /// Makes a finding with the severity its code has by default.
    #[must_use]
    pub fn new(
        code: Code,
        pointer: impl Into<String>,
        span: Option<Span>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: code.entry().severity,
            message: message.into(),
            span,
            pointer: pointer.into(),
            labels: Vec::new(),
            help: None,
            accepted: None,
        }
    }

    /// Says whether the finding keeps the runbook from being used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
