//! Snapshots, restores, new replicas and AWS Backup: everything that brings data back from a copy.

use serde_json::{Map, Value, json};

use super::super::change::Change;
use super::rds::{arn, endpoint, name};
use super::{Act, View, unhealthy};
use crate::model::action::aws::{backup, rds};
use crate::model::time::Timestamp;

pub(super) fn restore_from_snapshot<'a>(it: &'a rds::RestoreFromSnapshot, view: &View<'_>) -> Act<'a> {
    restored(&it.region, &it.identifier, it.settings.port, view.backup(&it.snapshot), view)
}

pub(super) fn restore_to_point_in_time<'a>(it: &'a rds::RestoreToPointInTime, view: &View<'_>) -> Act<'a> {
    // Automated backups reach almost as far as a replica does.
    let latest = view.standing(&name(&it.region, &it.source), view.now).recovery_point;
    let point = it.restore_at.map_or(latest, |wanted| wanted.min(latest));
    restored(&it.region, &it.identifier, it.settings.port, point, view)
}

fn restored<'a>(
    region: &'a str,
    identifier: &'a str,
    port: Option<u16>,
    recovery_point: Timestamp,
    view: &View<'_>,
) -> Act<'a> {
    let change = Change::Restore { database: name(region, identifier), site: view.site(), recovery_point };
    Act::new("restoring", change, move |_| {
        json!({
            "endpoint": endpoint(region, identifier),
            "port": port.unwrap_or(5432),
            "arn": arn(region, "db", identifier),
            "recovery_point_at": recovery_point,
        })
    })
}

pub(super) fn create_read_replica<'a>(it: &'a rds::CreateReadReplica, view: &View<'_>) -> Act<'a> {
    let source = view.faults.places.of_texts([it.source_arn.as_str()]).site().cloned();
    let database = name(&it.region, &it.instance);
    let change = Change::Follow { database, site: view.site(), source, rejoins: false };
    Act::new("making a replica", change, move |_| {
        json!({
            "endpoint": endpoint(&it.region, &it.instance),
            "arn": arn(&it.region, "db", &it.instance),
            "status": "replicating",
        })
    })
}

pub(super) fn copy_snapshot<'a>(it: &'a rds::CopySnapshot, view: &View<'_>) -> Act<'a> {
    let recovery_point = view.backup(&it.source_snapshot_arn);
    let change = Change::BackUp { resource: it.snapshot.clone(), recovery_point };
    Act::new("copying", change, move |_| {
        json!({
            "snapshot_arn": arn(&it.region, "snapshot", &it.snapshot),
            "recovery_point_at": recovery_point,
        })
    })
}

pub(super) fn find_recovery_point(it: &backup::FindRecoveryPoint) -> Act<'_> {
    Act::look(move |scene| {
        let point = scene.view.backup(&it.resource_arn);
        let point = it.before.map_or(point, |before| point.min(before));
        let age = scene.at.since(point);
        if let Some(allowed) = it.max_age.filter(|allowed| age > *allowed) {
            return Err(unhealthy(format!("the newest recovery point is {age} old, allowed are {allowed}")));
        }
        Ok(json!({
            "recovery_point_arn": recovery_point_arn(&it.region, &scene.view.id("recovery point")),
            "recovery_point_at": point,
            "lag_ms": age.as_millis(),
            "resource_type": resource_type(&it.resource_arn),
            "encrypted": true,
            "rejected": [],
        }))
    })
}

pub(super) fn start_backup<'a>(it: &'a backup::StartBackup, view: &View<'_>) -> Act<'a> {
    let now = view.now;
    let change = Change::BackUp { resource: it.resource_arn.clone(), recovery_point: now };
    Act::new("backing up", change, move |scene| {
        json!({
            "backup_job_id": scene.view.id("backup job"),
            "recovery_point_arn": recovery_point_arn(&it.region, &scene.view.id("recovery point")),
            "recovery_point_at": now,
        })
    })
}

pub(super) fn copy_recovery_point<'a>(it: &'a backup::CopyRecoveryPoint, view: &View<'_>) -> Act<'a> {
    let recovery_point = view.backup(&it.recovery_point_arn);
    let copy = recovery_point_arn("elsewhere", &view.id("copy"));
    let change = Change::BackUp { resource: copy.clone(), recovery_point };
    Act::new("copying", change, move |scene| {
        json!({
            "copy_job_id": scene.view.id("copy job"),
            "recovery_point_arn": copy,
            "recovery_point_at": recovery_point,
        })
    })
}

pub(super) fn restore<'a>(it: &'a backup::Restore, view: &View<'_>) -> Act<'a> {
    let recovery_point = view.backup(&it.recovery_point_arn);
    let id = view.id("resource");
    let resource = arn(&it.region, "db", &format!("restored-{}", id.get(..8).unwrap_or(&id)));
    let change = Change::Restore { database: resource.clone(), site: view.site(), recovery_point };
    Act::new("restoring", change, move |scene| {
        json!({
            "restore_job_id": scene.view.id("restore job"),
            "resource_arn": resource,
            "recovery_point_at": recovery_point,
        })
    })
}

pub(super) fn check_copies(it: &backup::CheckCopies) -> Act<'_> {
    Act::look(move |scene| {
        let newest = scene.view.backup(it.resource_arn.as_deref().unwrap_or_default());
        let age = scene.at.since(newest);
        if let Some(allowed) = it.max_age.filter(|allowed| age > *allowed) {
            return Err(unhealthy(format!("the newest complete copy is {age} old, allowed are {allowed}")));
        }
        Ok(json!({"completed": 24, "running": 0, "failed": [], "newest_at": newest}))
    })
}

pub(super) fn check_policy(it: &backup::CheckPolicy) -> Act<'_> {
    Act::look(move |scene| {
        let newest = scene.view.backup(&it.resource_arn);
        let age = scene.at.since(newest);
        let limits = it.rules.iter().flat_map(|rule| {
            std::iter::once(rule.max_age).chain(rule.copies.iter().map(|copy| copy.max_age))
        });
        let limit = limits.flatten().min();
        let stale = limit.filter(|allowed| age > *allowed).map(|allowed| {
            format!("the newest recovery point of {} is {age} old, allowed are {allowed}", it.resource_arn)
        });
        if let Some(stale) = stale.as_ref().filter(|_| !it.only_report) {
            return Err(unhealthy(stale.clone()));
        }
        let vaults = it.rules.iter().flat_map(|rule| &rule.copies).map(|copy| &copy.vault_arn);
        let newest: Map<String, Value> = vaults.map(|arn| (arn.clone(), json!(newest))).collect();
        let plan = it.plan.as_deref().unwrap_or("simulated");
        Ok(json!({"plans": [plan], "differences": Vec::from_iter(stale), "unclear": [], "newest": newest}))
    })
}

fn recovery_point_arn(region: &str, id: &str) -> String {
    format!("arn:aws:backup:{region}:000000000000:recovery-point:{id}")
}

fn resource_type(resource: &str) -> &'static str {
    [(":rds:", "RDS"), (":dynamodb:", "DynamoDB"), (":s3:", "S3"), (":elasticfilesystem:", "EFS")]
        .into_iter()
        .find(|(part, _)| resource.contains(part))
        .map_or("EBS", |(_, name)| name)
}
