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
    assert!(twice[0]["message"].as_str().unwrap().contains("`pay` is taken by r/c.yaml"), "{twice:?}");
    assert_eq!(drctl.run("validate r").code, 3);

    let sarif = super::json(&drctl, "validate r --format sarif");
    let log = &sarif["runs"][0];
    assert_eq!((log["results"].as_array().unwrap().len(), &sarif["version"]), (6, &"2.1.0".into()));
    let rules = log["tool"]["driver"]["rules"].as_array().unwrap().len();
    assert_eq!(rules, 5);
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
