//! What three nodes see at the same time, one of them does: a drill that is due, a delivery of a webhook, a
//! notice.

use std::fmt::Write as _;
use std::time::Duration;

use drctl::ports::{Clock as _, Journal as _, RunFilter, StreamName};
use jiff::tz::TimeZone;
use reqwest::Method;
use ring::hmac;
use serde_json::Value;

use super::estate::{Node, nodes, until};
use super::witness::Witness;
use crate::support::desk::Desk;
use crate::support::postgres::PostgresAlone;
use crate::support::served::answer;

const DRILLED: &str = "apiVersion: drctl/v1
kind: Runbook
metadata: {name: drilled}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - id: grow
        phase: scale
        uses: command.run
        with: {argv: [sh, -c, \"echo up >> LOG; sleep 1\"], idempotent: true}
        undo: {uses: command.run, with: {argv: [sh, -c, \"echo down >> LOG\"], idempotent: true}}
        drill: {boundary: trusted}
drill:
  level: isolated
  boundary: {sites: [west]}
  schedule: {cron: \"MINUTE * * * *\", missed: run_once}
";

#[tokio::test]
async fn a_drill_that_is_due_runs_once() {
    let server = PostgresAlone::start();
    server.server.run("create database due").await;
    let url = server.server.url("due") + "?lease_ttl=2s";
    let witness = Witness::begin(&url).await;
    let mut nodes = nodes(3, &[&server.server], "due?lease_ttl=2s", "schedules_every = \"200ms\"");
    let log = nodes[0].folder.path("log");
    let now = drctl::runtime::SystemClock::real().now();
    // A fire half an hour ago, which was seen coming and which nobody has looked at since.
    let minute = now.minus(drctl::model::time::Duration::from_secs(1_800));
    let minute =
        jiff::Timestamp::from_millisecond(minute.as_millis()).unwrap().to_zoned(TimeZone::UTC).minute();
    let text = DRILLED.replace("LOG", log.to_str().unwrap()).replace("MINUTE", &minute.to_string());
    for node in &nodes {
        node.folder.write("runbooks/drilled.yaml", &text);
    }
    let seen = now.minus(drctl::model::time::Duration::from_secs(2_700));
    let looked = nodes[0].folder.run_with(&[("DRCTL_JOURNAL", &url)], &format!("schedule run --now {seen}"));
    assert_eq!(looked.code, 0, "{}{}", looked.stdout, looked.stderr);
    nodes.iter_mut().for_each(Node::start);
    let all = RunFilter::default();
    until("the drill ends", Duration::from_secs(30), || async {
        witness.journal.runs(&all).await.unwrap().iter().any(|run| run.status.is_terminal())
    })
    .await;
    // Every node has looked some times more by then.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let runs = witness.journal.runs(&all).await.unwrap();
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!(std::fs::read_to_string(log).unwrap(), "up\ndown\n");
    let service = drctl::model::id::ServiceName::new("drilled").unwrap();
    let records = witness.journal.read(&StreamName::schedule(&service), 0, 100).await.unwrap();
    let fired = records.iter().filter(|record| record.body.contains("fired")).count();
    assert_eq!(fired, 1, "{records:#?}");
}

const PAGED: &str = "apiVersion: drctl/v1
kind: Runbook
metadata: {name: paged}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: go, uses: command.run, with: {argv: [/bin/true], idempotent: true}, drill: skip}
triggers:
  - {name: pager, on: pagerduty, start: {operation: failover, to: west}, when: \"incident.service.id == 'PF9KMXH'\"}
";

/// A delivery of PagerDuty, as of now.
fn delivery(event: &str, incident: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/webhooks/pagerduty-triggered.json");
    let mut body: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    body["event"]["id"] = event.into();
    body["event"]["data"]["id"] = incident.into();
    body["event"]["occurred_at"] = drctl::runtime::SystemClock::real().now().to_string().into();
    serde_json::to_vec(&body).unwrap()
}

async fn deliver(node: &Node, id: &str, body: Vec<u8>) -> u16 {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), &body);
    let mut signature = String::from("v1=");
    for byte in tag.as_ref() {
        write!(signature, "{byte:02x}").unwrap();
    }
    let request = node.served().request(Method::POST, "/webhooks/pagerduty/main", "");
    let request = request.header("x-pagerduty-signature", signature).header("x-webhook-id", id);
    answer(request.header("content-type", "application/json").body(body)).await.0.as_u16()
}

#[tokio::test]
async fn a_delivery_to_all_nodes_stages_one_run_and_each_notice_is_sent_once() {
    let server = PostgresAlone::start();
    server.server.run("create database once").await;
    let url = server.server.url("once") + "?lease_ttl=2s";
    let witness = Witness::begin(&url).await;
    let (told, rounds) = (Desk::open(), 6);
    let mut nodes = nodes(3, &[&server.server], "once?lease_ttl=2s", "");
    for node in &mut nodes {
        let path = node.folder.path("drctl.toml");
        let mut text = std::fs::read_to_string(&path).unwrap();
        write!(
            text,
            "[webhooks.main]\nkind = \"pagerduty\"\nsecrets = [{{command = [\"echo\", \"secret\"]}}]\n"
        )
        .unwrap();
        write!(text, "[[notify]]\nname = \"chat\"\nkind = \"webhook\"\nurl = \"{}\"\n", told.url("/"))
            .unwrap();
        node.folder.write("drctl.toml", &text);
        for n in 0..rounds {
            let text = PAGED.replace("paged", &format!("paged{n}")).replace("PF9KMXH", &format!("PF9KMX{n}"));
            node.folder.write(&format!("runbooks/paged{n}.yaml"), &text);
        }
        node.start();
    }
    for n in 0..rounds {
        let body = String::from_utf8(delivery(&format!("e-{n}"), &format!("P{n}"))).unwrap();
        let body = body.replace("PF9KMXH", &format!("PF9KMX{n}")).into_bytes();
        let id = format!("w-{n}");
        let each = |at: usize| deliver(&nodes[at], &id, body.clone());
        let answers = tokio::join!(each(0), each(1), each(2));
        assert_eq!(answers, (202, 202, 202));
    }
    let all = RunFilter::default();
    until("each is staged", Duration::from_secs(30), || async {
        witness.journal.runs(&all).await.unwrap().len() >= rounds
    })
    .await;
    until("somebody is told of each", Duration::from_secs(30), || async { told.heard().len() >= rounds })
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let runs = witness.journal.runs(&all).await.unwrap();
    assert_eq!(runs.len(), rounds, "{runs:#?}");
    assert!(runs.iter().all(|run| run.status.as_str() == "staged"), "{runs:#?}");
    let mut ids: Vec<_> =
        told.heard().iter().map(|heard| heard.header("x-drctl-notice").unwrap().to_owned()).collect();
    let sent = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), sent, "a notice was sent twice");
}
