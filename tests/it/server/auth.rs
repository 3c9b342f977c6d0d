//! Who may do what.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{ADA, ANN, BOB, EVE, OLD, folder, folder_with};
use crate::support::served::{Served, answer};

#[tokio::test]
async fn a_token_opens_what_its_roles_say() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let reason = json!({"reason": "test"});
    let asked = [
        (Method::GET, "/healthz", json!(null), [200, 200, 200, 200, 200, 200]),
        (Method::GET, "/api/v1/runs", json!(null), [401, 401, 401, 200, 200, 200]),
        (Method::POST, "/api/v1/runs/none-abcdefgh/pause", reason.clone(), [401, 401, 401, 403, 403, 404]),
        (Method::POST, "/api/v1/runs/none-abcdefgh/approve", reason, [401, 401, 401, 403, 404, 404]),
        (
            Method::PUT,
            "/api/v1/stop-all",
            json!({"stopped": true, "reason": "test"}),
            [401, 401, 401, 403, 403, 403],
        ),
    ];
    for (method, path, body, expected) in asked {
        let mut found = Vec::new();
        for token in ["", "drctl_nobody", OLD, EVE, BOB, ANN] {
            let request = server.request(method.clone(), path, token);
            let request = if body.is_null() { request } else { request.json(&body) };
            found.push(answer(request).await.0.as_u16());
        }
        assert_eq!(found, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn who_approves_is_on_record_and_is_not_who_started() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let start = json!({"runbook": "asking", "operation": "failover", "reason": "fire"});
    let (status, started) = server.post("/api/v1/runs", ANN, &start).await;
    assert_eq!(status, StatusCode::CREATED, "{started:#}");
    let run = super::id_of(&started);
    server.run_until(&run, ANN, |view| view["status"] == "awaiting_approval").await;
    let approve = format!("/api/v1/runs/{run}/approve");
    let (status, refused) = server.post(&approve, ANN, &json!({})).await;
    assert_eq!((status, &refused["reason"]), (StatusCode::CONFLICT, &json!("refused")), "{refused}");
    let (status, heard) = server.post(&approve, BOB, &json!({"reason": "looks right"})).await;
    assert_eq!((status, &heard["answer"]), (StatusCode::OK, &json!("accepted")), "{heard}");
    let view = server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
    assert_eq!(view["started_by"]["authentication"], "authenticated");
    let (_, page) = server.get(&format!("/api/v1/runs/{run}/events"), EVE).await;
    let text = page["events"].to_string();
    assert!(text.contains("\"name\":\"bob\"") && text.contains("api@127.0.0.1"), "{text}");
    assert!(!text.contains(BOB), "a token is in the journal");
}

#[tokio::test]
async fn who_asks_for_nothing_holds_no_place() {
    let drctl = folder_with("[server]\nmax_connections = 2\n");
    let server = Served::start(&drctl);
    let silent = |first: &[u8]| {
        let mut connection = std::net::TcpStream::connect(server.address()).unwrap();
        connection.write_all(first).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        connection
    };
    // Nothing at all, and how HTTP/2 begins: for neither a time was set that ends.
    let taken = [silent(b""), silent(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")];
    let began = Instant::now();
    let (status, _) = server.get("/api/v1/runs", EVE).await;
    assert_eq!(status, StatusCode::OK, "who waits gets a place");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    for mut connection in taken {
        assert!(connection.read_to_end(&mut Vec::new()).is_ok(), "it was closed");
    }
}

#[tokio::test]
async fn the_tokens_that_are_listed_are_those_that_are_let_in_now() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let text = std::fs::read_to_string(drctl.path("drctl.toml")).unwrap();
    drctl.write("drctl.toml", &text.replace("\"eve\"", "\"mia\""));
    server.hang_up();
    server
        .until(async || {
            let (_, listed) = server.get("/api/v1/tokens", ADA).await;
            let names: Vec<_> =
                listed.as_array().unwrap().iter().map(|entry| entry["name"].clone()).collect();
            names.contains(&"mia".into()) && !names.contains(&"eve".into())
        })
        .await;
}
