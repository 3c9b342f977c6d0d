//! `drctl init`.

use super::session;
use crate::support::binary::Drctl;

const SHOP: [&str; 12] = [
    "init",
    "--name=shop",
    "--strategy=warm_standby",
    "--from=us-east-1",
    "--to=us-west-2",
    "--database=aws.rds.read_replica",
    "--compute=aws.ecs.service",
    "--traffic=aws.arc.routing_controls",
    "--health=https://{site}.shop.example.com/health",
    "--public-url=https://shop.example.com/health",
    "--owner=team-shop",
    "--rto=10m",
];

#[test]
fn a_first_runbook_is_written_once_and_works_at_once() {
    let drctl = Drctl::new();
    insta::assert_snapshot!(session(&drctl, &[&SHOP, &SHOP, &[&SHOP[..], &["--force"]].concat()]));
    insta::assert_snapshot!("first-runbook", std::fs::read_to_string(drctl.path("shop.yaml")).unwrap());
    assert_eq!(drctl.run("validate shop.yaml").code, 0);
    let found = drctl.run("validate shop.yaml --deny-warnings --output json");
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    let found = found["diagnostics"].as_array().unwrap();
    // A build without AWS can only simulate some of it, and notes that.
    let told: Vec<_> = found.iter().filter(|finding| finding["severity"] != "note").collect();
    assert!(!told.is_empty() && told.iter().all(|finding| finding["code"] == "DR0140"), "{found:?}");
    let done = drctl.run("failover shop.yaml --simulate");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let printed = drctl.run_words(&[&SHOP[..], &["--write", "-"]].concat());
    assert_eq!(printed.stdout, std::fs::read_to_string(drctl.path("shop.yaml")).unwrap());
}

#[test]
fn what_is_missing_or_does_not_go_together_is_named() {
    let drctl = Drctl::new();
    let with = |more: &[&'static str]| [&SHOP[..5], more].concat();
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["init"],
            &["init", "--name", "Shop"],
            &with(&["--database=aws.ecs.service", "--traffic=aws.arc.routing_controls"]),
            &with(&["--database=aws.dynamodb.global_table", "--traffic=aws.arc.routing_controls"]),
            &with(&["--database=oracle"]),
            &[&SHOP[..7], &["--traffic=aws.route53.failover_record", "--rto=10s"]].concat(),
            &[&SHOP[..8], &["--health=https://shop.example.com"]].concat(),
            &["init", "--name=a", "--strategy=pilot_light", "--from=x", "--to=x"],
            &[&SHOP[..], &["--write", "no/such/folder.yaml"]].concat(),
        ]
    ));
    assert!(!drctl.path("shop.yaml").exists());
}
