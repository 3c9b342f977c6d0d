//! Snapshots of instances and clusters, by name or ARN. Must never change anything.

use aws_sdk_rds::types::{DbClusterSnapshot, DbSnapshot, Tag};

use super::session::{Session, absent};
use super::state::time;
use crate::model::action::aws::rds::DatabaseKind;
use crate::model::run::Failure;
use crate::model::time::Timestamp;

/// What matters of a snapshot of either kind.
pub(super) struct Snapshot {
    pub(super) arn: Option<String>,
    pub(super) status: String,
    pub(super) percent: Option<i32>,
    pub(super) encrypted: bool,
    pub(super) engine: Option<String>,
    /// How far its data reaches: the last transaction in it, else when the original was taken. The time of a
    /// copy says nothing about its data.
    pub(super) taken: Option<Timestamp>,
    pub(super) tags: Vec<Tag>,
}

impl Snapshot {
    /// The snapshot of a name or ARN, if there is one. An ARN may be that of another account which shares it.
    pub(super) async fn find(
        session: &Session<'_>,
        kind: Option<DatabaseKind>,
        name: &str,
    ) -> Result<Option<Self>, Failure> {
        let own = Self::look(session, kind, name_of(name), false).await?;
        if !name.starts_with("arn:") || own.as_ref().is_some_and(|found| found.arn.as_deref() == Some(name)) {
            return Ok(own);
        }
        Self::look(session, kind, name, true).await
    }

    async fn look(
        session: &Session<'_>,
        kind: Option<DatabaseKind>,
        name: &str,
        shared: bool,
    ) -> Result<Option<Self>, Failure> {
        if kind == Some(DatabaseKind::Cluster) {
            let asked = session.read("DescribeDBClusterSnapshots");
            let order = session.client.describe_db_cluster_snapshots().db_cluster_snapshot_identifier(name);
            let order = order.include_shared(shared).set_snapshot_type(made_by(name));
            return match order.send().await {
                Ok(found) => {
                    Ok(found.db_cluster_snapshots.unwrap_or_default().into_iter().next().map(Self::from))
                }
                Err(error) => absent(error.into(), &asked, &["DBClusterSnapshotNotFoundFault"]),
            };
        }
        let asked = session.read("DescribeDBSnapshots");
        let order = session.client.describe_db_snapshots().db_snapshot_identifier(name);
        match order.include_shared(shared).set_snapshot_type(made_by(name)).send().await {
            Ok(found) => Ok(found.db_snapshots.unwrap_or_default().into_iter().next().map(Self::from)),
            Err(error) => absent(error.into(), &asked, &["DBSnapshotNotFound", "DBSnapshotNotFoundFault"]),
        }
    }
}

impl From<DbSnapshot> for Snapshot {
    fn from(found: DbSnapshot) -> Self {
        Self {
            arn: found.db_snapshot_arn().map(str::to_owned),
            status: found.status().unwrap_or("unknown").to_owned(),
            percent: found.percent_progress(),
            encrypted: found.encrypted() == Some(true),
            engine: found.engine().map(str::to_owned),
            // What was written while it was being taken is not in it.
            taken: time(
                found
                    .snapshot_database_time()
                    .or_else(|| found.original_snapshot_create_time())
                    .or_else(|| found.snapshot_create_time()),
            ),
            tags: found.tag_list.unwrap_or_default(),
        }
    }
}

impl From<DbClusterSnapshot> for Snapshot {
    fn from(found: DbClusterSnapshot) -> Self {
        Self {
            arn: found.db_cluster_snapshot_arn().map(str::to_owned),
            status: found.status().unwrap_or("unknown").to_owned(),
            percent: found.percent_progress(),
            encrypted: found.storage_encrypted() == Some(true),
            engine: found.engine().map(str::to_owned),
            taken: time(found.snapshot_create_time()),
            tags: found.tag_list.unwrap_or_default(),
        }
    }
}

/// The name in an ARN. Names of automated snapshots have a colon themselves.
fn name_of(arn: &str) -> &str {
    let rest = arn.split_once(":cluster-snapshot:").or_else(|| arn.split_once(":snapshot:"));
    rest.map_or(arn, |(_, name)| name)
}

/// RDS finds a snapshot it did not make for its owner only when told who made it.
fn made_by(name: &str) -> Option<String> {
    match name_of(name).split_once(':') {
        Some(("rds", _)) => Some("automated".to_owned()),
        Some(("awsbackup", _)) => Some("awsbackup".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_reaches_as_far_as_its_last_transaction() {
        let at = aws_smithy_types::DateTime::from_secs;
        let found =
            DbSnapshot::builder().snapshot_create_time(at(300)).original_snapshot_create_time(at(200));
        let taken = |found: DbSnapshot| Snapshot::from(found).taken;
        assert_eq!(taken(found.clone().build()), Some(Timestamp::from_millis(200_000)));
        let found = found.snapshot_database_time(at(100)).build();
        assert_eq!(taken(found), Some(Timestamp::from_millis(100_000)));
    }

    #[test]
    fn the_name_in_an_arn_says_who_made_it() {
        let arn = |rest: &str| format!("arn:aws:rds:us-east-1:111122223333:{rest}");
        for (text, name, made) in [
            (arn("snapshot:nightly"), "nightly", None),
            (arn("snapshot:rds:payments-2026-11-20"), "rds:payments-2026-11-20", Some("automated")),
            (arn("cluster-snapshot:awsbackup:job-1"), "awsbackup:job-1", Some("awsbackup")),
            ("nightly".to_owned(), "nightly", None),
        ] {
            assert_eq!((name_of(&text), made_by(&text).as_deref()), (name, made), "{text}");
        }
    }
}
