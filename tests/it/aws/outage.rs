//! A region is lost, as a proxy before all of AWS loses it: every call signed for it is cut, and nobody
//! answers at its applications. What does not need it goes on; what does says so in one line.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::stage::Stage;

const WEST: &[&str] = &["--confirm", "payments:west", "--accept-loss", "10m"];

/// The failures and warnings of a run, each with its step.
fn complaints(stage: &Stage) -> Vec<String> {
    let shown = stage.drctl(&["runs", "show", "latest"]);
    shown.stdout.lines().filter(|line| line.contains("unreachable")).map(str::to_owned).collect()
}

/// A message is one short line that names the region first, without the types of a library.
fn is_plain(message: &str) {
    assert!(message.len() < 160 && !message.contains('\n'), "{message}");
    for word in ["Error", "DispatchFailure", "hyper", "reqwest", "SdkError", "::", "{"] {
        assert!(!message.contains(word), "{message}");
    }
}

fn step<'a>(run: &'a Value, id: &str) -> &'a Value {
    let steps = run["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no step {id}: {run}"))
}

#[tokio::test]
async fn a_failover_whose_way_does_not_lead_through_the_lost_region_ends_well() {
    let stage = Stage::of("warm-standby");
    stage.lose("us-east-1").await;
    let ended = stage.failover("warm-standby", &[WEST, &["--accept-unfenced"]].concat());
    assert!(ended.is_well(), "{}", ended.all());
    let run = ended.json();
    // Not plainly `succeeded`: the old database could not be fenced, and that is said.
    assert_eq!(run["status"], "succeeded_with_warnings", "{run}");
    assert_eq!(run["rto"]["verdict"], "met", "{run}");
    for id in ["scale", "promote", "enable", "smoke", "traffic", "buy"] {
        assert_eq!(step(&run, id)["status"], "succeeded", "{run}");
    }
    let complaints = complaints(&stage);
    for what in [
        "unreachable us-east-1: rds does not answer DescribeDBInstances",
        "unreachable us-east-1: lambda does not answer GetEventSourceMapping",
    ] {
        let found = complaints.iter().find_map(|line| Some(&line[line.find(what)?..]));
        is_plain(found.unwrap_or_else(|| panic!("{what}: {complaints:#?}")));
    }
    let follows = "client('rds', 'us-west-2').describe_db_instances(DBInstanceIdentifier='payments-db-west')\
                   ['DBInstances'][0].get('ReadReplicaSourceDBInstanceIdentifier')";
    assert_eq!(stage.ask(follows), json!(null), "promoted");
}

#[tokio::test]
async fn a_region_lost_in_the_middle_of_a_failover_is_not_missed_once_it_is_fenced() {
    let stage = Stage::of("warm-standby");
    let ended = stage.failover("warm-standby", &[]);
    assert_eq!(ended.json()["cause"], "gate/point-of-no-return", "{}", ended.all());
    stage.lose("us-east-1").await;
    let ended = stage.drctl(&[&["approve", "latest", "-o", "json"], WEST].concat());
    assert!(ended.is_well(), "{}", ended.all());
    let run = stage.drctl(&["runs", "show", "latest", "-o", "json"]).json();
    assert_eq!(run["status"], "succeeded", "{run}");
    let elsewhere = step(&run, "traffic")["outputs"]["endpoint"].as_str().unwrap();
    assert!(!elsewhere.contains("us-east-1"), "the first endpoint is in the lost region: {elsewhere}");
}

#[tokio::test]
async fn a_step_that_needs_the_lost_region_says_so_and_goes_on_when_it_is_back() {
    let stage = Stage::of("active-active");
    stage.lose("us-east-1").await;
    let words = ["failover", "active-active", "--from", "oregon", "--reason", "region lost", "--yes"];
    let mut driver = stage.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let what = "unreachable us-east-1: route53 does not answer ListResourceRecordSets";
    let mut said = String::new();
    for _ in 0..600 {
        said = stage.drctl(&["runs", "events", "latest"]).stdout;
        if said.contains(what) {
            break;
        }
        assert!(driver.try_wait().unwrap().is_none(), "it ended early: {said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let line = said.lines().find_map(|line| line[line.find(what)?..].split(" (unreachable)").next());
    is_plain(line.unwrap_or_else(|| panic!("{said}")));
    driver.kill().unwrap();
    driver.wait().unwrap();
    stage.give_back("us-east-1").await;
    let ended = stage.drctl(&["resume", "latest", "-o", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert_eq!(ended.json()["status"], "succeeded", "{}", ended.all());
}
