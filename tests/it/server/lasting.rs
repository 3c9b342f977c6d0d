//! A server that ends, whichever way, loses nothing: the next one goes on.

use serde_json::json;

use super::{ANN, BOB, EVE, folder, id_of, simulated};
use crate::support::served::Served;

/// Says whether some steps are done and some are not.
fn is_halfway(view: &serde_json::Value) -> bool {
    let done = view["steps"].as_array().unwrap().iter().filter(|step| step["status"] == "succeeded").count();
    done >= 3
}

#[tokio::test]
async fn runs_go_on_after_kill_9() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let (_, started) = server.post("/api/v1/runs", ANN, &simulated(60)).await;
    let run = id_of(&started);
    server.run_until(&run, EVE, is_halfway).await;
    server.kill9();
    let server = Served::start(&drctl);
    let view = server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
    assert_eq!(view["fencing_token"], 2, "it was taken over once");
}

#[tokio::test]
async fn runs_go_on_after_sigterm() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let (_, started) = server.post("/api/v1/runs", ANN, &simulated(60)).await;
    let run = id_of(&started);
    server.run_until(&run, EVE, is_halfway).await;
    assert_eq!(server.terminate(), Some(0));
    let left = drctl.run(&format!("runs show {run} -o json"));
    let view: serde_json::Value = serde_json::from_str(&left.stdout).unwrap();
    assert_eq!((view["status"].as_str(), &view["driver"]), (Some("running"), &json!(null)), "{view:#}");
    let server = Served::start(&drctl);
    server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
}

#[tokio::test]
async fn a_restored_backup_goes_on_as_of_the_backup() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let start = json!({"runbook": "asking", "operation": "failover", "reason": "fire"});
    let (_, started) = server.post("/api/v1/runs", ANN, &start).await;
    let run = id_of(&started);
    server.run_until(&run, EVE, |view| view["status"] == "awaiting_approval").await;
    let backup = drctl.run("journal backup copy.db");
    assert!(backup.code == 0 && backup.stdout.contains("verified"), "{}", backup.stderr);
    server.kill9();
    std::fs::rename(drctl.path(".drctl"), drctl.path("lost")).unwrap();
    std::fs::create_dir(drctl.path(".drctl")).unwrap();
    std::fs::rename(drctl.path("copy.db"), drctl.path(".drctl/journal.db")).unwrap();
    assert_eq!(drctl.run("journal verify").code, 0);
    let server = Served::start(&drctl);
    let view = server.run_until(&run, EVE, |view| view["fencing_token"] == 2).await;
    assert_eq!(view["status"], "awaiting_approval");
    let (status, heard) = server.post(&format!("/api/v1/runs/{run}/approve"), BOB, &json!({})).await;
    assert_eq!(status, 200, "{heard}");
    server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
}

#[tokio::test]
async fn the_command_line_and_the_server_work_on_one_journal() {
    let drctl = folder();
    let staged =
        drctl.run_words(&["failover", "asking", "--stage", "--reason", "drill of the pager", "-o", "json"]);
    let view: serde_json::Value =
        serde_json::from_str(&staged.stdout).unwrap_or_else(|_| panic!("{}", staged.stderr));
    let run = view["id"].as_str().unwrap().to_owned();
    let server = Served::start(&drctl);
    let (status, heard) = server.post(&format!("/api/v1/runs/{run}/start"), ANN, &json!({})).await;
    assert_eq!(status, 200, "{heard}");
    server.run_until(&run, EVE, |view| view["status"] == "awaiting_approval").await;
    let approved = drctl.run(&format!("--as carol approve {run}"));
    assert_eq!(approved.code, 0, "{}", approved.stderr);
    assert!(approved.stdout.contains("approve: accepted by"), "{} {}", approved.stdout, approved.stderr);
    server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
}
