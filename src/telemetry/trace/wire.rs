//! OTLP as protobuf: `ExportTraceServiceRequest` of opentelemetry-proto 1.x, as far as spans here need it.
//! Field numbers are those of `opentelemetry/proto/trace/v1/trace.proto`.

use std::collections::BTreeMap;

use super::span::{Outcome, Span, SpanEvent, Value};
use crate::model::time::Timestamp;

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u64 = 1;
/// `STATUS_CODE_OK`.
const OK: u64 = 1;
/// `STATUS_CODE_ERROR`.
const ERROR: u64 = 2;

/// A request that exports spans of a process with these attributes.
#[must_use]
pub fn encode(spans: &[Span], resource: &BTreeMap<String, String>) -> Vec<u8> {
    let mut about = Message::default();
    for (name, value) in resource {
        about.message(1, &pair(name, &Value::Text(value.clone())));
    }
    let mut scope = Message::default();
    scope.text(1, "drctl");
    scope.text(2, env!("CARGO_PKG_VERSION"));
    let mut scoped = Message::default();
    scoped.message(1, &scope);
    for it in spans {
        scoped.message(2, &span(it));
    }
    let mut of_resource = Message::default();
    of_resource.message(1, &about);
    of_resource.message(2, &scoped);
    let mut request = Message::default();
    request.message(1, &of_resource);
    request.0
}

fn span(span: &Span) -> Message {
    let mut out = Message::default();
    out.bytes(1, &span.trace);
    out.bytes(2, &span.id);
    if let Some(parent) = &span.parent {
        out.bytes(4, parent);
    }
    out.text(5, &span.name);
    out.number(6, INTERNAL);
    out.time(7, span.began);
    out.time(8, span.ended);
    for (name, value) in &span.attributes {
        out.message(9, &pair(name, value));
    }
    for it in &span.events {
        out.message(11, &event(it));
    }
    if let Some((trace, id)) = &span.link {
        let mut link = Message::default();
        link.bytes(1, trace);
        link.bytes(2, id);
        out.message(13, &link);
    }
    let mut status = Message::default();
    match &span.outcome {
        Outcome::Unset => {}
        Outcome::Ok => status.number(3, OK),
        Outcome::Error(why) => {
            status.text(2, why);
            status.number(3, ERROR);
        }
    }
    out.message(15, &status);
    out
}

fn event(event: &SpanEvent) -> Message {
    let mut out = Message::default();
    out.time(1, event.at);
    out.text(2, event.name);
    for (name, value) in &event.attributes {
        out.message(3, &pair(name, value));
    }
    out
}

fn pair(name: &str, value: &Value) -> Message {
    let mut any = Message::default();
    match value {
        Value::Text(text) => any.text(1, text),
        Value::Flag(flag) => any.number(2, u64::from(*flag)),
        // Two's complement, as protobuf has negative int64.
        Value::Number(number) => any.number(3, number.cast_unsigned()),
    }
    let mut out = Message::default();
    out.text(1, name);
    out.message(2, &any);
    out
}

/// A protobuf message under construction.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        loop {
            let low = u8::try_from(number & 0x7f).unwrap_or(0);
            number >>= 7;
            if number == 0 {
                self.0.push(low);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    fn number(&mut self, field: u64, number: u64) {
        self.varint(field << 3);
        self.varint(number);
    }

    /// Nanoseconds since the epoch, as fixed64.
    fn time(&mut self, field: u64, at: Timestamp) {
        let nanos = u64::try_from(at.as_millis()).unwrap_or(0).saturating_mul(1_000_000);
        self.varint(field << 3 | 1);
        self.0.extend_from_slice(&nanos.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of protobuf's own "Encoding" page.
    #[test]
    fn numbers_and_texts_are_as_the_format_says() {
        let mut message = Message::default();
        message.number(1, 150);
        message.text(2, "testing");
        assert_eq!(message.0, [0x08, 0x96, 0x01, 0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
        let mut negative = Message::default();
        negative.number(3, (-2_i64).cast_unsigned());
        assert_eq!(negative.0.len(), 11);
    }
}
