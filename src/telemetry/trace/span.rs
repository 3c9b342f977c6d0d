//! A span as it is sent. Holds no parameter and no output of a step: those may be secrets.

use crate::model::time::Timestamp;
use crate::ports::trace::{SpanId, TraceId};

/// Value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// Names and values.
pub(super) type Attributes = Vec<(&'static str, Value)>;

/// Something at a moment within a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub name: &'static str,
    /// More about it.
    pub attributes: Attributes,
}

/// How what a span is about has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Neither well nor badly.
    Unset,
    /// Well.
    Ok,
    /// Badly, for this reason.
    Error(String),
}

/// A span that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// The span around it.
    pub parent: Option<SpanId>,
    /// A span of another trace that it belongs to.
    pub link: Option<(TraceId, SpanId)>,
    /// What it is about.
    pub name: String,
    /// When it began.
    pub began: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// More about it.
    pub attributes: Attributes,
    /// What happened within it.
    pub events: Vec<SpanEvent>,
    /// How it ended.
    pub outcome: Outcome,
}

/// An attribute, where there is a value.
pub(super) fn text(name: &'static str, value: Option<impl ToString>) -> Option<(&'static str, Value)> {
    value.map(|value| (name, Value::Text(value.to_string())))
}
