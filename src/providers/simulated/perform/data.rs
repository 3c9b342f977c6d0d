//! PostgreSQL, Azure and Google Cloud databases: fencing, promotion, readings.

use serde_json::{Value, json};

use super::super::change::{Change, SettingChange};
use super::super::places;
use super::{Act, View, sql, unhealthy};
use crate::model::action::{azure, gcp, postgres};
use crate::model::time::Duration;

/// Longest lag that is on its way rather than waiting to be replayed.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

pub(super) fn check_replication(it: &postgres::CheckReplication) -> Act<'_> {
    Act::look(move |scene| {
        let standing = scene.view.standing(&places::server(&it.standby), scene.at);
        // A standby that no longer receives can only tell how old its newest transaction is; one that does
        // has replayed all it has, and cannot see what is still on its way.
        let lag = match (standing.is_replica, standing.streams) {
            (true, false) => scene.at.since(standing.recovery_point),
            (true, true) if standing.lag <= ON_ITS_WAY => Duration::ZERO,
            (true | false, _) => standing.lag,
        };
        if let Some(allowed) = it.max_lag.filter(|allowed| lag > *allowed) {
            return Err(unhealthy(format!("the standby is {lag} behind, allowed are {allowed}")));
        }
        Ok(json!({
            "in_recovery": standing.is_replica,
            "lag_ms": lag.as_millis(),
            "lag_bytes": standing.lag.as_millis() * 64,
            "streaming": standing.streams,
        }))
    })
}

pub(super) fn fence<'a>(it: &'a postgres::Fence, view: &View<'_>) -> Act<'a> {
    let change = Change::Fence { database: places::server(&it.primary), site: view.site() };
    let advisory = it.method == postgres::FenceMethod::ReadOnly;
    Act::new("fencing", change, move |_| json!({"confirmed": !advisory, "advisory": advisory}))
}

pub(super) fn promote<'a>(it: &'a postgres::Promote, view: &View<'_>) -> Act<'a> {
    let change = promotion(places::server(&it.standby), view);
    Act::new("promoting", change, |scene| json!({"timeline": 2, "already": scene.already}))
}

/// The promotion of a replica with the data it has now.
pub(super) fn promotion(database: String, view: &View<'_>) -> Change {
    let recovery_point = view.standing(&database, view.now).recovery_point;
    Change::Promote { database, site: view.site(), source: view.source(), recovery_point }
}

pub(super) fn rejoin<'a>(it: &'a postgres::Rejoin, view: &View<'_>) -> Act<'a> {
    let sites = [view.faults.from, view.faults.to];
    let source = sites.into_iter().flatten().find(|site| view.place.site() != Some(site)).cloned();
    let change =
        Change::Follow { database: places::server(&it.standby), site: view.site(), source, rejoins: true };
    Act::new("rejoining", change, |_| json!({"in_recovery": true, "streaming": true}))
}

pub(super) fn query(it: &postgres::Query) -> Act<'_> {
    Act::plain("querying", move |scene| {
        let standing = scene.view.standing(&places::server(&it.connection), scene.at);
        let row = sql::row(&it.sql, standing.is_replica);
        let rows: Vec<Value> = if row.is_empty() { Vec::new() } else { vec![Value::Object(row)] };
        json!({"rows": rows, "row_count": rows.len()})
    })
}

pub(super) fn heartbeat(it: &postgres::Heartbeat) -> Act<'_> {
    Act::plain("reading", move |scene| {
        let standing = scene.view.standing(&places::server(&it.connection), scene.at);
        let beats = it.task == Some(postgres::HeartbeatTask::Beat);
        let newest = if beats { scene.at } else { standing.recovery_point };
        json!({"recovery_point_at": newest, "lag_ms": scene.at.since(newest).as_millis()})
    })
}

pub(super) fn azure_sql_failover<'a>(it: &'a azure::SqlFailover, view: &View<'_>) -> Act<'a> {
    let change = promotion(azure_sql(it.server.as_deref(), &it.failover_group), view);
    Act::new("failing over", change, |scene| {
        json!({
            "replication_role": "Primary",
            "replication_state": "CATCH_UP",
            "already": scene.already,
        })
    })
}

pub(super) fn azure_postgres_promote<'a>(it: &'a azure::PostgresPromote, view: &View<'_>) -> Act<'a> {
    let change = promotion(azure_postgres(&it.server), view);
    Act::new("promoting", change, move |scene| {
        let fqdn = format!("{}.postgres.database.azure.com", it.server);
        json!({"role": "Primary", "fqdn": fqdn, "already": scene.already})
    })
}

pub(super) fn site_recovery(it: &azure::SiteRecoveryFailover) -> Act<'_> {
    let state = match it.operation {
        azure::SiteRecoveryOperation::Unplanned | azure::SiteRecoveryOperation::Planned => "FailedOver",
        azure::SiteRecoveryOperation::Test => "TestFailedOver",
        azure::SiteRecoveryOperation::TestCleanup | azure::SiteRecoveryOperation::Cancel => "Protected",
        azure::SiteRecoveryOperation::Commit => "Committed",
        azure::SiteRecoveryOperation::Reprotect => "Reprotected",
    };
    let change = Change::Set {
        settings: vec![SettingChange {
            name: format!("azure.site_recovery/{}/{}", it.vault, it.plan),
            wanted: json!(state),
            initially: json!("Initial"),
            ttl: None,
        }],
    };
    Act::new(
        "running the recovery plan",
        change,
        move |scene| json!({"job_id": scene.view.id("job"), "state": state, "failed_machines": []}),
    )
}

pub(super) fn gcp_promote<'a>(it: &'a gcp::SqlPromote, view: &View<'_>) -> Act<'a> {
    let change = promotion(cloud_sql(&it.project, &it.instance), view);
    Act::new("promoting", change, |scene| {
        json!({
            "operation": scene.view.id("operation"),
            "address": "198.51.100.20",
            "already": scene.already,
        })
    })
}

pub(super) fn gcp_switchover<'a>(it: &'a gcp::SqlSwitchover, view: &View<'_>) -> Act<'a> {
    let change = promotion(cloud_sql(&it.project, &it.instance), view);
    Act::new("switching over", change, move |scene| {
        json!({
            "operation": scene.view.id("operation"),
            "previous_primary": format!("{}-primary", it.instance),
            "already": scene.already,
        })
    })
}

pub(super) fn gcp_failover(it: &gcp::SqlFailover) -> Act<'_> {
    let name = format!("zone/{}", cloud_sql(&it.project, &it.instance));
    let before = format!("{}-a", it.region);
    let zone = it.to_zone.clone().unwrap_or_else(|| format!("{}-b", it.region));
    let setting =
        SettingChange { name: name.clone(), wanted: json!(zone), initially: json!(before), ttl: None };
    Act::new("failing over", Change::Set { settings: vec![setting] }, move |scene| {
        json!({
            "operation": scene.view.id("operation"),
            "previous_zone": scene.previous(&name),
            "zone": zone,
        })
    })
}

pub(super) fn azure_sql_replication(it: &azure::SqlCheckReplication) -> Act<'_> {
    replication(azure_sql(it.server.as_deref(), &it.failover_group), it.max_lag, it.max_metric_age)
}

pub(super) fn azure_postgres_replication(it: &azure::PostgresCheckReplication) -> Act<'_> {
    replication(azure_postgres(&it.server), it.max_lag, it.max_metric_age)
}

pub(super) fn gcp_replication(it: &gcp::SqlCheckReplication) -> Act<'_> {
    replication(cloud_sql(&it.project, &it.instance), it.max_lag, it.max_metric_age)
}

/// A look at a replica of a managed database.
fn replication<'a>(database: String, max_lag: Option<Duration>, max_age: Option<Duration>) -> Act<'a> {
    Act::look(move |scene| {
        let standing = scene.view.standing(&database, scene.at);
        within(standing.lag, max_lag, scene.at.since(standing.measured_at), max_age)?;
        Ok(json!({
            "lag_ms": standing.lag.as_millis(),
            "measured_at": standing.measured_at,
            "recovery_point_at": standing.recovery_point,
            "role": if standing.is_replica { "replica" } else { "primary" },
        }))
    })
}

fn azure_sql(server: Option<&str>, failover_group: &str) -> String {
    format!("azure.sql/{}", server.unwrap_or(failover_group))
}

fn azure_postgres(server: &str) -> String {
    format!("azure.postgres/{server}")
}

fn cloud_sql(project: &str, instance: &str) -> String {
    format!("cloud_sql/{project}/{instance}")
}

/// Refuses a lag, or a measurement that is too old.
pub(super) fn within(
    lag: Duration,
    max_lag: Option<Duration>,
    age: Duration,
    max_age: Option<Duration>,
) -> Result<(), crate::model::run::Failure> {
    if let Some(allowed) = max_lag.filter(|allowed| lag > *allowed) {
        return Err(unhealthy(format!("the copy is {lag} behind, allowed are {allowed}")));
    }
    if let Some(allowed) = max_age.filter(|allowed| age > *allowed) {
        return Err(unhealthy(format!("the newest measurement is {age} old, allowed are {allowed}")));
    }
    Ok(())
}
