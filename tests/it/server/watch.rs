//! What a server sees of services between runs: how far their data reaches, and how ready they are.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ANN, EVE, folder, id_of};
use crate::support::binary::Drctl;
use crate::support::postgres::PostgresAlone;
use crate::support::served::{Served, answer};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
const ROOT: &str = "drctl_root-administers";

/// A service whose recovery point is a heartbeat in a database, and whose steps do nothing.
fn watched(database: &str) -> String {
    format!(
        "apiVersion: drctl/v1
kind: Runbook
metadata: {{name: watched}}
sites:
  east: {{role: active}}
  west: {{role: standby}}
objectives: {{rpo: 1h}}
recovery_point:
  - {{uses: postgres.heartbeat, with: {{connection: \"{database} connect_timeout=2\"}}}}
workflows:
  failover:
    steps:
      - {{id: shift, phase: shift, uses: command.run, with: {{argv: [/bin/true]}}, drill: skip}}
      - {{id: check, phase: validate, uses: command.run, with: {{argv: [/bin/true]}}, drill: skip}}
"
    )
}

fn with_admin(drctl: &Drctl, section: &str) {
    let text = std::fs::read_to_string(drctl.path("drctl.toml")).unwrap();
    let sha256 = drctl::journal::record::hex(&drctl::journal::record::digest(ROOT.as_bytes()));
    let mut text = format!("{section}{text}");
    write!(text, "[[auth.tokens]]\nname = \"root\"\nroles = [\"admin\"]\nsha256 = \"{sha256}\"\n").unwrap();
    drctl.write("drctl.toml", &text);
}

const QUICK: &str = "[server]\nreadings_every = \"200ms\"\nreadiness_every = \"200ms\"\n";

/// Waits until an answer is as wanted.
async fn until(server: &Served, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (status, found) = server.get(path, EVE).await;
        assert_eq!(status, StatusCode::OK, "{found:#}");
        if is(&found) {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "{found:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The samples of a metric.
async fn samples(server: &Served, name: &str) -> Vec<String> {
    let answered = server.request(Method::GET, "/metrics", "").send().await.unwrap().text().await.unwrap();
    answered.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_last_reading_is_known_when_the_source_is_gone_and_a_run_says_so() {
    let database = PostgresAlone::start();
    let db = &database.server;
    let drctl = folder();
    drctl.write("runbooks/watched.yaml", &watched(&db.connection()));
    with_admin(&drctl, QUICK);
    let server = Served::start(&drctl);
    let path = "/api/v1/services/watched/status";
    // Without the table nothing can be read: that is no lag of none.
    let found = until(&server, path, |line| line["recovery_point"]["silent"].is_object()).await;
    assert_eq!(
        (&found["recovery_point"]["lag_ms"], &found["recovery_point"]["at"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(
        samples(&server, "drctl_recovery_point_readable{").await,
        ["drctl_recovery_point_readable{service=\"watched\"} 0"]
    );
    assert!(samples(&server, "drctl_recovery_point_lag_seconds{").await.is_empty());
    // The row as `task: beat` writes it.
    db.run("create table drctl_heartbeat (id int primary key, beat_at timestamptz not null)").await;
    db.run("insert into drctl_heartbeat values (1, clock_timestamp())").await;
    let found = until(&server, path, |line| line["recovery_point"]["lag_ms"].is_u64()).await;
    let point = &found["recovery_point"];
    assert!(point["lag_ms"].as_u64().unwrap() < 3_600_000 && point["silent"].is_null(), "{found:#}");
    assert_eq!(point["sources"], json!(["postgres.heartbeat"]));
    assert_eq!(
        samples(&server, "drctl_recovery_point_lag_seconds{service=\"watched\",point=\"watched\"}")
            .await
            .len(),
        1
    );
    db.stop();
    let found = until(&server, path, |line| line["recovery_point"]["silent"].is_object()).await;
    let (last, silent) = (&found["recovery_point"], &found["recovery_point"]["silent"]);
    assert!(
        last["at"].is_string() && silent["why"].as_str().unwrap().contains("postgres.heartbeat"),
        "{found:#}"
    );
    assert!(samples(&server, "drctl_recovery_point_lag_seconds{").await.is_empty(), "an old lag is none");
    // What the server knows is in the journal a moment later.
    let path = "/api/v1/journal/records?stream=readings";
    let kept = |records: &Value| {
        let newest = records["records"].as_array().and_then(|records| records.last()?["body"].as_str());
        newest.is_some_and(|body| {
            body.contains("\"change\":\"silent\"") && body.contains(last["at"].as_str().unwrap())
        })
    };
    until(&server, path, kept).await;
    // Another process knows it from the journal, also after the server is gone.
    server.kill9();
    let shown = drctl.run("status watched -o json");
    let lines: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(lines[0]["recovery_point"]["at"], last["at"], "{lines:#}");
    assert_eq!(lines[0]["recovery_point"]["silent"]["since"], silent["since"], "{lines:#}");
    // And so does a run that can read nothing itself.
    let server = Served::start(&drctl);
    let start = json!({"runbook": "watched", "operation": "failover", "reason": "east is gone"});
    let (status, started) = server.post("/api/v1/runs", ANN, &start).await;
    assert_eq!(status, StatusCode::CREATED, "{started:#}");
    let view = server.run_until(&id_of(&started), EVE, |view| view["clock"]["ended_at"].is_string()).await;
    let rpo = &view["rpo"];
    assert_eq!(
        (&rpo["readings"][0]["when"], &rpo["readings"][0]["at"]),
        (&json!("before-the-run"), &last["at"])
    );
    assert_eq!((&rpo["by_earlier"], rpo["readings"].as_array().unwrap().len()), (&json!(true), 1), "{rpo:#}");
    assert!(rpo["data_loss_ms"].as_u64().unwrap() > 0, "{rpo:#}");
    let (_, report) = server.get(&format!("/api/v1/runs/{}/report", id_of(&started)), EVE).await;
    assert!(report["marks"].to_string().contains("readings from before the run"), "{:#}", report["marks"]);
}

#[tokio::test]
async fn readiness_is_measured_and_its_changes_are_kept() {
    let drctl = folder();
    with_admin(&drctl, QUICK);
    let server = Served::start(&drctl);
    let end = tokio::time::Instant::now() + PATIENCE;
    let ready = "drctl_service_readiness{service=\"asking\",readiness=\"needs_drill\"} 1";
    while !samples(&server, "drctl_service_readiness{").await.iter().any(|line| line == ready) {
        assert!(tokio::time::Instant::now() < end, "{:?}", samples(&server, "drctl_service").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(samples(&server, "drctl_stop_switch_on").await, ["drctl_stop_switch_on 0"]);
    let stop = json!({"stopped": true, "reason": "a storm"});
    let (status, turned) = answer(server.request(Method::PUT, "/api/v1/stop-all", ROOT).json(&stop)).await;
    assert_eq!((status, &turned["stopped"]), (StatusCode::OK, &json!(true)));
    // A staged run waits for a person.
    let start = json!({"runbook": "asking", "operation": "failover", "reason": "x", "stage": true});
    let (status, started) = server.post("/api/v1/runs", ANN, &start).await;
    assert_eq!(status, StatusCode::CREATED, "{started:#}");
    let path = "/api/v1/journal/records?stream=readiness/asking";
    let records =
        until(&server, path, |records| records["records"].as_array().is_some_and(|it| it.len() >= 2)).await;
    let told: Vec<Value> = records["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| serde_json::from_str(record["body"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!((&told[0]["from"], &told[0]["to"]), (&json!(null), &json!("needs_drill")));
    assert_eq!((&told[1]["from"], &told[1]["to"]), (&json!("needs_drill"), &json!("action_required")));
    assert_eq!(told[1]["reasons"][0]["code"], "needs_person");
    assert_eq!(samples(&server, "drctl_stop_switch_on").await, ["drctl_stop_switch_on 1"]);
    let text = drctl.run("status");
    assert!(
        text.stderr.contains("stopped by root: triggers and schedules start nothing: a storm"),
        "{}",
        text.stderr
    );
}

#[tokio::test]
async fn the_api_tells_what_the_command_line_tells() {
    let drctl = folder();
    with_admin(&drctl, "");
    let server = Served::start(&drctl);
    let (_, all) = server.get("/api/v1/status", EVE).await;
    let names: Vec<_> =
        all.as_array().unwrap().iter().map(|line| line["service"].as_str().unwrap()).collect();
    assert_eq!(names, ["asking", "slow"]);
    let shown: Value = serde_json::from_str(&drctl.run("status -o json").stdout).unwrap();
    assert_eq!(all, shown);
    let (status, none) = server.get("/api/v1/services/nobody/status", EVE).await;
    assert_eq!((status, &none["reason"]), (StatusCode::NOT_FOUND, &json!("unknown_service")));
    let (status, covered) = server.get("/api/v1/runbooks/slow/coverage?days=30", EVE).await;
    assert_eq!(
        (status, &covered["percent"], &covered["steps_total"]),
        (StatusCode::OK, &json!(0), &json!(12))
    );
    let (status, refused) = server.get("/api/v1/runbooks/slow/coverage?days=0", EVE).await;
    assert_eq!((status, &refused["reason"]), (StatusCode::BAD_REQUEST, &json!("invalid_query")));
    let ask = json!({"operation": "failover", "runs": 200, "seed": 7});
    let (status, forecast) = server.post("/api/v1/runbooks/slow/forecast", EVE, &ask).await;
    assert_eq!(status, StatusCode::OK, "{forecast:#}");
    let printed = drctl.run("simulate slow --runs 200 --seed 7 -o json");
    assert_eq!(forecast, serde_json::from_str::<Value>(&printed.stdout).unwrap(), "{}", printed.stderr);
    for (body, reason) in [
        (json!({"operation": "failover", "runs": 10_001}), "too_much"),
        (json!({"operation": "failover", "runs": 0}), "too_much"),
        (json!({"operation": "failover", "scenarios": ["nonsense"]}), "invalid_scenario"),
    ] {
        let (status, refused) = server.post("/api/v1/runbooks/slow/forecast", EVE, &body).await;
        assert_eq!((status.as_u16(), refused["reason"].as_str()), (422, Some(reason)), "{refused:#}");
    }
}

#[tokio::test]
async fn a_fleet_is_forecast_as_the_command_line_does_it() {
    let drctl = folder();
    let fleet = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: both}\nobjectives: {rto: 1h}\n\
                 members:\n  - {runbook: slow}\n  - {runbook: asking, needs: [slow]}\n";
    drctl.write("runbooks/both.yaml", fleet);
    let server = Served::start(&drctl);
    let scenario = "apiVersion: drctl/v1\nkind: Scenario\nmetadata: {name: bad-night}\nrules:\n  \
                    - {match: {action: \"command.run\"}, fail: permanent, probability: 40%}\n";
    drctl.write("bad-night.yaml", scenario);
    let path = "/api/v1/runbooks/both/forecast";
    let ask = json!({"operation": "failover", "runs": 200, "seed": 7, "scenarios": [scenario]});
    let (status, forecast) = server.post(path, EVE, &ask).await;
    assert_eq!(status, StatusCode::OK, "{forecast:#}");
    let printed = drctl.run("simulate both --scenario bad-night.yaml --runs 200 --seed 7 -o json");
    let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(forecast, printed);
    let troubled = forecast["scenarios"][0]["incomplete"]["probability"].as_f64();
    assert!(troubled.is_some_and(|share| share > 0.1), "{forecast:#}");
    let page = server.request(Method::POST, path, EVE);
    let page = page.json(&json!({"operation": "failover", "runs": 20, "html": true})).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("<th>Member</th>"));
    let ask = json!({"operation": "failover", "scenarios": ["nonsense"]});
    let (status, refused) = server.post(path, EVE, &ask).await;
    assert_eq!((status.as_u16(), refused["reason"].as_str()), (422, Some("invalid_scenario")), "{refused:#}");
}

#[tokio::test]
async fn records_are_corrected_and_tokens_listed_by_those_who_administer() {
    let drctl = folder();
    with_admin(&drctl, "");
    let server = Served::start(&drctl);
    let path = "/api/v1/services/asking/record";
    let put = |token: &'static str, body: Value| answer(server.request(Method::PUT, path, token).json(&body));
    assert_eq!(put(ANN, json!({"site": "west", "reason": "x"})).await.0, StatusCode::FORBIDDEN);
    let (status, set) = put(ROOT, json!({"site": "west", "reason": "moved by hand"})).await;
    assert_eq!((status, &set["record"]["active"]), (StatusCode::OK, &json!("west")), "{set:#}");
    for (body, reason) in [
        (json!({"site": "north", "reason": "x"}), "usage"),
        (json!({"site": "west", "reprotected": "east", "reason": "x"}), "invalid_body"),
        (json!({"reprotected": "east", "reason": "x"}), "not_quarantined"),
        (json!({"site": "west", "reason": " "}), "usage"),
    ] {
        let (status, refused) = put(ROOT, body).await;
        assert!(status.is_client_error(), "{refused:#}");
        assert!(reason == "usage" || refused["reason"] == reason, "{refused:#}");
    }
    assert_eq!(server.get("/api/v1/tokens", EVE).await.0, StatusCode::FORBIDDEN);
    let (_, tokens) = server.get("/api/v1/tokens", ROOT).await;
    let old = tokens.as_array().unwrap().iter().find(|token| token["name"] == "old").unwrap();
    assert_eq!((&old["expired"], old.get("sha256")), (&json!(true), None));
}

#[tokio::test]
async fn a_report_is_a_page_that_loads_nothing() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let (_, started) = server.post("/api/v1/runs", ANN, &super::simulated(0)).await;
    let run = id_of(&started);
    server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
    let (_, report) = server.get(&format!("/api/v1/runs/{run}/report"), EVE).await;
    let printed = drctl.run(&format!("runs report {run} -o json"));
    assert_eq!(report, serde_json::from_str::<Value>(&printed.stdout).unwrap());
    for (format, kind, begins) in [("md", "text/markdown", "# "), ("html", "text/html", "<!doctype html>")] {
        let path = format!("/api/v1/runs/{run}/report?format={format}");
        let page = server.request(Method::GET, &path, EVE).send().await.unwrap();
        let headers = page.headers().clone();
        let text = page.text().await.unwrap();
        assert!(headers["content-type"].to_str().unwrap().starts_with(kind));
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(text.to_lowercase().starts_with(begins), "{text:.200}");
    }
    let (status, _) = server.get("/api/v1/runs/none-abcdefgh/report", EVE).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
