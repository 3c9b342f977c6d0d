//! The built drctl with AWS actions: a run is killed while it follows a long operation, and goes on.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::fake::rds::FakeRds;
use crate::support::binary::Drctl;

const RESTORE: &str = include_str!("../../fixtures/aws/restore.yaml");

/// A folder with the runbook, credentials, and a configuration that leads to a fake.
pub(super) fn folder(runbook: &str, endpoint: &str) -> Drctl {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", runbook)]);
    drctl.write("drctl.toml", &format!("[aws]\nendpoint_url = \"{endpoint}\"\n"));
    let keys = "[default]\naws_access_key_id = 111122223333\naws_secret_access_key = not-checked\n";
    drctl.write(".aws/credentials", keys);
    drctl
}

pub(super) fn failover(drctl: &Drctl) -> Child {
    Command::new(env!("CARGO_BIN_EXE_drctl"))
        .args(["--local", "failover", "pay", "--reason", "region lost", "--yes", "-o", "json"])
        .args(["--confirm", "pay:west", "--accept-loss", "unmeasured", "--accept-unfenced"])
        .current_dir(drctl.path(""))
        .env_clear()
        .envs([("TZ", "UTC"), ("USER", "alice"), ("HOME", drctl.path("").to_str().unwrap())])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn result(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_run_killed_while_it_follows_a_restore_goes_on_following_the_same_one() {
    let rds = FakeRds::start();
    rds.fake.lose_region("us-east-1");
    rds.snapshot("us-west-2", "nightly", "2026-11-20T03:00:00Z");
    let drctl = folder(RESTORE, &rds.fake.caller().endpoint);
    let mut killed = failover(&drctl);
    // Ordered, and looked at once: from here on the process only waits for its next look.
    for _ in 0..3_000 {
        let looks = rds.fake.count("DescribeDBInstances");
        if rds.fake.count("RestoreDBInstanceFromDBSnapshot") == 1 && looks >= 2 {
            break;
        }
        assert!(killed.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(Duration::from_millis(10));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    rds.change("us-west-2", "instance", "pay-west", json!({"DBInstanceStatus": "available"}), &[]);
    let output = drctl.run("resume latest -o json");
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    let run = result(&output.stdout);
    assert!(run["status"].as_str().unwrap().starts_with("succeeded"), "{run}");
    assert_eq!(rds.fake.count("RestoreDBInstanceFromDBSnapshot"), 1);
}

#[test]
fn a_lost_region_is_named_and_the_run_goes_on_where_it_is_not_needed() {
    let rds = FakeRds::start();
    rds.fake.lose_region("us-east-1");
    rds.snapshot("us-west-2", "nightly", "2026-11-20T03:00:00Z");
    let drctl = folder(RESTORE, &rds.fake.caller().endpoint);
    // Over at the first look: the pause between two looks at a restore is half a minute.
    rds.restores_at_once();
    let output = failover(&drctl).wait_with_output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    let shown = drctl.run("runs show latest").stdout;
    assert!(shown.contains("unreachable us-east-1: rds does not answer DescribeDBInstances"), "{shown}");
}
