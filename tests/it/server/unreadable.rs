//! Runbooks that a server cannot read: whoever borrows them is told, and so is its log.

use reqwest::StatusCode;

use super::remote::Client;
use super::{EVE, folder, folder_with};
use crate::support::served::Served;

const FLEET: &str = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: evac}\n\
                     members: [{select: {labels: {tier: one}}}]\n";

const KEPT: &str = "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: kept, labels: {tier: one}}\n\
    sites: {east: {role: active}, west: {role: standby}}\nworkflows:\n  failover:\n    steps:\n\
    \x20     - {id: call, uses: manual.task, with: {instructions: Call the team}, drill: skip}\n\
    drill: {level: simulate, schedule: {cron: \"0 4 1 * *\", timezone: UTC}}\n";

#[tokio::test]
async fn what_a_server_cannot_read_is_told_to_who_borrows_its_runbooks() {
    let there =
        folder_with("[server]\nschedules_every = \"1s\"\n[runbooks]\npaths = [\"runbooks\", \"more\"]\n");
    there.write("runbooks/evac.yaml", FLEET);
    there.write("runbooks/kept.yaml", KEPT);
    std::fs::write(there.path("runbooks/latin.yaml"), b"# caf\xe9\n").unwrap();
    assert_eq!(there.run("schedule run").code, 3, "a look at it, so that the journal knows it");
    let server = Served::start(&there);
    let (status, shelf) = server.get("/api/v1/shelf", EVE).await;
    assert_eq!(status, StatusCode::OK);
    let sheets = shelf["sheets"].as_array().unwrap();
    let unread: Vec<_> = sheets.iter().filter(|sheet| sheet["unreadable"].is_string()).collect();
    assert_eq!(
        (&unread[0]["path"], &unread[1]["folder"]),
        (&"latin.yaml".into(), &"more".into()),
        "{shelf:#}"
    );
    let client = Client::of(&server);
    let refused = client.run(EVE, "plan evac");
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    for why in ["runbooks/latin.yaml cannot be read", "UTF-8", "more cannot be read: No such file"] {
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
    }
    let status = client.run(EVE, "status");
    assert!(status.code == 6 && status.stderr.contains("latin.yaml cannot be read"), "{}", status.stderr);
    assert_eq!(client.run(EVE, "plan kept").code, 0);
    let schedules = client.run(EVE, "schedule list");
    assert!(schedules.stdout.contains("kept"), "{}", schedules.stdout);
    assert!(!schedules.stderr.contains("there is no runbook of it"), "{}", schedules.stderr);
    // Told once, however often it is looked.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    let log = server.log();
    let told = |path: &str| {
        let is_told = |line: &&str| line.contains("no drill of it runs") && line.contains(path);
        log.lines().filter(is_told).count()
    };
    assert_eq!((told("latin.yaml"), told("more")), (1, 1), "{log}");
}

#[tokio::test]
async fn a_server_without_runbooks_is_said_to_have_none() {
    let there = folder();
    std::fs::remove_dir_all(there.path("runbooks")).unwrap();
    let server = Served::start(&there);
    let output = Client::of(&server).run(EVE, "plan payments");
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(output.stderr.contains("the server has no runbook"), "{}", output.stderr);
    assert!(!output.stderr.contains("borrowed-"), "{}", output.stderr);
}
