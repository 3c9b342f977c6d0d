//! Many services together: what a fleet may say, how it is planned, and what becomes of its members.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test's helpers; DRCTL_BLESS is read here alone"
)]

mod forecast;
mod nested;
mod runs;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use drctl::compile::{self, Diagnostic, Directory, Listed, Twice};
use drctl::model::id::{ServiceName, SiteName};
use serde_json::json;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

/// What the fixtures may name: `head` and `tail` run each other.
fn directory() -> Directory {
    let listed = |tier: &str, runs: &[&str]| Listed {
        labels: BTreeMap::from([("tier".to_owned(), tier.to_owned())]),
        sites: ["east", "west"].into_iter().map(|site| SiteName::new(site).unwrap()).collect(),
        runs: runs.iter().map(|service| name(service)).collect(),
        ..Listed::default()
    };
    let asks = |parameters: serde_json::Value, listed: Listed| Listed {
        parameters: serde_json::from_value(parameters).unwrap(),
        ..listed
    };
    let tasks = json!({"tasks": {"type": "integer", "maximum": 50}});
    let zone = json!({"zone": {"type": "string", "required": true, "description": "Hosted zone"}});
    let pin = json!({"pin": {"type": "string", "sensitive": true, "required": true}});
    let places = ["orders.yaml".to_owned(), "old/orders.yaml".to_owned()];
    let labels = Some(BTreeMap::from([("tier".to_owned(), "5".to_owned())]));
    let double = Listed { twice: Some(Twice { places, labels }), ..listed("4", &[]) };
    Directory::from([
        (name("double"), double),
        (name("runs-double"), listed("6", &["double"])),
        (name("zoned"), asks(zone, listed("7", &[]))),
        (name("pinned"), asks(pin, listed("8", &[]))),
        (name("identity"), listed("0", &[])),
        (name("payments"), asks(tasks, listed("1", &[]))),
        (name("orders"), listed("2", &[])),
        (name("reports"), listed("2", &[])),
        (name("head"), listed("3", &["identity", "tail"])),
        (name("tail"), listed("3", &["head"])),
        (name("front"), listed("0", &["orders"])),
    ])
}

fn fixtures() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("tests/fixtures/fleet")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        found.push((stem, std::fs::read_to_string(path).unwrap()));
    }
    found.sort();
    found
}

fn codes(findings: &[Diagnostic]) -> BTreeSet<&'static str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// The codes that the fixtures of fleets give.
pub(crate) fn codes_of_fixtures() -> BTreeSet<&'static str> {
    fixtures().iter().flat_map(|(_, text)| codes(&compile::fleet(text, &directory()).1)).collect()
}

#[test]
fn every_fixture_gives_the_findings_it_names_at_their_place() {
    let schema = jsonschema::draft202012::new(&compile::fleet_schema()).unwrap();
    for (stem, text) in fixtures() {
        let (roster, findings) = compile::fleet(&text, &directory());
        let first = text.lines().next().unwrap().strip_prefix("# expect: ").unwrap();
        let expected: BTreeSet<&str> = first.split(' ').filter(|word| *word != "nothing").collect();
        let shown = compile::render(&format!("{stem}.yaml"), &text, &findings, false);
        assert_eq!(codes(&findings), expected, "{stem}\n{shown}");
        assert_eq!(roster.is_some(), !findings.iter().any(Diagnostic::is_error), "{stem}");
        assert!(
            findings.iter().all(|finding| finding.span.is_some_and(|span| span.line > 1)),
            "{stem}\n{shown}"
        );
        insta::assert_snapshot!(stem.clone(), shown);
        let document: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let shape = codes(&findings).iter().any(|code| ("DR0110".."DR0117").contains(code));
        assert_eq!(schema.is_valid(&document), !shape, "{stem}");
    }
}

#[test]
fn selections_are_resolved_and_needs_become_services() {
    let text = std::fs::read_to_string(root().join("tests/fixtures/fleet/good.yaml")).unwrap();
    let roster = compile::fleet(&text, &directory()).0.unwrap();
    let members: Vec<(String, Vec<String>)> = roster
        .members
        .iter()
        .map(|member| (member.service.to_string(), member.needs.iter().map(ToString::to_string).collect()))
        .collect();
    let expected: [(&str, &[&str]); 4] =
        [("identity", &[]), ("payments", &["identity"]), ("orders", &["payments"]), ("reports", &["orders"])];
    let expected =
        expected.map(|(member, needs)| (member.to_owned(), needs.iter().map(ToString::to_string).collect()));
    // `reports` is tier 2 as well; who names it takes it out of the selection.
    assert_eq!(members, expected);
    assert_eq!(roster.tolerance(), 0, "5 % of four");
}

#[test]
fn the_schema_file_is_fresh() {
    let path = root().join("schemas/fleet.schema.json");
    let made = serde_json::to_string_pretty(&compile::fleet_schema()).unwrap() + "\n";
    if std::env::var_os("DRCTL_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == made, "schemas/fleet.schema.json is stale: run the tests with DRCTL_BLESS=1");
}
