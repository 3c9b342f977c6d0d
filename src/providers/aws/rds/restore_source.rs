//! Where a restore reads from, and how far back that reaches. Must refuse what cannot be restored before
//! anything is made.

use aws_sdk_rds::types::RestoreWindow;

use super::permanent;
use super::session::Session;
use super::snapshot::Snapshot;
use super::state::{busy, none_such, time};
use crate::model::action::aws::rds::{DatabaseKind, DatabaseSettings, RestoreSource};
use crate::model::action::aws::rds::{RestoreFromSnapshot, RestoreToPointInTime};
use crate::model::run::Failure;
use crate::model::time::Timestamp;
use crate::providers::aws::failure::Error;
use crate::providers::excerpt;

/// A restore of either kind.
pub(super) struct Restore<'a> {
    pub(super) region: &'a str,
    pub(super) account: Option<&'a String>,
    pub(super) cluster: bool,
    pub(super) identifier: &'a str,
    pub(super) cluster_instances: &'a [String],
    pub(super) kms_key_id: Option<&'a String>,
    pub(super) settings: &'a DatabaseSettings,
    pub(super) from: Source<'a>,
}

/// What it is restored from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    Snapshot(&'a str),
    Backups { kind: RestoreSource, name: &'a str, at: Option<Timestamp> },
}

/// What was found there.
pub(super) struct Found {
    /// How far the data reaches.
    pub(super) point: Timestamp,
    /// Engine, where the source says so.
    pub(super) engine: Option<String>,
}

impl<'a> From<&'a RestoreFromSnapshot> for Restore<'a> {
    fn from(it: &'a RestoreFromSnapshot) -> Self {
        Self {
            region: &it.region,
            account: it.account.as_ref(),
            cluster: it.kind == Some(DatabaseKind::Cluster),
            identifier: &it.identifier,
            cluster_instances: &it.cluster_instances,
            kms_key_id: it.kms_key_id.as_ref(),
            settings: &it.settings,
            from: Source::Snapshot(&it.snapshot),
        }
    }
}

impl<'a> From<&'a RestoreToPointInTime> for Restore<'a> {
    fn from(it: &'a RestoreToPointInTime) -> Self {
        Self {
            region: &it.region,
            account: it.account.as_ref(),
            cluster: matches!(it.source_kind, RestoreSource::Cluster | RestoreSource::ClusterResourceId),
            identifier: &it.identifier,
            cluster_instances: &it.cluster_instances,
            kms_key_id: it.kms_key_id.as_ref(),
            settings: &it.settings,
            from: Source::Backups { kind: it.source_kind, name: &it.source, at: it.restore_at },
        }
    }
}

/// Looks at what is restored.
pub(super) async fn look(session: &Session<'_>, it: &Restore<'_>) -> Result<Found, Failure> {
    match it.from {
        Source::Snapshot(name) => snapshot(session, it.cluster, name).await,
        Source::Backups { kind, name, at } => {
            let (earliest, latest, engine) = window(session, kind, name).await?;
            let latest = latest.ok_or_else(|| {
                let name = excerpt::head(name, 120);
                permanent(format!("`{name}` has no automated backups that could be restored"))
            })?;
            let point = at.unwrap_or(latest);
            if point > latest || earliest.is_some_and(|earliest| point < earliest) {
                let from = earliest.map_or_else(|| "the first backup".to_owned(), |at| at.to_string());
                return Err(permanent(format!("`restore_at` {point} is not between {from} and {latest}")));
            }
            Ok(Found { point, engine })
        }
    }
}

async fn snapshot(session: &Session<'_>, cluster: bool, name: &str) -> Result<Found, Failure> {
    let kind = if cluster { DatabaseKind::Cluster } else { DatabaseKind::Instance };
    let found = Snapshot::find(session, Some(kind), name).await?;
    let found = found.ok_or_else(|| none_such("snapshot", name, &session.place.region))?;
    let shown = excerpt::head(name, 120);
    match found.status.as_str() {
        "available" => {}
        "failed" => return Err(permanent(format!("snapshot `{shown}` has failed and cannot be restored"))),
        status => {
            let status = excerpt::head(status, 60);
            return Err(busy(format!("snapshot `{shown}` is `{status}`, not available yet")));
        }
    }
    let unknown = || permanent(format!("RDS does not say when snapshot `{shown}` was taken"));
    Ok(Found { point: found.taken.ok_or_else(unknown)?, engine: found.engine })
}

/// Earliest and latest time, and the engine.
type Window = (Option<Timestamp>, Option<Timestamp>, Option<String>);

async fn window(session: &Session<'_>, kind: RestoreSource, name: &str) -> Result<Window, Failure> {
    match kind {
        RestoreSource::Instance => {
            let found = session.present_instance(name).await?;
            Ok((None, time(found.latest_restorable_time()), found.engine().map(str::to_owned)))
        }
        RestoreSource::Cluster => {
            let found = session.present_cluster(name).await?;
            let window = (time(found.earliest_restorable_time()), time(found.latest_restorable_time()));
            Ok((window.0, window.1, found.engine().map(str::to_owned)))
        }
        RestoreSource::AutomatedBackups | RestoreSource::InstanceResourceId => {
            let asked = session.read("DescribeDBInstanceAutomatedBackups");
            let order = session.client.describe_db_instance_automated_backups();
            let order = match kind {
                RestoreSource::AutomatedBackups => order.db_instance_automated_backups_arn(name),
                _ => order.dbi_resource_id(name),
            };
            let found = order.send().await.map_err(|error| asked.failure(error))?;
            let found = found.db_instance_automated_backups.unwrap_or_default().into_iter().next();
            let found = found.ok_or_else(|| none_such("automated backup", name, &session.place.region))?;
            let (earliest, latest) = times(found.restore_window());
            Ok((earliest, latest, found.engine().map(str::to_owned)))
        }
        RestoreSource::ClusterResourceId => {
            let asked = session.read("DescribeDBClusterAutomatedBackups");
            let order = session.client.describe_db_cluster_automated_backups().db_cluster_resource_id(name);
            let found = order.send().await.map_err(|error| asked.failure(Error::from(error)))?;
            let found = found.db_cluster_automated_backups.unwrap_or_default().into_iter().next();
            let found = found.ok_or_else(|| none_such("automated backup", name, &session.place.region))?;
            let (earliest, latest) = times(found.restore_window());
            Ok((earliest, latest, found.engine().map(str::to_owned)))
        }
    }
}

fn times(window: Option<&RestoreWindow>) -> (Option<Timestamp>, Option<Timestamp>) {
    let window = |pick: fn(&RestoreWindow) -> Option<&aws_smithy_types::DateTime>| {
        window.and_then(|window| time(pick(window)))
    };
    (window(RestoreWindow::earliest_time), window(RestoreWindow::latest_time))
}
