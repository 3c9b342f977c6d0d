//! Findings for programs: JSON and SARIF 2.1.0. Never leaves one out.

use serde_json::{Value, json};

use super::{Code, Diagnostic, Label, Severity, Span};

/// Findings as a JSON array, in order.
#[must_use]
pub fn to_json(source_name: &str, diagnostics: &[Diagnostic]) -> Value {
    let one = |diagnostic: &Diagnostic| {
        let mut value = serde_json::to_value(diagnostic).unwrap_or_default();
        if let Value::Object(fields) = &mut value {
            fields.insert("file".to_owned(), source_name.into());
            fields.insert("title".to_owned(), diagnostic.code.entry().title.into());
        }
        value
    };
    Value::Array(diagnostics.iter().map(one).collect())
}

/// Findings as one SARIF 2.1.0 log with one run.
#[must_use]
pub fn to_sarif(source_name: &str, diagnostics: &[Diagnostic]) -> Value {
    let mut used: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    used.sort_unstable();
    used.dedup();
    let rules: Vec<Value> = used.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = diagnostics.iter().map(|diagnostic| result(source_name, diagnostic)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "drctl", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results
        }]
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": {"text": code.entry().title},
        "fullDescription": {"text": code.entry().text},
        "help": {"text": code.explanation(), "markdown": code.explanation()},
        "defaultConfiguration": {"level": level(code.entry().severity)},
        "properties": {"tags": [subject(code)]}
    })
}

/// What a code is about, for those who filter.
fn subject(code: Code) -> &'static str {
    match code.as_str().get(2..4) {
        Some("01") => "syntax",
        Some("02") => "graph",
        Some("03") => "order",
        Some("04") => "survivability",
        Some("05") => "safety",
        Some("06") => "drill",
        Some("07") => "objectives",
        Some("08") => "residency",
        _ => "security",
    }
}

fn region(span: Span) -> Value {
    json!({
        "startLine": span.line,
        "startColumn": span.column,
        "byteOffset": span.start,
        "byteLength": span.end.saturating_sub(span.start)
    })
}

fn result(source_name: &str, diagnostic: &Diagnostic) -> Value {
    let mut message = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        message.push_str("\nHelp: ");
        message.push_str(help);
    }
    let mut location = json!({"physicalLocation": {"artifactLocation": {"uri": source_name}}});
    if let Some(span) = diagnostic.span {
        location["physicalLocation"]["region"] = region(span);
    }
    let mut result = json!({
        "ruleId": diagnostic.code.as_str(),
        "level": level(diagnostic.severity),
        "message": {"text": message},
        "locations": [location],
        "partialFingerprints": {"pointer/v1": diagnostic.pointer}
    });
    if !diagnostic.labels.is_empty() {
        let related = |(at, label): (usize, &Label)| {
            json!({
                "id": at + 1,
                "message": {"text": label.text},
                "physicalLocation": {"artifactLocation": {"uri": source_name}, "region": region(label.span)}
            })
        };
        result["relatedLocations"] = diagnostic.labels.iter().enumerate().map(related).collect();
    }
    if let Some(accepted) = &diagnostic.accepted {
        let words = format!("{} (until {})", accepted.reason, accepted.until);
        result["suppressions"] = json!([{"kind": "inSource", "status": "accepted", "justification": words}]);
    }
    result
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
