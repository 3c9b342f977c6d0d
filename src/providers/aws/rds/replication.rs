//! `aws.rds.check_replication`: how far a standby's data reaches. Must never invent a lag: what was not
//! measured is absent, and an old measurement keeps its age.

use serde_json::json;

use super::session::Session;
use super::state::{self, none_such, time};
use super::{Outputs, permanent};
use crate::model::action::aws::rds::{CheckReplication, ReplicationKind};
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};
use crate::ports::AttemptContext;
use crate::providers::aws::clients::Aws;
use crate::providers::aws::metrics::{self, Metric};

/// Unit of a metric, in milliseconds.
const SECOND: f64 = 1_000.0;
const MILLISECOND: f64 = 1.0;

/// What is known about a standby. Dimensions of metrics are in lower case, as RDS keeps identifiers.
struct Reading {
    lag: Option<Duration>,
    measured_at: Option<Timestamp>,
    status: String,
}

pub(super) async fn check(
    aws: &Aws,
    it: &CheckReplication,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let reading = match it.kind {
        ReplicationKind::ReadReplica => read_replica(&session, it).await?,
        ReplicationKind::GlobalCluster => global_cluster(&session, it).await?,
        ReplicationKind::AutomatedBackups => automated_backups(&session, it).await?,
    };
    within(it, &reading, aws.now())?;
    let Reading { lag, measured_at, status } = reading;
    let point = measured_at.zip(lag).map(|(at, lag)| at.minus(lag));
    Ok(state::outputs(json!({
        "lag_ms": lag.map(Duration::as_millis),
        "measured_at": measured_at,
        "recovery_point_at": point,
        "status": status,
    })))
}

async fn read_replica(session: &Session<'_>, it: &CheckReplication) -> Result<Reading, Failure> {
    let found = session.present_instance(&it.identifier).await?;
    let follows = found.read_replica_source_db_instance_identifier().is_some_and(|source| !source.is_empty());
    let info = found.status_infos().iter().find(|info| info.status_type() == Some("read replication"));
    let status = match (follows, info.and_then(|info| info.status())) {
        (false, _) => "promoted",
        (true, Some(status)) => status,
        (true, None) => found.db_instance_status().unwrap_or("unknown"),
    };
    if follows && matches!(status, "error" | "stopped" | "terminated") && it.max_lag.is_some() {
        return Err(unhealthy(format!("replication of `{}` is `{status}`", it.identifier)));
    }
    let metric = Metric {
        namespace: "AWS/RDS",
        name: "ReplicaLag",
        dimensions: vec![("DBInstanceIdentifier", it.identifier.to_ascii_lowercase())],
        statistic: "Maximum",
    };
    measured(session, &[metric], SECOND, status).await
}

async fn global_cluster(session: &Session<'_>, it: &CheckReplication) -> Result<Reading, Failure> {
    let global = it
        .global_cluster
        .as_ref()
        .ok_or_else(|| permanent("`kind: global_cluster` needs `global_cluster`, its identifier"))?;
    let cluster = session.present_cluster(&it.identifier).await?;
    let found = session.present_global_cluster(global).await?;
    let own = cluster.db_cluster_arn();
    let member = found.global_cluster_members().iter().find(|member| member.db_cluster_arn() == own);
    let member = member.ok_or_else(|| {
        permanent(format!("cluster `{}` is not a member of global cluster `{global}`", it.identifier))
    })?;
    let status = match (member.is_writer(), member.synchronization_status()) {
        (Some(true), _) => "writer",
        (_, Some(status)) => status.as_str(),
        (_, None) => cluster.status().unwrap_or("unknown"),
    };
    let metric = |name| Metric {
        namespace: "AWS/RDS",
        name,
        dimensions: vec![("DBClusterIdentifier", it.identifier.to_ascii_lowercase())],
        statistic: "Maximum",
    };
    // What would be lost, and where the engine does not measure that, how late writes arrive.
    let metrics = [metric("AuroraGlobalDBRPOLag"), metric("AuroraGlobalDBReplicationLag")];
    measured(session, &metrics, MILLISECOND, status).await
}

/// The newest value of the first metric that has one.
async fn measured(
    session: &Session<'_>,
    metrics: &[Metric],
    unit: f64,
    status: &str,
) -> Result<Reading, Failure> {
    let newest = metrics::newest(session.aws, metrics, &session.place, session.context).await?;
    let newest = newest.into_iter().flatten().next();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "values below zero and beyond a century are left out"
    )]
    let lag = newest.map(|point| Duration::from_millis((point.value * unit).min(3e12) as u64));
    Ok(Reading { lag, measured_at: newest.map(|point| point.at), status: status.to_owned() })
}

async fn automated_backups(session: &Session<'_>, it: &CheckReplication) -> Result<Reading, Failure> {
    let asked = session.read("DescribeDBInstanceAutomatedBackups");
    let order = session.client.describe_db_instance_automated_backups();
    let order = order.db_instance_automated_backups_arn(&it.identifier);
    let found = order.send().await.map_err(|error| asked.failure(error))?;
    let found = found.db_instance_automated_backups.unwrap_or_default().into_iter().next();
    let found = found.ok_or_else(|| none_such("automated backup", &it.identifier, &it.region))?;
    let latest = time(found.restore_window().and_then(|window| window.latest_time()));
    let now = session.aws.now();
    Ok(Reading {
        lag: latest.map(|latest| now.since(latest)),
        measured_at: latest.map(|_| now),
        status: found.status().unwrap_or("unknown").to_owned(),
    })
}

fn within(it: &CheckReplication, reading: &Reading, now: Timestamp) -> Result<(), Failure> {
    let limited = it.max_lag.is_some() || it.max_metric_age.is_some();
    let (Some(lag), Some(at)) = (reading.lag, reading.measured_at) else {
        return if limited {
            Err(unhealthy(format!("`{}` has no measured lag", it.identifier)))
        } else {
            Ok(())
        };
    };
    if let Some(allowed) = it.max_lag.filter(|allowed| lag > *allowed) {
        return Err(unhealthy(format!("`{}` is {lag} behind, allowed are {allowed}", it.identifier)));
    }
    let age = now.since(at);
    if let Some(allowed) = it.max_metric_age.filter(|allowed| age > *allowed) {
        let what = format!("the newest measurement of `{}` is {age} old", it.identifier);
        return Err(unhealthy(format!("{what}, allowed are {allowed}")));
    }
    Ok(())
}

fn unhealthy(message: String) -> Failure {
    Failure::new(FailureClass::Transient, message)
}
