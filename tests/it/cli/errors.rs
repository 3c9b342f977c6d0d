//! Errors as programs read them.

use serde_json::Value;

use super::{json, pay};
use crate::support::binary::{Drctl, Output};

/// The error a command ended with: one line of JSON on standard error, and nothing on standard output.
fn error(drctl: &Drctl, line: &str) -> (Output, Value) {
    let output = drctl.run(line);
    assert_eq!(output.stdout, "", "{line}");
    let last = output.stderr.lines().last().unwrap_or_default();
    let mut error: Value = serde_json::from_str(last).unwrap();
    let error = error["error"].take();
    assert_eq!(error["code"], output.code, "{line}: {error:#}");
    (output, error)
}

#[test]
fn with_json_an_error_is_one_line_on_standard_error() {
    let drctl = pay();
    let cases = [
        ("runs show nothing -o json", 10, "journal_unavailable".into()),
        ("failover pay --output=json", 2, Value::Null),
        ("runs list --limit many -o json", 2, "usage".into()),
        ("failover pay --output json --reason drill --from nowhere", 3, "invalid_plan".into()),
    ];
    for (line, code, reason) in cases {
        let (output, error) = error(&drctl, line);
        assert_eq!((output.code, &error["reason"]), (code, &reason), "{line}\n{}", output.stderr);
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}: {error:#}");
        assert!(!output.stderr.starts_with("error"), "{line}\n{}", output.stderr);
    }
}

#[test]
fn with_json_every_problem_of_a_plan_is_told() {
    let (_, error) = error(&pay(), "failover pay -o json --reason drill --from nowhere");
    let details = error["details"].as_array().unwrap();
    assert!(!details.is_empty(), "{error:#}");
    assert!(details.iter().all(|detail| detail["message"].is_string()), "{error:#}");
}

#[test]
fn with_json_a_run_prints_its_result_only() {
    let drctl = pay();
    let view = json(&drctl, "failover pay --simulate --seed 7 -o json");
    assert_eq!(view["status"], "succeeded");
}

#[test]
fn help_is_help_with_json_too() {
    let output = Drctl::new().run("runs --help -o json");
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.contains("Usage:") && output.stderr.is_empty());
}

#[test]
fn an_incident_that_has_yet_to_happen_is_refused() {
    let drctl = pay();
    let line = "failover pay --simulate --seed 7 -o json --incident-at";
    let (output, error) = error(&drctl, &format!("{line} 2130-01-01T00:00:00Z"));
    assert_eq!((output.code, error["reason"].as_str()), (2, Some("incident_in_future")));
    assert!(
        error["help"].as_str().unwrap().contains("60s") || error["help"].as_str().unwrap().contains("1m")
    );
    let old = drctl.run(&format!("{line} 2020-01-01T00:00:00Z"));
    assert!(old.stderr.contains("the incident is old"), "{}", old.stderr);
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_command_line() {
    let drctl = pay();
    for line in ["simulate pay --scenario nope.yaml", "failover pay --simulate --scenario nope.yaml"] {
        let output = drctl.run(line);
        assert_eq!(output.code, 2, "{line}: {}", output.stderr);
        assert!(output.stderr.contains("nope.yaml"), "{}", output.stderr);
    }
}
