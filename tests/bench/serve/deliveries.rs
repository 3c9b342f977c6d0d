//! Deliveries of a webhook that arrive together: how long each waits for its 202, which says that it is in
//! the journal.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ring::hmac;
use serde_json::{Value, json};

use super::{Served, spread};
use crate::floor;
use crate::shapes::{ms, round};

const AT_ONCE: usize = 50;
const ROUNDS: usize = 10;

const RUNBOOK: &str = "\
apiVersion: drctl/v1
kind: Runbook
metadata: {name: payments}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: go, uses: command.run, with: {argv: [/bin/true], idempotent: true}, drill: skip}
triggers:
  - {name: pager, on: pagerduty, start: {operation: failover, to: west}, when: \"incident.service.id == 'PF9KMXH'\"}
";

/// 50 deliveries at once, ten times over, each on a connection of its own.
pub(crate) async fn deliveries(folder: &Path) -> Value {
    let folder = folder.join("deliveries");
    std::fs::create_dir_all(folder.join("runbooks")).unwrap();
    std::fs::write(folder.join("runbooks/payments.yaml"), RUNBOOK).unwrap();
    std::fs::write(folder.join("secret"), "bench").unwrap();
    let secrets = format!("[{{file = \"{}\"}}]", folder.join("secret").display());
    let more = format!("[webhooks.main]\nkind = \"pagerduty\"\nsecrets = {secrets}\n");
    let server = Arc::new(Served::start(&folder, &more, false));
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/webhooks/pagerduty-triggered.json");
    let fixture: Value = serde_json::from_slice(&std::fs::read(fixture).unwrap()).unwrap();
    let mut times = Vec::new();
    for burst in 0..ROUNDS {
        let mut sent = tokio::task::JoinSet::new();
        for one in 0..AT_ONCE {
            let (server, body) = (Arc::clone(&server), body(&fixture, burst * AT_ONCE + one));
            sent.spawn(async move { deliver(&server, &body, &format!("w-{burst}-{one}")).await });
        }
        times.extend(sent.join_all().await);
    }
    let kept = server.get("/api/v1/journal/records?stream=webhook/main&limit=1000").await;
    json!({
        "at_once": AT_ONCE, "deliveries": times.len(), "answers": spread(times),
        "kept": kept["records"].as_array().map(Vec::len), "sqlite_commit_ms": round(floor::commit_ms(&folder)),
        "peak_memory_mib": server.memory_mib("VmHWM:"), "processor_s": server.processor_s(),
    })
}

async fn deliver(server: &Served, body: &[u8], id: &str) -> f64 {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"bench"), body);
    let mut signature = String::from("v1=");
    tag.as_ref().iter().for_each(|byte| write!(signature, "{byte:02x}").unwrap());
    let request = server.client.post(format!("{}/webhooks/pagerduty/main", server.base));
    let request = request.header("x-pagerduty-signature", signature).header("x-webhook-id", id);
    let request = request.header("content-type", "application/json").body(body.to_vec());
    let start = Instant::now();
    let answered = request.send().await.unwrap();
    assert_eq!(answered.status().as_u16(), 202);
    ms(start)
}

fn body(fixture: &Value, number: usize) -> Vec<u8> {
    let mut body = fixture.clone();
    body["event"]["id"] = format!("E{number:08}").into();
    body["event"]["data"]["id"] = format!("I{number:08}").into();
    body["event"]["occurred_at"] = jiff::Timestamp::now().to_string().into();
    serde_json::to_vec(&body).unwrap()
}
