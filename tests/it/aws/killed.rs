//! The built drctl is killed in the middle of an operation that takes long, or its order is applied and never
//! answered: the process that goes on follows what was ordered, and orders nothing again.

use std::process::Child;
#[cfg(feature = "aws-route53")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aws-route53")]
use drctl::runtime::SystemClock;
use serde_json::{Value, json};

use super::client::Caller;
#[cfg(feature = "aws-backup")]
use super::fake::backup::{FakeBackup, ROLE};
#[cfg(feature = "aws-compute")]
use super::fake::capacity::FakeCapacity;
use super::fake::rds::FakeRds;
#[cfg(feature = "aws-route53")]
use super::fake::route53::FakeRoute53;
use super::faults::Faults;
use super::whole::{failover, folder};
use crate::support::binary::Drctl;

/// A service with one step.
#[cfg(any(feature = "aws-route53", feature = "aws-compute"))]
fn runbook(phase: &str, uses: &str, with: &Value) -> String {
    let step = json!({"id": "work", "phase": phase, "uses": uses, "with": with, "drill": "skip"});
    service(&[step])
}

/// A service with one step behind a fence of a region that is lost.
fn promotion(uses: &str, with: &Value) -> String {
    let fence = json!({
        "id": "fence", "phase": "fence", "uses": "aws.rds.fence", "undo": "auto", "drill": "skip",
        "with": {"region": "{{ from.region }}", "kind": "instance", "identifier": "pay-east", "method": "stop"},
    });
    let step = json!({"id": "work", "phase": "promote", "uses": uses, "with": with, "drill": "skip"});
    service(&[fence, step])
}

fn service(steps: &[Value]) -> String {
    let runbook = json!({
        "apiVersion": "drctl/v1",
        "kind": "Runbook",
        "metadata": {"name": "pay", "title": "Payments", "owner": "team-payments"},
        "sites": {
            "east": {"role": "active", "provider": "aws", "region": "us-east-1"},
            "west": {"role": "standby", "provider": "aws", "region": "us-west-2"},
        },
        "workflows": {"failover": {"steps": steps}},
    });
    // JSON is YAML.
    runbook.to_string()
}

/// Waits until something is so while a run is driven, and kills its driver.
fn kill_when(mut driver: Child, is_so: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            driver.kill().unwrap();
            driver.wait().unwrap();
            return;
        }
        if driver.try_wait().unwrap().is_some() {
            let output = driver.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            panic!("the run ended early: {said}{}", String::from_utf8_lossy(&output.stderr));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = driver.kill();
    let _ = driver.wait();
    panic!("it never came to that");
}

/// Whether what was ordered has its handle on record: before that it would be ordered again under its key.
fn is_on_record(drctl: &Drctl) -> bool {
    drctl.run("runs events latest -o json").stdout.contains("handle_returned")
}

/// Another process goes on with the run, to its end; its one step of work.
fn resumed(drctl: &Drctl) -> Value {
    let output = drctl.run("resume latest -o json");
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    work(&output.stdout)
}

/// The step of a run that ended well.
fn work(run: &str) -> Value {
    let run: Value = serde_json::from_str(run).unwrap_or_else(|error| panic!("{error}: {run}"));
    assert!(run["status"].as_str().unwrap().starts_with("succeeded"), "{run}");
    let steps = run["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == "work").unwrap().clone()
}

#[test]
#[cfg(feature = "aws-route53")]
fn a_change_of_records_is_followed_until_it_is_in_sync() {
    let route53 = FakeRoute53::start(Arc::new(SystemClock::real()));
    route53.address("app.example.com", "192.0.2.1");
    route53.world().pending = 1_000;
    let record =
        json!({"name": "app.example.com", "record_type": "A", "ttl": "30s", "values": ["192.0.2.2"]});
    let with = json!({"zone_id": "Z1", "changes": [record], "wait_ttl": false});
    // Records are changed in us-east-1, which must not be the region that is left.
    let runbook = runbook("shift", "aws.route53.change_records", &with).replace("us-east-1", "us-east-2");
    let drctl = folder(&runbook, &route53.fake.caller().endpoint);
    kill_when(failover(&drctl), || route53.count("GetChange") >= 1 && is_on_record(&drctl));
    assert_eq!(route53.count("ChangeResourceRecordSets"), 1);
    route53.settle();
    let work = resumed(&drctl);
    assert!(work["outputs"]["change_id"].as_str().unwrap().ends_with("C1"), "{work}");
    assert_eq!(route53.count("ChangeResourceRecordSets"), 1);
    let value = route53.field("app.example.com", "", "ResourceRecords/0/Value");
    assert_eq!(value.as_deref(), Some("192.0.2.2"));
}

#[test]
#[cfg(feature = "aws-compute")]
fn instances_that_were_asked_for_are_waited_for() {
    let capacity = FakeCapacity::start();
    capacity.change(|world| world.room = 1);
    let with = json!({"region": "us-west-2", "group": "g", "min": 4, "max": 8, "desired": 4});
    let runbook = runbook("scale", "aws.autoscaling.set_capacity", &with);
    let drctl = folder(&runbook, &capacity.fake.caller().endpoint);
    let fake = &capacity.fake;
    // Looked at before the order, and after it.
    kill_when(failover(&drctl), || {
        fake.count("UpdateAutoScalingGroup") == 1 && fake.count("DescribeScalingActivities") >= 1
    });
    capacity.change(|world| (world.room, world.serving) = (100, 4));
    let work = resumed(&drctl);
    assert_eq!(work["outputs"]["in_service"], json!(4), "{work}");
    assert_eq!(
        work["outputs"]["previous"]["desired"],
        json!(1),
        "what was found first is remembered: {work}"
    );
    assert_eq!(capacity.fake.count("UpdateAutoScalingGroup"), 1);
}

#[test]
#[cfg(feature = "aws-backup")]
fn a_restore_of_a_backup_is_followed_to_its_end() {
    let backup = FakeBackup::start();
    let point = backup.point("us-west-2", "dr", "nightly", 3_600, json!({}));
    let with = json!({
        "region": "us-west-2", "vault": "dr", "recovery_point_arn": point, "iam_role_arn": ROLE,
        "resource_type": "RDS", "metadata": {"DBInstanceIdentifier": "pay-west"},
    });
    backup.fake.lose_region("us-east-1");
    let runbook = promotion("aws.backup.restore", &with).replace("\"promote\"", "\"restore\"");
    let drctl = folder(&runbook, &backup.fake.caller().endpoint);
    let looks = || backup.fake.count("GET /restore-jobs/restore-jobs-1");
    kill_when(failover(&drctl), || looks() >= 1 && is_on_record(&drctl));
    assert_eq!(backup.fake.count("PUT /restore-jobs"), 1);
    backup.finish();
    let work = resumed(&drctl);
    assert_eq!(work["outputs"]["restore_job_id"], "restore-jobs-1", "{work}");
    assert_eq!(backup.fake.count("PUT /restore-jobs"), 1);
    assert!(looks() >= 2);
}

/// Three orders of RDS that must not be given twice: the name of each, a service that gives it, and what
/// brings it to its end.
struct Order {
    operation: &'static str,
    runbook: String,
    prepare: fn(&FakeRds),
    finish: fn(&FakeRds),
}

const EAST: &str = "arn:aws:rds:us-east-1:111122223333:cluster:pay-east";
const WEST: &str = "arn:aws:rds:us-west-2:111122223333:cluster:pay-west";

fn orders() -> [Order; 3] {
    let promote = json!({"region": "us-west-2", "instance": "pay-west", "backup_retention_days": 7});
    let over = json!({
        "region": "us-west-2", "global_cluster": "pay", "target": WEST, "allow_data_loss": true,
    });
    let restore = json!({
        "region": "us-west-2", "kind": "cluster", "snapshot": "nightly", "identifier": "pay-west",
        "cluster_instances": ["pay-west-1"], "settings": {"instance_class": "db.r6g.large"},
    });
    [
        Order {
            operation: "PromoteReadReplica",
            runbook: promotion("aws.rds.promote_read_replica", &promote),
            prepare: |rds| {
                let source = "arn:aws:rds:us-east-1:111122223333:db:pay-east";
                let fields = json!({"ReadReplicaSourceDBInstanceIdentifier": source});
                rds.instance("us-west-2", "pay-west", fields);
            },
            finish: |rds| {
                let now =
                    json!({"DBInstanceStatus": "available", "ReadReplicaSourceDBInstanceIdentifier": null});
                rds.change("us-west-2", "instance", "pay-west", now, &[]);
            },
        },
        Order {
            operation: "FailoverGlobalCluster",
            runbook: promotion("aws.rds.failover_global_cluster", &over),
            prepare: |rds| {
                rds.cluster("us-east-1", "pay-east", &["pay-east-1"]);
                rds.cluster("us-west-2", "pay-west", &["pay-west-1"]);
                rds.global("pay", &[EAST, WEST]);
            },
            finish: |rds| {
                let member = |arn: &str| json!({"DBClusterArn": arn, "IsWriter": arn == WEST});
                let list = "GlobalClusterMembers/GlobalClusterMember";
                let now = json!({"Status": "available", list: [member(EAST), member(WEST)]});
                rds.change("", "global", "pay", now, &[]);
            },
        },
        Order {
            operation: "CreateDBInstance",
            runbook: promotion("aws.rds.restore_from_snapshot", &restore)
                .replace("\"promote\"", "\"restore\""),
            prepare: |rds| {
                rds.cluster_snapshot("us-west-2", "nightly", "2026-11-20T03:00:00Z");
                rds.restores_at_once();
            },
            finish: |rds| {
                rds.change(
                    "us-west-2",
                    "instance",
                    "pay-west-1",
                    json!({"DBInstanceStatus": "available"}),
                    &[],
                );
            },
        },
    ]
}

#[test]
fn an_order_that_was_applied_and_never_answered_is_found_by_the_next_process() {
    for order in orders() {
        let rds = FakeRds::start();
        rds.fake.lose_region("us-east-1");
        (order.prepare)(&rds);
        rds.fake.hold_answer(order.operation);
        let drctl = folder(&order.runbook, &rds.fake.caller().endpoint);
        kill_when(failover(&drctl), || rds.fake.held() == 1);
        (order.finish)(&rds);
        let work = resumed(&drctl);
        assert_eq!(work["status"], "succeeded", "{work}");
        assert_eq!(rds.fake.count(order.operation), 1, "{}", order.operation);
    }
}

#[tokio::test]
async fn an_order_whose_answer_a_proxy_cuts_off_is_found_and_not_given_again() {
    for order in orders() {
        let rds = FakeRds::start();
        rds.fake.lose_region("us-east-1");
        (order.prepare)(&rds);
        let upstream: Caller = rds.fake.caller();
        let faults = Faults::before(&upstream).await;
        let rules = [Faults::lost_region("us-east-1"), Faults::lost_answer("rds", order.operation)];
        faults.set(rules.iter().flat_map(|rules| rules.as_array().unwrap().clone()).collect()).await;
        let drctl = folder(&order.runbook, &faults.caller().endpoint);
        let mut driver = failover(&drctl);
        // Over as soon as it has been applied: what follows the cut is a look, and that finds it done.
        while rds.fake.count(order.operation) == 0 {
            assert!(driver.try_wait().unwrap().is_none(), "{} was never ordered", order.operation);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (order.finish)(&rds);
        let output = driver.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
        work(&said);
        assert_eq!(rds.fake.count(order.operation), 1, "{}", order.operation);
        let fired = faults.fired().await.to_string();
        assert!(fired.contains(order.operation), "{fired}");
    }
}
