//! Records of a journal as JSON lines, written and read back. Pure; says nothing about whether they are
//! sound.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::record::{hex, unhex};
use crate::model::time::Timestamp;
use crate::ports::{Record, StreamName};

/// A line of an export that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// A record.
    Record(Box<Record>),
    /// A blob: its SHA-256 in hex as the line names it, and its content.
    Blob(String, Vec<u8>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    position: u64,
    stream: StreamName,
    sequence: u64,
    token: u64,
    at: Timestamp,
    #[serde(rename = "type")]
    kind: String,
    version: u32,
    data: Value,
    hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlobLine {
    blob: String,
    text: String,
}

/// Writes a record as one line. A body that was pruned is null.
#[must_use]
pub fn line(record: &Record) -> String {
    let body: Value = serde_json::from_str(&record.body).unwrap_or(Value::Null);
    json!({
        "position": record.position,
        "stream": record.stream,
        "sequence": record.sequence,
        "token": record.token,
        "at": record.recorded_at,
        "type": record.kind,
        "version": record.version,
        "data": body,
        "hash": hex(&record.hash),
    })
    .to_string()
}

/// Writes a blob as one line. Blobs are text: plans, runbooks, outputs.
#[must_use]
pub fn blob_line(name: &str, bytes: &[u8]) -> String {
    json!({"blob": name, "text": String::from_utf8_lossy(bytes)}).to_string()
}

/// Reads a line.
///
/// # Errors
/// When it is none of an export, in words.
pub fn parse(line: &str) -> Result<Line, String> {
    if line.starts_with("{\"blob\":") {
        let read: BlobLine = serde_json::from_str(line).map_err(|error| error.to_string())?;
        return Ok(Line::Blob(read.blob, read.text.into_bytes()));
    }
    let read: RecordLine = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let hash = unhex(&read.hash).ok_or("its hash is not 64 hexadecimal digits")?;
    // What was written as compact JSON is written the same again: the order of keys is kept.
    let body = if read.data.is_null() { String::new() } else { read.data.to_string() };
    Ok(Line::Record(Box::new(Record {
        position: read.position,
        stream: read.stream,
        sequence: read.sequence,
        token: read.token,
        recorded_at: read.at,
        kind: read.kind,
        version: read.version,
        body,
        hash,
    })))
}

/// The blobs that the body of a record names: plan, runbook, and outputs too large for it.
#[must_use]
pub fn blobs(body: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Ok(body) = serde_json::from_str::<Value>(body) else { return names };
    let created = body.get("run_created");
    for field in ["plan", "runbook"] {
        names.extend(created.and_then(|created| created.get(field)).and_then(Value::as_str).and_then(name));
    }
    collect(&body, &mut names);
    names
}

fn name(text: &str) -> Option<String> {
    unhex(text).map(|_| text.to_owned())
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("bytes") {
                names.extend(fields.get("blob").and_then(Value::as_str).and_then(name));
            }
            fields.values().for_each(|value| collect(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(body: &str) -> Record {
        Record {
            position: 7,
            stream: StreamName::journal(),
            sequence: 3,
            token: 1,
            recorded_at: Timestamp::from_millis(1_000),
            kind: "x".into(),
            version: 1,
            body: body.into(),
            hash: [7; 32],
        }
    }

    #[test]
    fn what_is_written_is_read_back_byte_for_byte() {
        let body =
            r#"{"b":{"z":1.0,"a":0.1,"t":"ä\n\u0000\"","n":18446744073709551615},"a":[null,true,-3,1e300]}"#;
        let body = serde_json::from_str::<Value>(body).unwrap().to_string();
        let record = record(&body);
        assert_eq!(parse(&line(&record)), Ok(Line::Record(Box::new(record))));
        let blob = Line::Blob("ab".into(), "{\"x\": 1}\n".into());
        assert_eq!(parse(&blob_line("ab", b"{\"x\": 1}\n")), Ok(blob));
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for wrong in ["", "{}", "[]", "{\"blob\":1}", &line(&record("{}")).replace("0707", "07zz")] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn blobs_are_found_where_events_name_them() {
        let (plan, output) = ("a".repeat(64), "b".repeat(64));
        let created = json!({"run_created": {"plan": plan, "runbook": "none", "reason": "c".repeat(64)}});
        assert_eq!(blobs(&created.to_string()).into_iter().collect::<Vec<_>>(), [plan]);
        let done =
            json!({"node_succeeded": {"outputs": {"log": {"blob": output, "bytes": 70_000}, "blob": "x"}}});
        assert_eq!(blobs(&done.to_string()).into_iter().collect::<Vec<_>>(), [output]);
        assert!(blobs("").is_empty());
    }
}
