//! What a command does at a server beside runs: checks, findings, records of services, webhooks.

use serde_json::{Value, json};

use super::remote::{Client, parsed, with_gated};
use super::{ADA, ANN, EVE};
use crate::support::binary::Output;
use crate::support::served::Served;

/// A step that looks before it begins.
const LOOKED: &str = "\
apiVersion: drctl/v1
kind: Runbook
metadata: {name: looked}
sites:
  east: {role: active}
  west: {role: standby}
workflows:
  failover:
    steps:
      - id: one
        uses: command.run
        with: {argv: [/bin/true], idempotent: true}
        precheck: [{uses: http.check, with: {url: 'CHECK'}}]
        drill: skip
";

/// Both of them together.
const TWO: &str = "\
apiVersion: drctl/v1
kind: Fleet
metadata: {name: two}
members:
  - {runbook: looked}
  - {runbook: broken}
";

#[test]
fn triggers_are_heard_where_the_server_listens() {
    let there =
        super::folder_with("[webhooks.main]\nkind = \"pagerduty\"\nsecrets = [{env = \"MAIN_SECRET\"}]\n");
    let triggers = "\n  - {name: page, on: pagerduty, start: {operation: failover}}\n  \
                    - {name: alert, on: alertmanager, start: {operation: failover}}\n";
    there.write("runbooks/payments.yaml", &super::payments(triggers));
    there.write("event.json", include_str!("../../fixtures/webhooks/pagerduty-triggered.json"));
    let server = Served::start_with(&there, &[("MAIN_SECRET", "hunter2")]);
    let client = Client::of(&server);
    let listed = parsed(&client.run(EVE, "trigger list -o json"));
    let unheard = |number: usize| listed["triggers"][number]["unheard"].clone();
    assert_eq!((unheard(0), unheard(1)), (json!([]), json!(["alertmanager"])), "{listed:#}");
    let event = there.path("event.json");
    for fresh in ["", "--fresh"] {
        let line = format!("trigger test payments --event {} {fresh} -o json", event.display());
        assert_eq!(parsed(&client.run(EVE, &line))["webhook"], "main", "{line}");
    }
}

/// What came of checks. Runs have names of their own, take as long as they take, and look at something else
/// each time.
fn of_checks(output: &Output) -> Value {
    fn plain(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for word in ["run", "started_at", "ended_at", "outputs"] {
                    fields.remove(word);
                }
                fields.values_mut().for_each(plain);
            }
            Value::Array(items) => items.iter_mut().for_each(plain),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value = parsed(output);
    plain(&mut value);
    value
}

#[tokio::test]
async fn what_is_checked_is_the_same_through_a_server() {
    let there = with_gated();
    there.write("runbooks/two.yaml", TWO);
    let server = Served::start(&there);
    let looks_at = |path: &str| LOOKED.replace("CHECK", &format!("http://{}{path}", server.address()));
    there.write("runbooks/looked.yaml", &looks_at("/healthz"));
    there.write("runbooks/broken.yaml", &looks_at("/nowhere").replace("looked", "broken"));
    let client = Client::of(&server);
    for (line, code) in [
        ("check looked", 0),
        ("check broken", 7),
        ("check looked --to west", 0),
        ("check looked --operation failback", 3),
        ("check looked --to mars", 3),
        ("check slow", 0),
        ("check slow --simulate", 0),
        ("check two", 7),
    ] {
        let line = format!("{line} -o json");
        let (here, afar) = (there.run(&line), client.run(ANN, &line));
        assert_eq!((here.code, afar.code), (code, code), "{line}: {} {}", here.stderr, afar.stderr);
        if code != 3 {
            assert_eq!(of_checks(&here), of_checks(&afar), "{line}");
            assert_eq!(here.stderr, afar.stderr, "{line}");
        }
    }
    let refused = client.run(EVE, "check slow");
    assert!(refused.code == 7 && refused.stderr.contains("operator"), "{}", refused.stderr);
}

#[tokio::test]
async fn what_was_found_in_a_run_is_written_down_through_a_server() {
    let there = with_gated();
    let server = Served::start(&there);
    let client = Client::of(&server);
    let run = parsed(&client.run(ANN, "failover slow --simulate -o json"))["id"].as_str().unwrap().to_owned();
    let add = format!("runs finding add {run} stale --owner bob --due 2099-01-01");
    let added = client.run(ANN, &add);
    assert_eq!(
        (added.code, added.stdout.trim()),
        (0, format!("{run}: finding 1, for bob, due 2099-01-01").as_str())
    );
    assert_eq!(client.run(EVE, &add).code, 7);
    for (line, code) in [
        (format!("runs finding close {run} 1"), 2),
        (format!("runs finding close {run} 2 --reason none"), 2),
        (format!("runs finding close {run} 1 --reason done"), 0),
        (format!("runs finding close {run} 1 --reason done"), 7),
        (format!("runs finding add {run} late --owner bob --due 2020-02-29"), 2),
        (format!("runs finding add {run} {} --owner bob --due 2099-01-01", "x".repeat(1_001)), 2),
    ] {
        let done = client.run(ANN, &line);
        assert_eq!(done.code, code, "{line}: {} {}", done.stdout, done.stderr);
    }
    let list = parsed(&client.run(EVE, &format!("runs finding list {run} -o json")));
    assert_eq!((list.as_array().unwrap().len(), &list[0]["by"]["name"]), (1, &json!("ann")), "{list:#}");
    let again = client.run(ANN, &format!("runs finding close {run} 1 --reason again")).stderr;
    assert!(again.contains("ann closed it at 2") && again.contains(": done"), "{again}");
    // What is sent twice because its answer was lost is done once.
    let found = json!({"text": "late", "owner": "bob", "due": "2099-01-01"});
    for expected in [201, 200] {
        let request = server.request(reqwest::Method::POST, &format!("/api/v1/runs/{run}/findings"), ANN);
        let request = request.header("idempotency-key", "k-1").json(&found);
        let (status, body) = crate::support::served::answer(request).await;
        assert_eq!((status.as_u16(), &body["finding"]), (expected, &json!(2)), "{body}");
    }
    for (key, expected) in [("k-2", 200), ("k-2", 200), ("k-3", 409)] {
        let path = format!("/api/v1/runs/{run}/findings/2/close");
        let request = server.request(reqwest::Method::POST, &path, ANN).header("idempotency-key", key);
        let (status, body) = crate::support::served::answer(request.json(&json!({"reason": "done"}))).await;
        assert_eq!(status.as_u16(), expected, "{body}");
    }
    let over = json!({"text": "late", "owner": "bob", "due": "2020-02-29"});
    let (status, body) = server.post(&format!("/api/v1/runs/{run}/findings"), ANN, &over).await;
    assert_eq!((status.as_u16(), &body["reason"]), (422, &json!("day_over")), "{body}");
}

#[tokio::test]
async fn what_is_said_of_a_service_or_a_journal_is_said_through_a_server() {
    let there = with_gated();
    let server = Served::start(&there);
    let client = Client::of(&server);
    // Nobody has a role for the whole journal but an admin.
    for line in ["journal verify", "service set slow west --reason moved"] {
        assert_eq!(client.run(ANN, line).code, 7, "{line}");
    }
    let verified = client.run(ADA, "journal verify -o json");
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert_eq!(parsed(&verified)["head"], parsed(&there.run("journal verify -o json"))["head"]);
    for (line, code) in [
        ("service set slow mars --reason moved", 2),
        ("service set slow west", 2),
        ("service set slow west --reason moved", 0),
        ("service set slow --reprotected east --reason rebuilt", 7),
    ] {
        let done = client.run(ADA, line);
        assert_eq!(done.code, code, "{line}: {} {}", done.stdout, done.stderr);
    }
    let (here, afar) = (there.run("service show slow"), client.run(EVE, "service show slow"));
    assert_eq!((here.stdout, true), (afar.stdout.clone(), afar.stdout.contains("slow runs in west")));
    let nodes = parsed(&client.run(EVE, "journal nodes -o json"));
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 1, "{nodes:#}");
    // What is sent twice because its answer was lost is done once.
    let set = json!({"site": "east", "reason": "back"});
    for _ in 0..2 {
        let request = server.request(reqwest::Method::PUT, "/api/v1/services/slow/record", ADA).json(&set);
        assert_eq!(crate::support::served::answer(request).await.0.as_u16(), 200);
    }
    let said = there.run("journal export").stdout;
    assert_eq!(said.lines().filter(|line| line.contains("service/slow") && line.contains("back")).count(), 1);
}
