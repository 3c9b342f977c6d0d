//! Traces: a run is a trace, a step a span, an attempt an event. Made of recorded facts, after they happened,
//! with ids that follow from the run: whoever takes a run over goes on in the same trace, and what is sent
//! twice is the same twice.
//!
//! The wire format is OTLP as protobuf, written by hand: the SDKs make spans of what a process
//! does now, with random ids, which is none of what is needed here.

mod build;
mod export;
mod span;
mod wire;

pub use build::Tracer;
pub use export::{Exporter, Spans};
pub use span::{Outcome, Span, SpanEvent, Value};
pub use wire::encode;
