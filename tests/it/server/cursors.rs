//! Where pages and streams go on: what no page before can have given is refused, and nothing is passed over.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{ANN, EVE, folder, id_of, simulated};
use crate::support::served::Served;

/// Status, reason and help of an answer that is a problem.
async fn refused(request: reqwest::RequestBuilder) -> (u16, String, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/problem+json", "{status}");
    let problem: Value = response.json().await.unwrap();
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (status, text("reason"), text("help"))
}

#[tokio::test]
async fn what_no_page_has_given_is_refused() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let (_, started) = server.post("/api/v1/runs", ANN, &simulated(0)).await;
    let run = id_of(&started);
    server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
    let (_, page) = server.get(&format!("/api/v1/runs/{run}/events"), EVE).await;
    let last = page["events"].as_array().unwrap().len();
    let events = format!("/api/v1/runs/{run}/events");
    for path in [
        "/api/v1/runs?cursor=slow-aaaaaaaa".to_owned(),
        "/api/v1/runs?simulated=true&cursor=other-aaaaaaaa".to_owned(),
        format!("{events}?after={}", last + 1),
        format!("{events}?after={}", u64::MAX),
        "/api/v1/journal/records?after=999999".to_owned(),
        format!("/api/v1/journal/records?stream=run/{run}&after={}", last + 1),
        "/api/v1/journal/records?stream=run/other-aaaaaaaa&after=1".to_owned(),
        "/api/v1/shelf?after=3".to_owned(),
    ] {
        let (status, reason, help) = refused(server.request(Method::GET, &path, EVE)).await;
        assert_eq!((status, reason.as_str()), (400, "invalid_cursor"), "{path}");
        assert!(!help.is_empty(), "{path}");
    }
    // What cannot even be one.
    for path in ["/api/v1/runs?cursor=%20", "/api/v1/runs?cursor=", "/api/v1/shelf?after=x"] {
        let (status, reason, _) = refused(server.request(Method::GET, path, EVE)).await;
        assert_eq!((status, reason.as_str()), (400, "invalid_query"), "{path}");
    }
    let too_far = (last + 1).to_string();
    for id in ["", "none", "-1", "1.5", "18446744073709551616", &too_far] {
        let request = server.request(Method::GET, &events, EVE).header("last-event-id", id);
        let (status, reason, help) = refused(request.header("accept", "text/event-stream")).await;
        assert_eq!((status, reason.as_str()), (400, "invalid_cursor"), "{id}");
        assert!(!help.is_empty(), "{id}");
    }
    // The end is no fault: there only is nothing yet.
    for path in [format!("{events}?after={last}"), "/api/v1/shelf?after=2".to_owned()] {
        assert_eq!(server.get(&path, EVE).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_run_that_ended_between_two_pages_hides_none() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let mut runs = Vec::new();
    for _ in 0..3 {
        // One after the other: the list is in the order of their beginnings.
        let (_, started) = server.post("/api/v1/runs", ANN, &simulated(1)).await;
        runs.push(id_of(&started));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let open = "/api/v1/runs?simulated=true&open=true&limit=1";
    let (_, first) = server.get(open, EVE).await;
    assert_eq!(first["next"], runs[2].as_str(), "{first}");
    let abort = serde_json::json!({"reason": "enough"});
    server.post(&format!("/api/v1/runs/{}/abort", runs[2]), ANN, &abort).await;
    server.run_until(&runs[2], EVE, |view| view["status"] == "aborted").await;
    let (_, second) = server.get(&format!("{open}&cursor={}", runs[2]), EVE).await;
    assert_eq!(second["runs"][0]["run"], runs[1].as_str(), "{second}");
}
