//! Text to roster: a fleet with every member found, and everything that is wrong with it at once. Knows
//! runbooks only as far as they are handed in.

mod circle;
mod directory;
mod member;
mod resolve;

use serde_json::{Value, json};

pub use self::directory::{Directory, Listed, Twice};
use self::resolve::Resolver;
use super::diagnostic::{Code, Diagnostic};
use super::document;
use super::reporter::Reporter;
use super::schema::{self, Gaps};
use crate::model::fleet::{Fleet, Roster};

/// Compiles the text of a fleet against the runbooks there are. The roster is there only when no finding is
/// an error; findings are in the order of the text.
#[must_use]
pub fn fleet(text: &str, directory: &Directory) -> (Option<Roster>, Vec<Diagnostic>) {
    let (document, findings) = document::read(text);
    let Some(document) = document else { return (None, findings) };
    let mut reporter = Reporter::new(text, document.places, findings);
    let roster = lower(document.value, &mut reporter)
        .map(|(fleet, gaps)| Resolver::new(&fleet, &gaps, directory, &mut reporter).resolve());
    let sound = !reporter.has_errors();
    (roster.filter(|_| sound), reporter.finish())
}

/// Stopping at once and stopping after several exclude each other.
fn contradiction(document: &Value, reporter: &mut Reporter<'_>) {
    let said = |key: &str| document.pointer(&format!("/on_member_failure/{key}"));
    let after = said("stop_after").filter(|after| **after != json!(0) && **after != json!("0%"));
    if said("continue") == Some(&Value::Bool(false)) && after.is_some() {
        let message =
            "with `continue: false` no member begins after the first trouble, so `stop_after` contradicts it";
        reporter
            .key(Code::KeyWithoutMeaning, "/on_member_failure/stop_after", message)
            .help("write `continue: true` with `stop_after`, or leave `stop_after` out");
    }
}

fn lower(mut document: Value, reporter: &mut Reporter<'_>) -> Option<(Fleet, Gaps)> {
    if !document.is_object() {
        let finding = reporter.value(Code::WrongType, "", "a fleet is a mapping");
        finding.help("begin with `apiVersion: drctl/v1` and `kind: Fleet`");
        return None;
    }
    let (_, gaps) = schema::validate(&mut document, schema::fleet(), reporter);
    contradiction(&document, reporter);
    if let Value::Object(fields) = &mut document {
        for (key, value) in [
            ("apiVersion", json!("drctl/v1")),
            ("kind", json!("Fleet")),
            ("metadata", json!({"name": "unnamed"})),
            ("members", json!([])),
        ] {
            fields.entry(key).or_insert(value);
        }
    }
    match serde_json::from_value(document) {
        Ok(fleet) => Some((fleet, gaps)),
        Err(error) => {
            if !reporter.has_errors() {
                reporter.key(Code::Malformed, "", format!("the document cannot be taken over: {error}"));
            }
            None
        }
    }
}
