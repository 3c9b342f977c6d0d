//! A real run that is begun over HTTP while a drill holds its service.

use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Client;
use super::{ANN, EVE, folder, id_of};
use crate::cli::drill::{GROW, HELD};
use crate::support::binary::Drctl;
use crate::support::served::{Served, answer};

/// A folder in which a drill has grown the standby and waits for a person.
async fn held() -> (Drctl, Served, String) {
    let drctl = folder();
    drctl.write("runbooks/pay.yaml", HELD);
    drctl.write_program("grow", GROW);
    let server = Served::start(&drctl);
    let wanted = json!({"runbook": "pay", "reason": "quarterly"});
    let (status, begun) = server.post("/api/v1/drills", ANN, &wanted).await;
    assert_eq!(status, 201, "{begun:#}");
    let drill = id_of(&begun);
    server.run_until(&drill, EVE, |_| drctl.path("broken").exists()).await;
    server.run_until(&drill, EVE, |view| view["status"] == "awaiting_approval").await;
    (drctl, server, drill)
}

fn outage(staged: bool) -> Value {
    json!({"runbook": "pay", "operation": "failover", "reason": "outage", "stage": staged,
           "consents": {"confirm": "pay:west", "accept_unmeasured_loss": true, "accept_unfenced": true}})
}

/// The drill gave way: its fault is taken back, and what the real run needs stands.
async fn assert_taken_over(drctl: &Drctl, server: &Served, drill: &str, real: &str) {
    let over = |view: &Value| view["status"].as_str().unwrap().starts_with("succeeded");
    let view = server.run_until(real, EVE, over).await;
    let grow = view["steps"].as_array().unwrap().iter().find(|step| step["id"] == "grow").unwrap();
    assert_eq!(grow["adopted"], true, "{grow:#}");
    server.run_until(drill, EVE, |view| view["status"] == "aborted").await;
    let kept = (drctl.path("grown").exists(), drctl.path("broken").exists(), drctl.path("shifted").exists());
    assert_eq!(kept, (true, false, true));
}

#[tokio::test]
async fn a_real_run_interrupts_the_drill() {
    let (drctl, server, drill) = held().await;
    let (status, begun) = server.post("/api/v1/runs", ANN, &outage(false)).await;
    assert_eq!(status, 201, "{begun:#}");
    assert_taken_over(&drctl, &server, &drill, &id_of(&begun)).await;
}

#[tokio::test]
async fn a_staged_run_lets_the_drill_be_until_it_is_started() {
    let (drctl, server, drill) = held().await;
    let (status, begun) = server.post("/api/v1/runs", ANN, &outage(true)).await;
    assert_eq!(status, 201, "{begun:#}");
    let real = id_of(&begun);
    let (_, view) = server.get(&format!("/api/v1/runs/{drill}"), EVE).await;
    assert_eq!(view["status"], "awaiting_approval", "{view:#}");
    let (status, heard) = server.post(&format!("/api/v1/runs/{real}/start"), ANN, &json!({})).await;
    assert_eq!(status, 200, "{heard:#}");
    assert!(heard["notes"].to_string().contains("interrupting drill"), "{heard:#}");
    assert_taken_over(&drctl, &server, &drill, &real).await;
}

#[tokio::test]
async fn a_drill_is_promoted_from_elsewhere() {
    let (drctl, server, drill) = held().await;
    let client = Client::of(&server);
    assert_eq!(client.run(EVE, &format!("drill promote {drill} --reason outage")).code, 7);
    let consents = "--confirm pay:west --accept-loss unmeasured --accept-unfenced";
    let promoted = client.run(ANN, &format!("drill promote {drill} --reason outage {consents} -o json"));
    assert_eq!(promoted.code, 0, "{}", promoted.stderr);
    let view: Value = serde_json::from_str(&promoted.stdout).unwrap();
    assert_eq!((&view["intent"], &view["started_by"]["name"]), (&json!("real"), &json!("ann")), "{view:#}");
    let real = view["id"].as_str().unwrap();
    assert_taken_over(&drctl, &server, &drill, real).await;
    for (run, code, says) in [(drill.as_str(), 7, "was made real before: pay-"), (real, 2, "is no drill")] {
        let refused = client.run(ANN, &format!("drill promote {run} --reason outage"));
        assert!(refused.code == code && refused.stderr.contains(says), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn a_promotion_that_is_sent_twice_is_one() {
    let (drctl, server, drill) = held().await;
    let body = json!({"reason": "outage", "consents": outage(false)["consents"]});
    let mut ids = Vec::new();
    for expected in [201, 200] {
        let request = server.request(Method::POST, &format!("/api/v1/drills/{drill}/promote"), ANN);
        let (status, begun) = answer(request.header("idempotency-key", "incident-7").json(&body)).await;
        assert_eq!(status.as_u16(), expected, "{begun:#}");
        ids.push(id_of(&begun));
    }
    assert_eq!(ids[0], ids[1]);
    assert_taken_over(&drctl, &server, &drill, &ids[0]).await;
}
