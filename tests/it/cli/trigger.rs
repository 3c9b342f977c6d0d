//! `drctl trigger`: what listens to webhooks, and what it would do with an event.

use super::{json, session};
use crate::support::binary::Drctl;

const SHOP: &str = r#"apiVersion: drctl/v1
kind: Runbook
metadata: {name: shop}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: call, uses: manual.task, with: {instructions: Call the team}, drill: skip}
triggers:
  - name: pager
    on: pagerduty
    when: "incident.service.id == 'PF9KMXH' and incident.priority == 'P1'"
    start: {operation: failover, to: west}
    cooldown: 30m
  - name: both
    signals:
      - {name: pager, on: pagerduty, when: "incident.urgency == 'high'"}
      - {name: probes, on: alertmanager, when: "event.labels.alertname == 'PaymentsDown'"}
    dwell: 3m
    cooldown: 2h
    shadow: true
    start: {operation: failover, to: west, how: immediate}
"#;

const CONFIG: &str = "[webhooks.main]\nkind = 'pagerduty'\nsecrets = [{env = 'PAGER_SECRET'}]\n";

fn shop() -> Drctl {
    Drctl::with(&[
        ("runbooks/shop.yaml", SHOP),
        ("runbooks/plain.yaml", &SHOP.split("triggers:").next().unwrap().replace("shop", "plain")),
        ("drctl.toml", CONFIG),
        ("p1.json", include_str!("../../fixtures/webhooks/pagerduty-triggered.json")),
        ("ping.json", include_str!("../../fixtures/webhooks/pagerduty-ping.json")),
        ("alerts.json", include_str!("../../fixtures/webhooks/alertmanager-firing.json")),
        ("alarm.json", include_str!("../../fixtures/webhooks/sns-alarm.json")),
        ("broken.json", "{\"event\": {}}"),
    ])
}

#[test]
fn what_an_event_would_do_is_shown() {
    let drctl = shop();
    let test = |event: &'static str| {
        vec!["trigger", "test", "shop", "--event", event, "--now", "2026-11-22T03:00:02Z"]
    };
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["trigger", "list"],
            &test("p1.json"),
            &test("ping.json"),
            &test("alerts.json"),
            &test("alarm.json"),
            &test("broken.json"),
            &["trigger", "test", "plain", "--event", "p1.json"],
            &["trigger", "test", "shop", "--event", "p1.json", "--source", "opsgenie"],
        ]
    ));
    let told = json(&drctl, "trigger test shop --event p1.json -o json");
    assert_eq!(told["triggers"][0]["outcome"], "stages");
    assert_eq!(told["webhook"], "main");
    assert_eq!(told["events"][0]["incident"]["id"], "PGR0VU2");
    let listed = json(&drctl, "trigger list -o json");
    assert_eq!(listed["triggers"][1]["unheard"], serde_json::json!(["alertmanager"]));
}

#[test]
fn a_webhook_that_anybody_could_send_to_is_refused() {
    let drctl = Drctl::with(&[("drctl.toml", "[webhooks.main]\nkind = 'pagerduty'\n")]);
    let output = drctl.run("trigger list");
    assert_eq!(output.code, 2, "{}{}", output.stdout, output.stderr);
    assert!(output.stderr.contains("webhooks.main: it needs `secrets`"), "{}", output.stderr);
    let drctl = Drctl::with(&[("drctl.toml", "[webhooks.main]\nkind = 'pagerduty'\nsecret = 'hunter2'\n")]);
    let output = drctl.run("trigger list");
    assert!(output.code == 2 && output.stderr.contains("unknown field `secret`"), "{}", output.stderr);
}
