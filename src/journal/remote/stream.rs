//! Reads `text/event-stream` as it comes in. Pure; never keeps more than one event, and never one that is
//! too large.

/// Largest event, in bytes.
const EVENT_BYTES: usize = 16 * 1024 * 1024;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    data: String,
    has_data: bool,
}

/// An event is larger than any that drctl writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Reader {
    /// Takes in a part of the stream; returns the data of the events that it completes.
    pub(super) fn take(&mut self, part: &[u8]) -> Result<Vec<String>, TooLarge> {
        let mut events = Vec::new();
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len().saturating_add(self.data.len()).saturating_add(piece.len()) > EVENT_BYTES {
                return Err(TooLarge);
            }
            self.line.extend_from_slice(piece);
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                events.extend(self.end_of_line(&line));
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self, line: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data).then_some(data);
        }
        // The sequence stands in the data as well; a line that begins with a colon says nothing.
        if let Some(value) = text.strip_prefix("data:") {
            if self.has_data {
                self.data.push('\n');
            }
            self.data.push_str(value.strip_prefix(' ').unwrap_or(value));
            self.has_data = true;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text =
            b": hello\n\nid: 1\nevent: x\ndata: {\"a\":\ndata: 1}\n\nid: 2\r\ndata:two\r\n\r\n\ndata: un";
        for size in 1..text.len() {
            let mut reader = Reader::default();
            let events: Vec<String> = text.chunks(size).flat_map(|part| reader.take(part).unwrap()).collect();
            assert_eq!(events, ["{\"a\":\n1}", "two"], "{size}");
        }
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let mut reader = Reader::default();
        let part = vec![b'x'; 1024 * 1024];
        let read = (0..17).map(|_| reader.take(&part)).find(Result::is_err);
        assert_eq!(read, Some(Err(TooLarge)));
    }
}
