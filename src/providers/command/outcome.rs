//! What the end of a program means: outputs or a failure. Must never fail an attempt because its output was
//! large or odd: the effect is there.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::limits;
use crate::model::run::{Failure, FailureClass};
use crate::providers::child::Printed;
use crate::providers::excerpt;

/// Exit status by which a program asks to be tried again: `EX_TEMPFAIL` of sysexits.h.
const TRY_AGAIN: i32 = 75;
/// Most fields of a JSON object that become outputs.
const FIELDS: usize = 256;

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exit {
    /// Exit status.
    pub code: Option<i32>,
    /// Signal that killed it.
    pub signal: Option<i32>,
    /// Why it could not be started at all.
    pub not_started: Option<String>,
}

/// Whether anything the program printed may be kept or shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep(bool);

impl Keep {
    pub(super) fn new(keep: bool) -> Self {
        Self(keep)
    }
}

impl Exit {
    /// Reads an exit status.
    pub(super) fn of(status: ExitStatus) -> Self {
        Self { code: status.code(), signal: status.signal(), not_started: None }
    }

    /// The end in words, with the last lines of the program's complaints.
    pub(super) fn account(&self, printed: &Printed, keep: Keep) -> String {
        let end = match (self.code, self.signal) {
            (Some(code), _) => format!("the command ended with exit code {code}"),
            (None, Some(signal)) => format!("the command was killed by signal {signal}"),
            (None, None) => "the command ended in an unknown way".to_owned(),
        };
        let complaint = if keep.0 { excerpt::tail(&printed.complaint()) } else { String::new() };
        excerpt::message(&if complaint.is_empty() { end } else { format!("{end}: {complaint}") })
    }
}

/// Turns an end into outputs or a failure.
///
/// # Errors
/// Refused when it could not be started, transient for exit code 75, permanent for any other but 0, in doubt
/// for a program killed by a signal.
pub(super) fn settle(exit: &Exit, printed: &Printed, keep: Keep) -> Result<Map<String, Value>, Failure> {
    if let Some(why) = &exit.not_started {
        return Err(Failure::new(FailureClass::Refused, excerpt::message(why)));
    }
    let class = match exit.code {
        Some(0) => return Ok(outputs(printed, keep)),
        Some(TRY_AGAIN) => FailureClass::Transient,
        Some(_) => FailureClass::Permanent,
        None => FailureClass::InDoubt,
    };
    Err(Failure::new(class, exit.account(printed, keep)))
}

/// The outputs of a program that succeeded.
pub(super) fn outputs(printed: &Printed, keep: Keep) -> Map<String, Value> {
    let mut outputs = Map::new();
    outputs.insert("exit_code".to_owned(), json!(0));
    if keep.0 {
        let (bytes, length) = printed.beginning(limits::OUTPUT_BYTES);
        add_printed(&mut outputs, &bytes, length);
    }
    outputs
}

/// Adds what a program printed: the fields of a JSON object, else the text.
fn add_printed(outputs: &mut Map<String, Value>, bytes: &[u8], length: u64) {
    let beyond = length.saturating_sub(bytes.len() as u64);
    if beyond == 0
        && let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(bytes)
    {
        add_fields(outputs, fields);
        return;
    }
    let mut text = String::from_utf8_lossy(bytes).trim().to_owned();
    if beyond > 0 {
        text.push_str("\n[cut off by drctl: ");
        text.push_str(&beyond.to_string());
        text.push_str(" more bytes]");
    }
    outputs.insert("stdout".to_owned(), Value::String(text));
}

/// Adds the fields that can be referred to: `[A-Za-z_][A-Za-z0-9_]*`, not `exit_code`, no more than
/// [`FIELDS`].
fn add_fields(outputs: &mut Map<String, Value>, fields: Map<String, Value>) {
    let mut left_out = 0_usize;
    for (name, value) in fields {
        if is_output_name(&name) && name != "exit_code" && outputs.len() < FIELDS {
            outputs.insert(name, value);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let note = format!(
            "{left_out} fields left out: names must be letters, digits and `_`, and at most {FIELDS}"
        );
        outputs.insert("drctl_note".to_owned(), Value::String(note));
    }
}

fn is_output_name(name: &str) -> bool {
    name.len() <= limits::ID_CHARS
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(bytes: &[u8], length: u64) -> Value {
        let mut outputs = Map::new();
        add_printed(&mut outputs, bytes, length);
        Value::Object(outputs)
    }

    #[test]
    fn a_json_object_becomes_outputs_and_anything_else_is_text() {
        assert_eq!(printed(br#" {"lag": 3, "ok": true} "#, 24), json!({"lag": 3, "ok": true}));
        assert_eq!(printed(b"[1]\n", 4), json!({"stdout": "[1]"}));
        assert_eq!(printed(b"a\xffb\n", 4), json!({"stdout": "a\u{fffd}b"}));
        assert_eq!(printed(b"{}", 5), json!({"stdout": "{}\n[cut off by drctl: 3 more bytes]"}));
    }

    #[test]
    fn fields_that_cannot_be_referred_to_are_left_out_with_a_note() {
        let value = printed(br#"{"a": 1, "b-c": 2, "exit_code": 9, "": 3, "1x": 4}"#, 50);
        assert_eq!(value["a"], 1);
        assert_eq!(value.as_object().unwrap().len(), 2, "{value}");
        assert!(value["drctl_note"].as_str().unwrap().starts_with("4 fields"), "{value}");
    }
}
