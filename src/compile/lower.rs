//! Document to typed runbook. What does not fit the shape is reported and left out, so that the rest can be
//! checked.

use serde_json::{Map, Value, json};

use super::diagnostic::Code;
use super::reporter::Reporter;
use super::schema::{self, Gaps};
use crate::model::runbook::Runbook;

/// Makes a runbook of a document, as far as it is sound, and says what was left out.
pub(super) fn lower(mut document: Value, reporter: &mut Reporter<'_>) -> Option<(Runbook, Gaps)> {
    let Some(fields) = document.as_object() else {
        let found = if document.is_null() { "is empty" } else { "is not a mapping" };
        let message = format!("the document {found}; a runbook is a mapping");
        reporter
            .value(Code::WrongType, "", message)
            .help("begin with `apiVersion: drctl/v1` and `kind: Runbook`");
        return None;
    };
    if fields.get("kind").is_some_and(|kind| kind == "Fleet") {
        let message = Code::FleetNotHere.entry().title;
        reporter.value(Code::FleetNotHere, "/kind", message).help("name one of its members instead");
        return None;
    }
    let (_, gaps) = schema::validate(&mut document, schema::runbook(), reporter);
    if let Value::Object(fields) = &mut document {
        stand_in(fields);
    }
    match serde_json::from_value(document) {
        Ok(runbook) => Some((runbook, gaps)),
        Err(error) => {
            // Something the schema does not say. Better a finding without a place than a runbook that is
            // not what it says.
            if !reporter.has_errors() {
                reporter.key(Code::Malformed, "", format!("the document cannot be taken over: {error}"));
            }
            None
        }
    }
}

/// Fills in what every runbook has, where it was missing or broken and has been reported.
fn stand_in(fields: &mut Map<String, Value>) {
    for (key, value) in [
        ("apiVersion", json!("drctl/v1")),
        ("kind", json!("Runbook")),
        ("metadata", json!({"name": "unnamed"})),
    ] {
        fields.entry(key).or_insert(value);
    }
}
