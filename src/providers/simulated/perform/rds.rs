//! Amazon RDS and Aurora: fencing, promotion, failover, readings.

use serde_json::json;

use super::super::change::{Change, SettingChange};
use super::data::{promotion, within};
use super::{Act, View};
use crate::model::action::aws::rds;

pub(super) fn name(region: &str, identifier: &str) -> String {
    format!("aws.rds/{region}/{identifier}")
}

pub(super) fn fence<'a>(it: &'a rds::Fence, view: &View<'_>) -> Act<'a> {
    let change = Change::Fence { database: name(&it.region, &it.identifier), site: view.site() };
    Act::new("fencing", change, move |_| {
        json!({
            "confirmed": true,
            "reason": "a simulated fence holds until it is lifted",
            "method": it.method,
            "previous_security_group_ids": ["sg-0123456789abcdef0"],
        })
    })
}

pub(super) fn promote_read_replica<'a>(it: &'a rds::PromoteReadReplica, view: &View<'_>) -> Act<'a> {
    let change = promotion(name(&it.region, &it.instance), view);
    Act::new("promoting", change, move |scene| {
        json!({
            "endpoint": endpoint(&it.region, &it.instance),
            "port": 5432,
            "arn": arn(&it.region, "db", &it.instance),
            "already": scene.already,
        })
    })
}

pub(super) fn failover_global_cluster<'a>(it: &'a rds::FailoverGlobalCluster, view: &View<'_>) -> Act<'a> {
    global(&it.target, &it.global_cluster, "failing over", view)
}

pub(super) fn switchover_global_cluster<'a>(
    it: &'a rds::SwitchoverGlobalCluster,
    view: &View<'_>,
) -> Act<'a> {
    // The API is that of the writer, but the database is the other one.
    let target = view.faults.places.of_texts([it.target.as_str()]);
    global(&it.target, &it.global_cluster, "switching over", &View { place: &target, ..*view })
}

fn global<'a>(target: &'a str, cluster: &'a str, doing: &'static str, view: &View<'_>) -> Act<'a> {
    let change = promotion(format!("aws.rds/{target}"), view);
    Act::new(doing, change, move |scene| {
        json!({
            "writer": target,
            "previous_writer": arn(scene.view.source_region(), "cluster", cluster),
            "already": scene.already,
        })
    })
}

pub(super) fn failover_cluster(it: &rds::FailoverCluster) -> Act<'_> {
    let setting = format!("writer/{}", name(&it.region, &it.cluster));
    let writer = it.target.clone().unwrap_or_else(|| format!("{}-2", it.cluster));
    let change = place(setting.clone(), &writer, &format!("{}-1", it.cluster));
    Act::new("failing over", change, move |scene| {
        json!({
            "writer": writer,
            "previous_writer": scene.previous(&setting),
            "already": scene.already,
        })
    })
}

pub(super) fn reboot_with_failover(it: &rds::RebootWithFailover) -> Act<'_> {
    let setting = format!("zone/{}", name(&it.region, &it.instance));
    let zone = it.to_availability_zone.clone().unwrap_or_else(|| format!("{}b", it.region));
    let change = place(setting.clone(), &zone, &format!("{}a", it.region));
    Act::new("rebooting", change, move |scene| {
        json!({
            "availability_zone": zone,
            "previous_availability_zone": scene.previous(&setting),
        })
    })
}

fn place(name: String, wanted: &str, initially: &str) -> Change {
    let setting = SettingChange { name, wanted: json!(wanted), initially: json!(initially), ttl: None };
    Change::Set { settings: vec![setting] }
}

pub(super) fn check_replication(it: &rds::CheckReplication) -> Act<'_> {
    Act::look(move |scene| {
        let backups = it.kind == rds::ReplicationKind::AutomatedBackups;
        let standing = scene.view.standing(&name(&it.region, &it.identifier), scene.at);
        let age = scene.at.since(standing.measured_at);
        within(standing.lag, it.max_lag, age, it.max_metric_age)?;
        let status = match (backups, standing.is_replica, standing.streams) {
            (true, ..) => "active",
            (false, false, _) => "promoted",
            (false, true, true) => "replicating",
            (false, true, false) => "error",
        };
        Ok(json!({
            "lag_ms": standing.lag.as_millis(),
            "measured_at": standing.measured_at,
            "recovery_point_at": standing.recovery_point,
            "status": status,
        }))
    })
}

pub(super) fn endpoint(region: &str, identifier: &str) -> String {
    format!("{identifier}.simulated.{region}.rds.amazonaws.com")
}

pub(super) fn arn(region: &str, kind: &str, identifier: &str) -> String {
    format!("arn:aws:rds:{region}:000000000000:{kind}:{identifier}")
}
