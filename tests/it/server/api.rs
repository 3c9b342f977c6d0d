//! What is answered to right and to wrong requests.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ANN, EVE, folder, id_of, simulated};
use crate::support::served::{Served, answer};

#[tokio::test]
async fn the_same_key_starts_a_run_once() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let start = || {
        let request = server.request(Method::POST, "/api/v1/runs", ANN).json(&simulated(0));
        answer(request.header("idempotency-key", "incident-7"))
    };
    let ((first, one), (second, other)) = (start().await, start().await);
    assert_eq!((first, second), (StatusCode::CREATED, StatusCode::OK), "{one:#} {other:#}");
    assert_eq!(id_of(&one), id_of(&other));
    let view = server.run_until(&id_of(&one), EVE, |view| view["status"] == "succeeded").await;
    assert_eq!(view["trigger"], "api");
    let (_, page) = server.get("/api/v1/runs?simulated=true", EVE).await;
    assert_eq!(page["runs"].as_array().unwrap().len(), 1);
    assert_eq!(page["next"], Value::Null);
}

#[tokio::test]
async fn pages_of_runs_hold_each_of_them_once() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let mut started = Vec::new();
    for _ in 0..7 {
        let (status, run) = server.post("/api/v1/runs", ANN, &simulated(0)).await;
        assert_eq!(status, StatusCode::CREATED);
        started.push(id_of(&run));
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..4 {
        let (_, page) = server.get(&format!("/api/v1/runs?simulated=true&limit=2{cursor}"), EVE).await;
        found.extend(
            page["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    started.sort();
    found.sort();
    assert_eq!(found, started);
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong_with_them() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let start = |body: Value| (Method::POST, "/api/v1/runs", body.to_string());
    let get = |path: &'static str| (Method::GET, path, String::new());
    let large = format!("{{\"text\": \"{}\"}}", "x".repeat(2 << 20));
    let asked = [
        (get("/nowhere"), 404, "unknown_path"),
        ((Method::DELETE, "/api/v1/runs", String::new()), 405, "unknown_method"),
        (get("/api/v1/runs/none"), 404, "unknown_run"),
        (get("/api/v1/runs?limit=0"), 400, "invalid_query"),
        (get("/api/v1/runs?colour=red"), 400, "invalid_query"),
        (get("/api/v1/services/none"), 404, "unknown_service"),
        (get("/api/v1/journal/blobs/..%2F..%2Fetc"), 404, "unknown_blob"),
        (get("/api/v1/runbooks/..%2Fdrctl.toml"), 404, "unknown_runbook"),
        ((Method::POST, "/api/v1/runs", "{".to_owned()), 400, "invalid_body"),
        ((Method::POST, "/api/v1/validate", large), 413, "invalid_body"),
        (start(json!({"runbook": "slow"})), 422, "invalid_body"),
        (start(json!({"runbook": "slow", "operation": "failover", "colour": 1})), 422, "invalid_body"),
        (start(json!({"runbook": "none", "operation": "failover", "simulate": {}})), 404, "unknown_runbook"),
        (
            start(json!({"runbook": "slow", "operation": "failover", "simulate": {}, "to": "mars"})),
            422,
            "invalid_plan",
        ),
    ];
    for ((method, path, body), status, reason) in asked {
        let request = server.request(method.clone(), path, ANN);
        let request = if body.is_empty() {
            request
        } else {
            request.header("content-type", "application/json").body(body)
        };
        let response = request.send().await.unwrap();
        let (found, kind) = (response.status().as_u16(), response.headers()["content-type"].clone());
        let problem: Value = response.json().await.unwrap();
        assert_eq!((found, problem["reason"].as_str()), (status, Some(reason)), "{method} {path}: {problem}");
        assert_eq!(kind, "application/problem+json");
        assert_eq!(problem["status"], status);
    }
    let (status, problem) =
        server.post("/api/v1/runs", ANN, &json!({"runbook": "slow", "operation": "failover"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("needs a reason"), "{problem}");
}

#[tokio::test]
async fn runbooks_are_shown_checked_and_planned() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let (_, list) = server.get("/api/v1/runbooks", EVE).await;
    let names: Vec<_> =
        list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["asking", "slow"]);
    let (_, shown) = server.get("/api/v1/runbooks/asking", EVE).await;
    assert_eq!(shown["text"], super::ASKING);
    let (status, planned) =
        server.post("/api/v1/runbooks/slow/plan", EVE, &json!({"operation": "failover"})).await;
    assert_eq!(status, StatusCode::OK, "{planned}");
    assert_eq!(planned["plan"]["operation"], "failover");
    let (_, checked) = server.post("/api/v1/validate", EVE, &json!({"text": "kind: Runbook\n"})).await;
    assert_eq!(checked["sound"], false);
    assert!(checked["findings"][0]["code"].as_str().unwrap().starts_with("DR"), "{checked}");
    // What compiles and cannot be planned is as wrong here as it is for `drctl validate`.
    let waits = |time: &str| {
        let step = format!("{{id: rest, uses: wait.for, with: {{duration: \"{time}\"}}}}");
        let head = super::ASKING.split("      - {id: before").next().unwrap();
        json!({"text": format!("{head}      - {step}\n")})
    };
    for (time, sound) in [("1s", true), ("{{ to.name }}", false)] {
        let (_, checked) = server.post("/api/v1/validate", EVE, &waits(time)).await;
        assert_eq!(checked["sound"], sound, "{checked}");
        let codes: Vec<_> = checked["findings"].as_array().unwrap().iter().map(|it| &it["code"]).collect();
        assert_eq!(codes.iter().any(|code| **code == "DR0208"), !sound, "{checked}");
    }
}

#[tokio::test]
async fn metrics_are_shown_to_prometheus() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let (_, run) = server.post("/api/v1/runs", ANN, &simulated(0)).await;
    server.run_until(&id_of(&run), EVE, |view| view["status"] == "succeeded").await;
    let response = server.request(Method::GET, "/metrics", "").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    assert!(text.contains("# TYPE drctl_journal_append_duration_seconds histogram"), "{text}");
}
