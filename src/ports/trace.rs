//! The trace a run is: ids that follow from the run alone, so that whoever takes it over goes on in the same
//! trace, and the header that hands it on. Draws no random number.

use sha2::{Digest, Sha256};

use crate::engine::input::Direction;
use crate::model::id::{NodeAddress, RunId};

/// Id of a trace: 16 bytes.
pub type TraceId = [u8; 16];
/// Id of a span: 8 bytes.
pub type SpanId = [u8; 8];

/// The trace of a run.
#[must_use]
pub fn trace_id(run: &RunId) -> TraceId {
    first(&["trace", run.as_str()])
}

/// The span of a run as a whole.
#[must_use]
pub fn run_span(run: &RunId) -> SpanId {
    first(&["run", run.as_str()])
}

/// The span of a node, in one direction: all its attempts.
#[must_use]
pub fn node_span(run: &RunId, node: &NodeAddress, direction: Direction) -> SpanId {
    first(&["node", run.as_str(), node.as_str(), direction.as_str()])
}

/// The `traceparent` header of W3C Trace Context, level 1, for what an attempt of a node calls.
#[must_use]
pub fn traceparent(run: &RunId, node: &NodeAddress, direction: Direction) -> String {
    format!("00-{}-{}-01", hex(&trace_id(run)), hex(&node_span(run, node, direction)))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The first bytes of a digest over words; never all zero, which would mean no id.
fn first<const N: usize>(words: &[&str]) -> [u8; N] {
    let mut digest = Sha256::new();
    for word in words {
        digest.update(word.as_bytes());
        digest.update([0]);
    }
    let mut id = [0; N];
    for (to, from) in id.iter_mut().zip(digest.finalize()) {
        *to = from;
    }
    if id.iter().all(|byte| *byte == 0)
        && let Some(last) = id.last_mut()
    {
        *last = 1;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_as_the_standard_says_and_always_the_same() {
        let run = RunId::new("pay-abcdefgh").unwrap();
        let node = NodeAddress::typed("promote");
        let header = traceparent(&run, &node, Direction::Do);
        let parts: Vec<_> = header.split('-').collect();
        let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
        assert_eq!((lengths.as_slice(), parts[0], parts[3]), ([2, 32, 16, 2].as_slice(), "00", "01"));
        assert!(header.chars().all(|letter| letter == '-' || matches!(letter, '0'..='9' | 'a'..='f')));
        assert_eq!(header, traceparent(&run, &node, Direction::Do));
        assert_ne!(header, traceparent(&run, &node, Direction::Undo));
        assert_ne!(trace_id(&run), trace_id(&RunId::new("pay-abcdefgi").unwrap()));
    }
}
