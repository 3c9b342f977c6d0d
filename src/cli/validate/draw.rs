//! Findings of several files as text, JSON and SARIF.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::look::Report;
use crate::compile::{self, Severity};

pub(super) fn text(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        text.push_str(&compile::render(&report.path, &report.text, &report.found, true));
        for message in &report.other {
            let _ = write!(text, "\x1b[1;31merror\x1b[0m: {message}\n  --> {}\n\n", report.path);
        }
    }
    text
}

pub(super) fn json(report: &Report) -> Vec<Value> {
    let mut found = match compile::to_json(&report.path, &report.found) {
        Value::Array(found) => found,
        other => vec![other],
    };
    let other = |message: &String| json!({"code": null, "severity": Severity::Error, "message": message, "file": report.path});
    found.extend(report.other.iter().map(other));
    found
}

/// One log with the rules and results of all files.
pub(super) fn sarif(reports: &[Report]) -> Value {
    let mut log = compile::to_sarif("", &[]);
    let mut rules: BTreeMap<String, Value> = BTreeMap::new();
    let mut results = Vec::new();
    for report in reports {
        let mut one = compile::to_sarif(&report.path, &report.found);
        for rule in one["runs"][0]["tool"]["driver"]["rules"].as_array().into_iter().flatten() {
            rules.insert(rule["id"].to_string(), rule.clone());
        }
        if let Value::Array(found) = one["runs"][0]["results"].take() {
            results.extend(found);
        }
        results.extend(report.other.iter().map(|message| {
            json!({
                "level": "error",
                "message": {"text": message},
                "locations": [compile::sarif_location(&report.path)]
            })
        }));
    }
    log["runs"][0]["tool"]["driver"]["rules"] = rules.into_values().collect();
    log["runs"][0]["results"] = Value::Array(results);
    log
}
