//! Steps of an RDS instance with a read replica. A promoted replica follows nobody: the way back makes the
//! data anew.

use serde_json::{Value, json};

use super::data::{LAG, assess_replication, wait_until_in_sync};
use super::part::{Direction, Part, Side, reading};
use super::stages::Stage;
use crate::model::component::{ReadReplica, Rebuild};

const CHECK: &str = "aws.rds.check_replication";

pub(super) fn read_replica(replica: &ReadReplica, part: &mut Part<'_>) -> Value {
    let rebuild = replica.rebuild.as_ref().filter(|_| part.direction == Direction::Failback);
    let instance = part.at(Side::To, "instance", &replica.instance);
    let instance = rebuild.map_or(instance, |rebuild| rebuild.instance.as_str().into());
    let follows = json!({"region": Side::To.region(), "kind": "read_replica", "identifier": instance});
    let days = replica.backup_retention_days.unwrap_or(7);
    if let Some(rebuild) = rebuild {
        reseed(rebuild, days, part);
        let made = part.step_id("reseed");
        wait_until_in_sync(part, CHECK, &follows, &[made]);
    }
    let max_lag = part.rpo_or(replica.max_lag, LAG);
    assess_replication(part, CHECK, &follows, &max_lag);
    let groups = part.at(Side::From, "quarantine_security_groups", &replica.quarantine_security_groups);
    let old = part.at(Side::From, "instance", &replica.instance);
    part.step(
        Stage::Fence,
        "fence",
        json!({"name": "quarantine the old database", "uses": "aws.rds.fence", "undo": "auto", "drill": "skip",
               "with": {"region": Side::From.region(), "kind": "instance", "identifier": old,
                        "method": "quarantine", "quarantine_security_group_ids": groups,
                        "end_connections": true}}),
    );
    part.step(
        Stage::Promote,
        "promote",
        json!({"name": "promote the replica", "uses": "aws.rds.promote_read_replica",
               "with": {"region": Side::To.region(), "instance": instance, "backup_retention_days": days},
               "precheck": [{"uses": CHECK, "with": follows}],
               "timeout": "20m", "deadline": "30m", "retry": {"attempts": 2, "backoff": "15s"},
               "drill": "skip"}),
    );
    if let Some(rebuild) = rebuild {
        protect(rebuild, days, part);
    }
    reading(CHECK, &recovery_point(replica, part))
}

/// A replica in the site the service returns to, and the wait until it is there.
fn reseed(rebuild: &Rebuild, days: u32, part: &mut Part<'_>) {
    let with = json!({"region": Side::To.region(), "source_arn": part.at(Side::From, "arn", &rebuild.arn),
                      "instance": rebuild.instance, "backup_retention_days": days});
    part.step(
        Stage::Rebuild,
        "reseed",
        json!({"name": "make a replica in the site the service returns to", "uses": "aws.rds.create_read_replica",
               "with": with, "timeout": "12h", "drill": "skip"}),
    );
}

/// A replica in the site that was left, so that the next loss has somewhere to go.
fn protect(rebuild: &Rebuild, days: u32, part: &mut Part<'_>) {
    let with = json!({"region": Side::From.region(),
                      "source_arn": part.at(Side::To, "instance_arn", &rebuild.instance_arn),
                      "instance": format!("{}-replica", rebuild.instance), "backup_retention_days": days});
    part.step(
        Stage::Protect,
        "protect",
        json!({"name": "make a replica in the site that was left", "uses": "aws.rds.create_read_replica",
               "with": with, "timeout": "12h", "drill": "skip"}),
    );
}

/// The replica that follows: on the way back the one that was made anew.
fn recovery_point(replica: &ReadReplica, part: &mut Part<'_>) -> Value {
    let instance = part.at(Side::To, "instance", &replica.instance);
    let identifier = match (&replica.rebuild, instance.as_str()) {
        (Some(rebuild), Some(usual)) => {
            let anew = &rebuild.instance;
            format!("{{% if operation == 'failback' %}}{anew}{{% else %}}{usual}{{% endif %}}").into()
        }
        _ => instance,
    };
    json!({"region": Side::To.region(), "kind": "read_replica", "identifier": identifier})
}
