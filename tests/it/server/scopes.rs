//! Roles that count for some services only, and people with several tokens.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ANN, ASKING, EVE, folder_with, id_of};
use crate::support::binary::Drctl;
use crate::support::served::{Served, answer};

const PAT: &str = "drctl_pat-does-everything-about-other";
const LEE: &str = "drctl_lee-approves-tier-1";
const KIM: &str = "drctl_kim-approves-asking";
const SAM: &str = "drctl_sam-operates";
const ANN2: &str = "drctl_ann-has-another-token";
const ANNS_PHONE: &str = "drctl_ann-under-another-name";

/// The usual folder, with a further service of tier 1, and people who are responsible for some services.
fn folder() -> Drctl {
    let mut text = String::from("[auth.people]\nann = [\"ann-phone\"]\n");
    for (name, token, roles, scope) in [
        ("pat", PAT, "\"admin\"", "services = [\"oth*\"]"),
        ("lee", LEE, "\"approver\", \"lead\"", "labels = {tier = \"1\"}"),
        ("kim", KIM, "\"approver\"", "services = [\"asking\"]"),
        ("sam", SAM, "\"operator\"", ""),
        ("ann", ANN2, "\"approver\"", ""),
        ("ann-phone", ANNS_PHONE, "\"admin\"", ""),
    ] {
        let sha256 = drctl::journal::record::hex(&drctl::journal::record::digest(token.as_bytes()));
        let entry = format!("name = \"{name}\"\nroles = [{roles}]\nsha256 = \"{sha256}\"\n{scope}\n");
        write!(text, "[[auth.tokens]]\n{entry}").unwrap();
    }
    let drctl = folder_with(&text);
    let other = ASKING.replace("{name: asking}", "{name: other, labels: {tier: \"1\"}}");
    drctl.write("runbooks/other.yaml", &other.replace("quorum: 1", "quorum: 2, roles: [lead, approver]"));
    drctl
}

/// A run that waits for an approval.
async fn waiting(server: &Served, runbook: &str) -> String {
    let start = json!({"runbook": runbook, "operation": "failover", "reason": "fire"});
    let (status, started) = server.post("/api/v1/runs", ANN, &start).await;
    assert_eq!(status, StatusCode::CREATED, "{started:#}");
    let run = id_of(&started);
    server.run_until(&run, EVE, |view| view["status"] == "awaiting_approval").await;
    run
}

async fn approve(server: &Served, run: &str, token: &str) -> (u16, String) {
    let (status, body) = server.post(&format!("/api/v1/runs/{run}/approve"), token, &json!({})).await;
    (status.as_u16(), body["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn who_approves_one_service_cannot_approve_another() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let (asking, other) = (waiting(&server, "asking").await, waiting(&server, "other").await);
    let (status, detail) = approve(&server, &other, KIM).await;
    assert_eq!((status, detail.contains("not for other")), (403, true), "{detail}");
    assert_eq!(approve(&server, &asking, LEE).await.0, 403, "by label");
    assert_eq!(approve(&server, &asking, PAT).await.0, 403, "an admin of another service");
    assert_eq!(approve(&server, &asking, KIM).await.0, 200);
    assert_eq!(approve(&server, &other, LEE).await.0, 200);
    assert_eq!(approve(&server, &other, LEE).await.0, 409, "once");
    // A quorum of two, and an admin has neither of the roles that the step asks for.
    let (status, detail) = approve(&server, &other, PAT).await;
    assert_eq!((status, detail.contains("needs one of the roles")), (409, true), "{detail}");
    for run in [&asking, &other] {
        server.run_until(run, EVE, |view| view["steps"][0]["status"] == "succeeded").await;
    }
    let (_, view) = server.get(&format!("/api/v1/runs/{other}"), KIM).await;
    assert_eq!(view["status"], "awaiting_approval", "who may act for one service may look at all");
}

#[tokio::test]
async fn who_started_does_not_approve_with_another_token_or_name() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let run = waiting(&server, "asking").await;
    for token in [ANN, ANN2, ANNS_PHONE] {
        let (status, detail) = approve(&server, &run, token).await;
        assert_eq!((status, detail.contains("who started")), (409, true), "{token}: {detail}");
    }
    // Nor does the way over the inbox, or another name in the request, lead past it.
    let request = json!({"id": "r-1", "control": {"approve": {"node": null, "consents": {}}}});
    let (status, taken) = server.post(&format!("/api/v1/journal/inbox/{run}"), ANN2, &request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{taken}");
    let refused = async || {
        let (_, page) = server.get(&format!("/api/v1/runs/{run}/events"), EVE).await;
        let events = page["events"].as_array().unwrap();
        let is_ours =
            |event: &&Value| event["type"] == "request_answered" && event["data"].to_string().contains("r-1");
        events.iter().find(is_ours).is_some_and(|event| event.to_string().contains("who started"))
    };
    server.until(refused).await;
    let (_, view) = server.get(&format!("/api/v1/runs/{run}"), EVE).await;
    assert_eq!(view["status"], "awaiting_approval");
}

#[tokio::test]
async fn an_approval_is_not_passed_by_in_another_way() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let run = waiting(&server, "asking").await;
    let node = json!({"node": "after/approval", "reason": "it is late"});
    let left_out = json!({"node": "after/approval", "reason": "it is late", "override": true});
    let inbox = |id: &str, control: Value| json!({"id": id, "reason": "it is late", "control": control});
    let skip = json!({"skip": {"node": "after/approval", "override_safety": true}});
    let done = json!({"done": {"node": "after/approval", "outputs": {}}});
    let (of_run, to_inbox) = (format!("/api/v1/runs/{run}"), format!("/api/v1/journal/inbox/{run}"));
    for (token, path, body, expected) in [
        // Who started it, also with the role of an approver; and an operator who has not that role.
        (ANN, format!("{of_run}/done"), node.clone(), 409),
        (ANN, format!("{of_run}/skip"), node.clone(), 409),
        (ANN, format!("{of_run}/skip"), left_out.clone(), 409),
        (SAM, format!("{of_run}/done"), node, 409),
        (SAM, format!("{of_run}/skip"), left_out.clone(), 403),
        (SAM, to_inbox.clone(), inbox("r-1", skip), 403),
        // Nor may who approves all the same steer the run.
        (LEE, format!("{of_run}/skip"), left_out, 403),
        (ANN, to_inbox, inbox("r-2", done), 202),
    ] {
        let (status, body) = server.post(&path, token, &body).await;
        assert_eq!(status.as_u16(), expected, "{token} {path}: {body}");
    }
    let answered = async || {
        let (_, page) = server.get(&format!("{of_run}/events"), EVE).await;
        let text = page["events"].to_string();
        text.contains("r-2") && text.contains("nobody does it by hand")
    };
    server.until(answered).await;
    let (_, view) = server.get(&of_run, EVE).await;
    assert_eq!(view["status"], "awaiting_approval", "{view:#}");
    assert_eq!(approve(&server, &run, KIM).await.0, 200);
    server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
}

/// For the services it counts for the same role does.
async fn for_its_own(server: &Served, other: &str) {
    let finding = json!({"text": "slow", "owner": "pat", "due": "2099-01-01"});
    for (method, path, body, expected) in [
        (
            Method::PUT,
            "/api/v1/services/other/record".to_owned(),
            json!({"site": "east", "reason": "x"}),
            200,
        ),
        (Method::POST, format!("/api/v1/runs/{other}/findings"), finding, 201),
        (Method::POST, format!("/api/v1/runs/{other}/findings/1/close"), json!({"reason": "x"}), 200),
        (Method::POST, "/api/v1/checks".to_owned(), json!({"runbook": "other", "simulate": {}}), 201),
    ] {
        let (status, body) = answer(server.request(method, &path, PAT).json(&body)).await;
        assert_eq!(status.as_u16(), expected, "{path}: {body}");
    }
}

#[tokio::test]
async fn nothing_is_done_to_a_service_by_who_answers_for_another() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let run = waiting(&server, "asking").await;
    let start = json!({"runbook": "asking", "operation": "failover", "reason": "fire"});
    let (reason, node) = (json!({"reason": "x"}), json!({"node": "after", "reason": "x"}));
    let asked = [
        ("post /api/v1/runs", start.clone()),
        ("post /api/v1/drills", json!({"runbook": "asking"})),
        ("post /api/v1/drills/{run}/promote", reason.clone()),
        ("post /api/v1/checks", json!({"runbook": "asking"})),
        ("post /api/v1/runs/{run}/findings", json!({"text": "slow", "owner": "pat", "due": "2099-01-01"})),
        ("post /api/v1/runs/{run}/findings/{finding}/close", reason.clone()),
        ("post /api/v1/journal/verify", json!({})),
        ("put /api/v1/stop-all", json!({"stopped": true, "reason": "x"})),
        ("put /api/v1/services/{service}/record", json!({"site": "west", "reason": "x"})),
        ("post /api/v1/journal/inbox/{run}", json!({"id": "r-1", "control": "pause"})),
        ("post /api/v1/runs/{run}/start", reason.clone()),
        ("post /api/v1/runs/{run}/pause", reason.clone()),
        ("post /api/v1/runs/{run}/resume", reason.clone()),
        ("post /api/v1/runs/{run}/abort", reason.clone()),
        ("post /api/v1/runs/{run}/unwind", reason.clone()),
        ("post /api/v1/runs/{run}/mode", json!({"mode": "ungraceful", "reason": "x"})),
        ("post /api/v1/runs/{run}/retry", node.clone()),
        ("post /api/v1/runs/{run}/skip", node.clone()),
        ("post /api/v1/runs/{run}/done", node),
        ("post /api/v1/runs/{run}/approve", json!({})),
        ("post /api/v1/runs/{run}/deny", json!({})),
        ("post /api/v1/runs/{run}/attest", json!({"passed": true})),
    ];
    for (what, body) in &asked {
        let (method, path) = what.split_once(' ').unwrap();
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let request = server
            .request(
                method,
                &path.replace("{run}", &run).replace("{service}", "asking").replace("{finding}", "1"),
                PAT,
            )
            .json(body);
        let (status, problem) = answer(request).await;
        assert_eq!((status.as_u16(), &problem["reason"]), (403, &json!("not_allowed")), "{what}: {problem}");
    }
    // Whatever else changes something has to be named above. These only look, whatever their method.
    let (_, document) = server.get("/openapi.json", "").await;
    let look = [
        "post /api/v1/runbooks/{name}/plan",
        "post /api/v1/runbooks/{name}/forecast",
        "post /api/v1/validate",
    ];
    let known: BTreeSet<&str> = asked.iter().map(|(what, _)| *what).chain(look).collect();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let what = format!("{method} {path}");
            let open = method == "get" || path.starts_with("/webhooks/");
            assert!(open || known.contains(what.as_str()), "{what} is not tried with a limited role");
        }
    }
    let start = json!({"runbook": "other", "operation": "failover", "reason": "fire"});
    let (status, started) = server.post("/api/v1/runs", PAT, &start).await;
    assert_eq!(status, StatusCode::CREATED, "{started}");
    for_its_own(&server, &id_of(&started)).await;
    assert_eq!(started["run"]["started_by"]["roles"], json!(["admin"]));
    let (_, view) = server.get(&format!("/api/v1/runs/{run}"), EVE).await;
    assert_eq!(view["status"], Value::from("awaiting_approval"), "nothing was done");
}

#[tokio::test]
async fn nobody_takes_the_key_of_a_run_that_drctl_will_start() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let body = json!({"runbook": "other", "operation": "failover", "simulate": {}});
    for (key, expected) in [("trigger/asking/42", 400), ("schedule/asking/x", 400), ("triggers-1", 201)] {
        let request = server.request(Method::POST, "/api/v1/runs", PAT).header("idempotency-key", key);
        let (status, said) = answer(request.json(&body)).await;
        assert_eq!(status.as_u16(), expected, "{key}: {said}");
    }
}

#[tokio::test]
async fn a_limited_token_says_for_what() {
    let drctl = Drctl::new();
    let made = drctl.run_words(&[
        "token",
        "create",
        "--name",
        "kim",
        "--role",
        "approver",
        "--service",
        "pay-*",
        "--label",
        "tier=1",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let entry = made.stderr.split_once("[[auth.tokens]]").unwrap().1;
    drctl.write("drctl.toml", &format!("[[auth.tokens]]{entry}"));
    assert!(
        entry.contains("services = [\"pay-*\"]") && entry.contains("labels = {\"tier\" = \"1\"}"),
        "{entry}"
    );
    let server = Served::start(&drctl);
    let (status, _) = server.get("/api/v1/runs", made.stdout.trim()).await;
    assert_eq!(status, StatusCode::OK, "the entry can be used");
    let refused = drctl.run("token create --name kim --role viewer --service pay");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}
