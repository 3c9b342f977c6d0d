//! Findings for programs: JSON and SARIF 2.1.0. Never leaves one out.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Code, Diagnostic, Label, Severity, Span};

/// Characters of a path that a URI holds as they are: `pchar` and `/` of RFC 3986, section 3.3.
const WRITTEN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

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

/// Where a SARIF log says that something is: the path of a file as a URI, relative where the path is.
#[must_use]
pub fn sarif_location(source_name: &str) -> Value {
    json!({"physicalLocation": {"artifactLocation": {"uri": uri(source_name)}}})
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let written = utf8_percent_encode(path, WRITTEN).to_string();
    if path.starts_with('/') {
        return format!("file://{written}");
    }
    // Else what stands before the colon would be taken for a scheme.
    let begins = written.split('/').next().unwrap_or_default();
    if begins.contains(':') { format!("./{written}") } else { written }
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
    let mut location = sarif_location(source_name);
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
            let mut related = sarif_location(source_name);
            related["id"] = (at + 1).into();
            related["message"] = json!({"text": label.text});
            related["physicalLocation"]["region"] = region(label.span);
            related
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

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_are_uri_references() {
        for (path, expected) in [
            ("runbooks/shop.yaml", "runbooks/shop.yaml"),
            ("./shop.yaml", "shop.yaml"),
            ("../shop.yaml", "../shop.yaml"),
            ("run books/shop #1 100%.yaml", "run%20books/shop%20%231%20100%25.yaml"),
            ("b\u{fc}cher?.yaml", "b%C3%BCcher%3F.yaml"),
            ("a:b.yaml", "./a:b.yaml"),
            ("x/a:b.yaml", "x/a:b.yaml"),
            ("/srv/run books/shop.yaml", "file:///srv/run%20books/shop.yaml"),
            ("[a]\\\"<>^`{|}.yaml", "%5Ba%5D%5C%22%3C%3E%5E%60%7B%7C%7D.yaml"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
