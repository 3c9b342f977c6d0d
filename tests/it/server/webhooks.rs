//! Webhooks over HTTP: what is answered, and that what was answered with 202 is not lost.

use std::fmt::Write as _;

use reqwest::Method;
use ring::hmac;
use serde_json::Value;

use super::{ANN, EVE, folder, payments};
use crate::support::binary::Drctl;
use crate::support::served::{Served, answer};

/// What begins a failover of payments.
const TRIGGERS: &str = r"
  - name: pager
    on: pagerduty
    start: {operation: failover, to: west}
    when: incident.service.id == 'PF9KMXH'
";

fn paged() -> Drctl {
    let drctl = folder();
    drctl.write("runbooks/payments.yaml", &payments(TRIGGERS));
    drctl.write("new.secret", "new-secret");
    drctl.write("old.secret", "old-secret");
    let text = std::fs::read_to_string(drctl.path("drctl.toml")).unwrap();
    let secret = |name: &str| format!("{{file = \"{}\"}}", drctl.path(name).display());
    let secrets = format!("[{}, {}]", secret("new.secret"), secret("old.secret"));
    drctl.write("drctl.toml", &format!("{text}[webhooks.main]\nkind = \"pagerduty\"\nsecrets = {secrets}\n"));
    drctl
}

/// A delivery of PagerDuty, as of now.
fn delivery(id: &str, kind: &str, incident: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/webhooks/pagerduty-triggered.json");
    let mut body: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    body["event"]["id"] = id.into();
    body["event"]["event_type"] = kind.into();
    body["event"]["data"]["id"] = incident.into();
    let now = drctl::ports::Clock::now(&drctl::runtime::SystemClock::real());
    body["event"]["occurred_at"] = now.to_string().into();
    serde_json::to_vec(&body).unwrap()
}

async fn deliver(server: &Served, id: &str, body: Vec<u8>, secret: &str) -> u16 {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &body);
    let mut signature = String::from("v1=");
    for byte in tag.as_ref() {
        write!(signature, "{byte:02x}").unwrap();
    }
    let request = server.request(Method::POST, "/webhooks/pagerduty/main", "");
    let request = request.header("x-pagerduty-signature", signature).header("x-webhook-id", id);
    answer(request.header("content-type", "application/json").body(body)).await.0.as_u16()
}

/// Waits until there are so many runs of the service, and gives the newest.
async fn newest(server: &Served, count: usize) -> String {
    for _ in 0..600 {
        let (_, page) = server.get("/api/v1/runs?service=payments", EVE).await;
        let runs = page["runs"].as_array().unwrap().clone();
        if runs.len() == count {
            return runs[0]["run"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nothing was staged");
}

#[tokio::test]
async fn each_delivery_gets_the_right_answer_and_one_run_is_staged() {
    let drctl = paged();
    let server = Served::start(&drctl);
    let body = || delivery("e-1", "incident.triggered", "P1");
    let mut found = Vec::new();
    found.push(deliver(&server, "w-1", body(), "wrong").await);
    found.push(deliver(&server, "w-1", body(), "old-secret").await);
    found.push(deliver(&server, "w-1", body(), "new-secret").await); // again
    found.push(deliver(&server, "w-2", body(), "new-secret").await); // another delivery of the same event
    found.push(deliver(&server, "w-3", delivery("e-3", "incident.acknowledged", "P1"), "new-secret").await);
    found.push(deliver(&server, "w-4", delivery("e-4", "pagey.ping", "P1"), "new-secret").await);
    found.push(deliver(&server, "w-5", delivery("e-5", "unheard.of", "P1"), "new-secret").await);
    found.push(deliver(&server, "w-6", vec![b'x'; 2 << 20], "new-secret").await);
    found.push(deliver(&server, "w-7", b"{".to_vec(), "new-secret").await);
    assert_eq!(found, [401, 202, 202, 202, 202, 202, 202, 413, 400]);
    let elsewhere = server.request(Method::POST, "/webhooks/pagerduty/none", "").body("{}");
    assert_eq!(answer(elsewhere).await.0.as_u16(), 404);
    let run = newest(&server, 1).await;
    let view = server.run_until(&run, EVE, |view| view["status"] == "staged").await;
    assert_eq!(view["trigger"], "webhook main");
    assert_eq!(view["notes"]["pagerduty_incident"], "P1");
    let (status, heard) =
        server.post(&format!("/api/v1/runs/{run}/start"), ANN, &serde_json::json!({})).await;
    assert_eq!(status, 200, "{heard}");
    server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
    let (_, page) = server.get("/api/v1/runs?service=payments", EVE).await;
    assert_eq!(page["runs"].as_array().unwrap().len(), 1, "{page}");
}

#[tokio::test]
async fn what_was_answered_with_202_outlives_kill_9() {
    let drctl = paged();
    for round in 0..5 {
        let server = Served::start(&drctl);
        let (id, incident) = (format!("e-{round}"), format!("P{round}"));
        assert_eq!(
            deliver(&server, &id, delivery(&id, "incident.triggered", &incident), "new-secret").await,
            202
        );
        server.kill9();
        let server = Served::start(&drctl);
        let run = newest(&server, round + 1).await;
        let view = server.run_until(&run, EVE, |view| view["status"] == "staged").await;
        assert_eq!(view["notes"]["pagerduty_incident"], incident, "round {round}");
        // A run that is staged keeps others of its service away: it is ended before the next round.
        let abort = serde_json::json!({"reason": "next round"});
        let (status, heard) = server.post(&format!("/api/v1/runs/{run}/abort"), ANN, &abort).await;
        assert_eq!(status, 200, "{heard}");
    }
}

#[tokio::test]
async fn a_staged_run_is_withdrawn_when_its_incident_resolves() {
    let drctl = paged();
    let server = Served::start(&drctl);
    assert_eq!(deliver(&server, "w-1", delivery("e-1", "incident.triggered", "P1"), "new-secret").await, 202);
    let run = newest(&server, 1).await;
    assert_eq!(deliver(&server, "w-2", delivery("e-2", "incident.resolved", "P1"), "new-secret").await, 202);
    let view = server.run_until(&run, EVE, |view| view["status"] == "aborted").await;
    assert_eq!(view["interventions"][0]["by"]["name"], "drctl", "{view:#}");
}
