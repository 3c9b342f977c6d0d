//! `drctl validate` and `drctl explain`.

use super::{PAY, pay, session};
use crate::support::binary::Drctl;

const MISTAKES: &str = include_str!("../../fixtures/compile/five-mistakes.yaml");

#[test]
fn sound_runbooks_say_little() {
    insta::assert_snapshot!(session(
        &pay(),
        &[&["validate", "runbooks"], &["validate", "runbooks", "-o", "json"]]
    ));
}

#[test]
fn every_mistake_is_shown_at_once_with_its_place() {
    let drctl = Drctl::with(&[("five.yaml", MISTAKES)]);
    insta::assert_snapshot!(session(&drctl, &[&["validate", "five.yaml"]]));
}

#[test]
fn one_document_holds_the_findings_of_all_files() {
    let drctl = Drctl::with(&[
        ("r/a.yaml", MISTAKES),
        ("r/deep/b.yml", PAY),
        ("r/c.yaml", PAY),
        ("r/.hidden/x.yaml", "{"),
    ]);
    let report = super::json(&drctl, "validate r -o json");
    assert_eq!((&report["files"], &report["valid"]), (&3.into(), &false.into()));
    let of = |file: &str| {
        let all = report["diagnostics"].as_array().unwrap();
        all.iter().filter(|found| found["file"] == file).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of("r/a.yaml").len(), 5);
    let twice = of("r/deep/b.yml");
    let taken =
        |found: &serde_json::Value| found["message"].as_str().unwrap().contains("`pay` is taken by r/c.yaml");
    assert!(twice.iter().any(taken), "{twice:?}");
    assert_eq!(drctl.run("validate r").code, 3);

    let sarif = super::json(&drctl, "validate r --format sarif");
    let log = &sarif["runs"][0];
    // Two of them note that this build can only simulate a part of a runbook.
    assert_eq!((log["results"].as_array().unwrap().len(), &sarif["version"]), (8, &"2.1.0".into()));
    let rules = log["tool"]["driver"]["rules"].as_array().unwrap().len();
    assert_eq!(rules, 6);
}

#[test]
fn scenarios_are_known_and_missing_paths_are_no_success() {
    let wrong = "apiVersion: drctl/v1\nkind: Scenario\nmetadata: {name: x}\nfautls: []\n";
    let drctl = Drctl::with(&[("wrong.yaml", wrong), ("empty/readme.txt", "")]);
    insta::assert_snapshot!(session(
        &drctl,
        &[&["validate", "wrong.yaml"], &["validate", "nowhere"], &["validate", "empty"], &["validate"],]
    ));
}

#[test]
fn codes_are_explained() {
    insta::assert_snapshot!(session(&Drctl::new(), &[&["explain", "DR0301"], &["explain", "DR9999"]]));
    let all = super::json(&Drctl::new(), "explain -o json");
    assert!(all.as_array().unwrap().iter().any(|entry| entry["code"] == "DR0301"), "{all}");
}

const RECORD: &str = include_str!("../../fixtures/designs/dr0402-record-edit-without-us-east-1.yaml");
const DRILL: &str = include_str!("../../fixtures/designs/dr0601-drill-not-said.yaml");

#[test]
fn a_site_is_assumed_lost() {
    let drctl = Drctl::with(&[("shop.yaml", RECORD)]);
    assert_eq!(drctl.run("validate shop.yaml").code, 3);
    assert_eq!(drctl.run("validate shop.yaml --assume-down east").code, 3);
    assert_eq!(drctl.run("validate shop.yaml --assume-down west --deny-warnings").code, 0);
    let unknown = drctl.run("validate shop.yaml --assume-down wets");
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("no runbook here has a site `wets`"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("east, west"), "{}", unknown.stderr);
}

#[test]
fn the_configuration_says_how_much_findings_matter() {
    let code = |lints: &str, line: &str| {
        let drctl = Drctl::with(&[
            ("drctl.toml", &format!("[lints]\n{lints}\n")),
            ("shop.yaml", RECORD),
            ("drill.yaml", DRILL),
        ]);
        let output = drctl.run(line);
        (output.code, output.stderr)
    };
    assert_eq!(code("", "validate drill.yaml").0, 0);
    assert_eq!(code("DR0601 = 'error'", "validate drill.yaml").0, 3);
    assert_eq!(code("DR0601 = 'off'", "validate drill.yaml --deny-warnings").0, 0);
    assert_eq!(code("DR0402 = 'warning'", "validate shop.yaml").0, 0);
    // Commands that work with a runbook see it with the same eyes.
    assert_eq!(code("DR0402 = 'warning'", "plan shop.yaml").0, 0);
    assert_eq!(code("", "plan shop.yaml").0, 3);
    assert_eq!(code("DR0601 = 'error'", "plan drill.yaml").0, 3);
    for (lints, message) in [
        ("DR0301 = 'off'", "cannot be `off`"),
        ("DR0402 = 'off'", "cannot be `off`"),
        ("DR0999 = 'off'", "there is no code `DR0999`"),
        ("DR0601 = 'loud'", "unknown variant `loud`"),
    ] {
        let (code, errors) = code(lints, "validate shop.yaml");
        assert_eq!(code, 2, "{lints}: {errors}");
        assert!(errors.contains(message) && errors.contains("drctl.toml"), "{lints}: {errors}");
    }
}

/// What a code review shows: the rule with its help, the place, and what was accepted as such.
#[test]
fn findings_go_to_a_code_review() {
    let accepted = DRILL.replacen(
        "metadata:",
        "accept: [{code: DR0601, reason: first drill in March, until: \"2999-03-31\"}]\nmetadata:",
        1,
    );
    let drctl =
        Drctl::with(&[("r/shop.yaml", RECORD), ("r/drill.yaml", &accepted.replace("shop}", "other}"))]);
    let sarif = super::json(&drctl, "validate r --format sarif");
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    let of = |code: &str| results.iter().find(|result| result["ruleId"] == code).unwrap();
    let record = of("DR0402");
    assert_eq!((&record["level"], results.len()), (&"error".into(), 2));
    let place = &record["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "r/shop.yaml");
    assert_eq!(place["region"]["startLine"], 52);
    assert_eq!(of("DR0601")["suppressions"][0]["justification"], "first drill in March (until 2999-03-31)");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["id"] == "DR0402").unwrap();
    assert!(rule["help"]["markdown"].as_str().unwrap().contains("aws.arc.set_routing_controls"), "{rule}");
    assert_eq!(rule["properties"]["tags"][0], "survivability");
}

/// One of its sites says how long to wait in no words that are known.
const UNPLANNABLE: &str = r#"apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
sites:
  east: {role: active, values: {pause: 1s}}
  north: {role: standby, cost_weight: 2, values: {pause: soon}}
  west: {role: standby, cost_weight: 1, values: {pause: 1s}}
parameters:
  zones: {type: list, required: true}
workflows:
  failover:
    steps:
      - {id: call, uses: manual.task, with: {instructions: Call}, drill: skip}
      - {id: rest, uses: wait.for, with: {duration: "{{ to.values.pause }}"}}
      - {id: each, uses: wait.for, with: {duration: "{{ params.zones[1] }}"}}
"#;

#[test]
fn what_cannot_be_planned_is_told_before_the_bad_day() {
    let drctl = Drctl::with(&[("pay.yaml", UNPLANNABLE), ("fine.yaml", &UNPLANNABLE.replace("soon", "2s"))]);
    let found = super::json(&drctl, "validate pay.yaml -o json");
    let found = found["diagnostics"].as_array().unwrap();
    assert_eq!((found.len(), &found[0]["code"]), (1, &"DR0208".into()), "{found:?}");
    let message = found[0]["message"].as_str().unwrap();
    for part in ["a failover to `north`", "a switchover to `north`", "`rest`"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("west"), "{message}");
    assert_eq!((&found[0]["span"]["line"], drctl.run("validate pay.yaml").code), (&14.into(), 3));
    // A value that only a run is given proves nothing, and the one way that is closed does not
    // close the others.
    assert_eq!(drctl.run("validate fine.yaml --deny-warnings").code, 0);
    assert_eq!(drctl.run("plan pay.yaml --to west --set zones=a,1s").code, 0);
    assert_ne!(drctl.run("plan pay.yaml --to north --set zones=a,1s").code, 0);
}

#[test]
fn what_this_build_can_only_simulate_is_a_note() {
    let text = UNPLANNABLE.replace("required: true", "default: [a, 1s]").replace("soon", "2s").replace(
        "wait.for, with: {duration: \"{{ to.values.pause }}\"}",
        "gcp.sql.check_replication, with: {project: p, region: europe-west1, instance: pay}",
    );
    let drctl = Drctl::with(&[("pay.yaml", &text)]);
    let found = super::json(&drctl, "validate pay.yaml --deny-warnings -o json");
    let note = &found["diagnostics"][0];
    assert_eq!((&note["code"], &note["severity"]), (&"DR0208".into(), &"note".into()), "{found}");
    assert!(note["message"].as_str().unwrap().contains("`gcp.sql.check_replication`"), "{note}");
    assert_eq!(found["valid"], true);
}

#[test]
fn a_fleet_is_planned_with_its_members() {
    let member = UNPLANNABLE.replace("type: list, required: true", "type: list, default: [a, 1s]");
    let fleet =
        "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: all}\nmembers:\n  - {runbook: pay, to: north}\n";
    let drctl = Drctl::with(&[("pay.yaml", &member), ("all.yaml", fleet)]);
    let found = super::json(&drctl, "validate all.yaml -o json");
    let found = &found["diagnostics"][0];
    assert_eq!((&found["code"], &found["span"]["line"]), (&"DR0208".into(), &5.into()), "{found}");
    drctl.write("all.yaml", &fleet.replace("north", "west"));
    assert_eq!(drctl.run("validate all.yaml --deny-warnings").code, 0);
    // By hand it goes where the fleet would have moved it, and not where it would go by itself.
    let sheet = drctl.run("plan all.yaml --manual").stdout;
    assert!(sheet.contains("drctl failover pay --to west --reason"), "{sheet}");
}

#[test]
fn files_with_odd_names_are_uris_in_sarif_and_columns_are_characters() {
    let text = "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {title: \"\u{1f600}\u{e9}\", nmae: x}\n";
    let drctl = Drctl::with(&[("run books/a #1 100%.yaml", text), ("b\u{fc}.yaml", "kind: [")]);
    let output = drctl.run_words(&["validate", "run books", "b\u{fc}.yaml", "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    let place = |result: &serde_json::Value| result["locations"][0]["physicalLocation"].clone();
    let uris: Vec<_> =
        results.iter().map(|result| place(result)["artifactLocation"]["uri"].clone()).collect();
    assert!(uris.contains(&"run%20books/a%20%231%20100%25.yaml".into()), "{uris:?}");
    assert!(uris.contains(&"b%C3%BC.yaml".into()), "{uris:?}");
    let unknown = results.iter().find(|result| result["ruleId"] == "DR0110").unwrap();
    assert_eq!(
        (&run["columnKind"], &place(unknown)["region"]["startColumn"]),
        (&"unicodeCodePoints".into(), &25.into())
    );
}
