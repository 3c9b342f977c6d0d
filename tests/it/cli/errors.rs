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

/// A command that ends with 2, all of whose words are there.
fn says(drctl: &Drctl, line: &str, parts: &[&str]) {
    let output = drctl.run(line);
    for part in parts {
        assert!(output.stderr.contains(part), "{line}: no {part} in\n{}", output.stderr);
    }
    assert_eq!(output.code, 2, "{line}\n{}", output.stderr);
}

#[test]
fn what_is_missing_is_told_with_where_to_find_it() {
    let drctl = pay();
    says(&drctl, "failover", &["<RUNBOOK>", "help: RUNBOOK is a path", "`drctl status` shows"]);
    says(&drctl, "abort --reason x", &["<RUN>", "help: RUN is an id", "`drctl runs list` shows"]);
    let (_, error) = error(&drctl, "check -o json");
    assert!(error["help"].as_str().is_some_and(|help| help.contains("drctl status")), "{error:#}");
}

#[test]
fn a_runbook_that_is_not_there_is_told_with_those_that_are() {
    let drctl = pay();
    says(
        &drctl,
        "failover paay --simulate",
        &["no runbook `paay`", "did you mean `pay`?", "there are: pay;"],
    );
    says(&drctl, "failover runbooks/no.yaml --simulate", &["in runbooks there are: pay; or give a path"]);
    let elsewhere = Drctl::new();
    says(
        &elsewhere,
        "failover pay --simulate",
        &["runbooks does not exist, seen from /", "[runbooks] of drctl.toml"],
    );
}

#[test]
fn a_confirmation_of_something_else_is_refused_before_anything_begins() {
    let drctl = pay();
    for wrong in ["pay", "west", "pay:east", "other:west"] {
        let line = format!("failover pay --simulate --confirm {wrong}");
        says(&drctl, &line, &[&format!("--confirm {wrong} confirms no"), "takes --confirm pay:west"]);
    }
    assert_eq!(json(&drctl, "runs list --simulated -o json"), serde_json::json!([]));
    assert_eq!(drctl.run("failover pay --simulate --confirm pay:west").code, 0);
}

#[test]
fn a_run_that_is_not_there_is_told_with_the_journal_that_was_looked_into() {
    let drctl = pay();
    assert_eq!(drctl.run("failover pay --simulate").code, 0);
    says(
        &drctl,
        "runs show pay-nothing",
        &["no run is called `pay-nothing`", "journal.db", "its --journal, --local or"],
    );
}

#[test]
fn a_broken_configuration_is_told_with_its_place_and_shows_no_secret() {
    let drctl = pay();
    drctl.write("drctl.toml", "[journal]\nurl = \"postgres://drctl:hunter2@db/drctl\n");
    let output = drctl.run("runs list");
    assert!(output.code == 2 && !output.stderr.contains("hunter2"), "{}", output.stderr);
    says(&drctl, "runs list", &["drctl.toml: line 2, column", "help: correct it; `drctl schema config`"]);
    drctl.write("drctl.toml", "[jurnal]\n");
    says(&drctl, "runs list", &["drctl.toml: line 1, column 2: unknown field `jurnal`"]);
    says(&drctl, "runs list --config nope.toml", &["nope.toml", "help: name a file that can be read"]);
}

#[test]
fn a_folder_is_no_journal() {
    let drctl = pay();
    for line in ["runs list --journal runbooks", "failover pay --simulate --journal runbooks"] {
        let output = drctl.run(line);
        assert_eq!(output.code, 10, "{}", output.stderr);
        assert!(output.stderr.contains("it is a folder; name a file in it, such as"), "{}", output.stderr);
    }
}

#[test]
fn what_helps_against_all_is_said_once() {
    let drctl = pay();
    let text = std::fs::read_to_string(drctl.path("runbooks/pay.yaml")).unwrap();
    let more = "      - {id: dns2, phase: shift, uses: dns.update, with: {server: \"127.0.0.1:53\", zone: pay.example.com, \
                name: b.pay.example.com, record_type: A, values: [\"192.0.2.7\"], ttl: 1m}, drill: skip}\n      \
                - {id: tell, phase: shift, uses: notify.send, with: {channel: pager, message: moving}, drill: skip}\n";
    drctl.write(
        "runbooks/pay.yaml",
        &text.replace("      - {id: check,", &format!("{more}      - {{id: check,")),
    );
    let output = drctl.run("failover pay --reason outage");
    let told = |what: &str| output.stderr.matches(what).count();
    assert_eq!(
        told("step `dns2`, step `dns`: this build can only simulate dns.update"),
        1,
        "{}",
        output.stderr
    );
    assert_eq!(told("can only simulate"), 2, "{}", output.stderr);
    assert_eq!(output.stderr.matches("run it on the simulated estate").count(), 1, "{}", output.stderr);
}
