//! What the compiler found in a runbook, kept with the run that is started: the report shows it later, when
//! the runbook and the compiler have moved on.

use std::collections::BTreeMap;

use crate::compile::{Diagnostic, Severity};
use crate::evidence::{WARNINGS, Warning};

/// Most findings that are kept.
const MOST: usize = 100;
/// Longest message that is kept, in characters.
const MESSAGE: usize = 300;

/// The notes of a run that keep what was found: warnings, and what the author accepts.
#[must_use]
pub(crate) fn noted(findings: &[Diagnostic]) -> BTreeMap<String, String> {
    let matters = |found: &&Diagnostic| found.severity != Severity::Note || found.accepted.is_some();
    let warnings: Vec<Warning> = findings.iter().filter(matters).take(MOST).map(warning).collect();
    if warnings.is_empty() {
        return BTreeMap::new();
    }
    // Plain text always has a JSON form.
    BTreeMap::from([(WARNINGS.to_owned(), serde_json::to_string(&warnings).unwrap_or_default())])
}

fn warning(found: &Diagnostic) -> Warning {
    Warning {
        code: found.code.to_string(),
        severity: found.severity.to_string(),
        message: found.message.chars().take(MESSAGE).collect(),
        line: found.span.map(|span| span.line),
        accepted: found.accepted.as_ref().map(|accepted| accepted.reason.clone()),
        accepted_until: found.accepted.as_ref().map(|accepted| accepted.until.clone()),
    }
}
