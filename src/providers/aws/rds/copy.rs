//! `aws.rds.copy_snapshot`. Must never take a snapshot that somebody else made for its own.

use serde_json::{Value, json};

use super::session::Session;
use super::snapshot::Snapshot;
use super::state;
use super::{Outputs, permanent, tags};
use crate::engine::input::Observation;
use crate::model::action::aws::rds::{CopySnapshot, DatabaseKind};
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::{Asked, Error};
use crate::providers::excerpt;

pub(super) async fn start(
    aws: &Aws,
    it: &CopySnapshot,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = open(aws, it, context).await?;
    if let Some(copy) = Snapshot::find(&session, it.kind, &it.snapshot).await? {
        return adopt(it, &copy, context).map(Started::Handle);
    }
    let there = session.elsewhere(&it.source_region).await?;
    let source = Snapshot::find(&there, it.kind, &it.source_snapshot_arn).await?;
    let source =
        source.ok_or_else(|| state::none_such("snapshot", &it.source_snapshot_arn, &it.source_region))?;
    check_source(it, &source)?;
    let (asked, sent) = send(&session, it, &source, context).await?;
    match sent {
        Ok(()) => Ok(Started::Handle(handle(it))),
        Err(error) if error.code().is_some_and(|code| code.contains("AlreadyExists")) => {
            match Snapshot::find(&session, it.kind, &it.snapshot).await? {
                Some(copy) => adopt(it, &copy, context).map(Started::Handle),
                None => Err(asked.failure(error)),
            }
        }
        Err(error) => Err(Session::refused(&asked, error)),
    }
}

pub(super) async fn poll(aws: &Aws, it: &CopySnapshot, context: &AttemptContext) -> Result<Polled, Failure> {
    let session = open(aws, it, context).await?;
    let copy = Snapshot::find(&session, it.kind, &it.snapshot).await?;
    let copy = copy.ok_or_else(|| state::none_such("snapshot", &it.snapshot, &it.region))?;
    match copy.status.as_str() {
        "available" => Ok(Polled::Done(outputs(&copy))),
        "failed" => Err(permanent(format!("the copy to snapshot `{}` has failed", it.snapshot))),
        status => {
            let (status, percent) = (excerpt::head(status, 60), copy.percent.unwrap_or(0));
            Ok(Polled::Pending(Some(format!("{} is {status}, {percent} % copied", it.snapshot))))
        }
    }
}

pub(super) async fn observe(aws: &Aws, it: &CopySnapshot, context: &AttemptContext) -> Observation {
    let look = async {
        let session = open(aws, it, context).await?;
        let Some(copy) = Snapshot::find(&session, it.kind, &it.snapshot).await? else {
            return Ok(Observation::NotApplied);
        };
        let handle = adopt(it, &copy, context)?;
        Ok(if copy.status == "available" {
            Observation::Applied(outputs(&copy))
        } else {
            Observation::InProgress(handle)
        })
    };
    look.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

async fn open<'a>(
    aws: &'a Aws,
    it: &CopySnapshot,
    context: &'a AttemptContext,
) -> Result<Session<'a>, Failure> {
    Session::open(aws, &it.region, it.account.as_ref(), context).await
}

/// A source that is busy or lacks a key for the copy cannot be copied.
pub(super) fn check_source(it: &CopySnapshot, source: &Snapshot) -> Result<(), Failure> {
    if source.status != "available" {
        let status = excerpt::head(&source.status, 60);
        return Err(state::busy(format!("the source snapshot is `{status}`, not available yet")));
    }
    if source.encrypted && it.source_region != it.region && it.kms_key_id.is_none() {
        return Err(permanent(format!(
            "the source is encrypted: say with `kms_key_id` which key of {} the copy gets",
            it.region
        )));
    }
    Ok(())
}

fn adopt(it: &CopySnapshot, copy: &Snapshot, context: &AttemptContext) -> Result<Value, Failure> {
    if tags::are_ours(&copy.tags, context) {
        return Ok(handle(it));
    }
    Err(permanent(format!(
        "snapshot `{}` exists in {} already and was not made by this step: give another name",
        it.snapshot, it.region
    )))
}

fn outputs(copy: &Snapshot) -> Outputs {
    let point = tags::recovery_point(&copy.tags).or(copy.taken);
    state::outputs(json!({"snapshot_arn": copy.arn, "recovery_point_at": point}))
}

fn handle(it: &CopySnapshot) -> Value {
    json!({"snapshot": it.snapshot})
}

async fn send(
    session: &Session<'_>,
    it: &CopySnapshot,
    source: &Snapshot,
    context: &AttemptContext,
) -> Result<(Asked, Result<(), Error>), Failure> {
    let tags = tags::of(context, &std::collections::BTreeMap::new(), source.taken);
    let (arn, key) = (it.source_snapshot_arn.as_str(), it.kms_key_id.as_ref());
    if it.kind == Some(DatabaseKind::Cluster) {
        let parameters = [
            ("SourceDBClusterSnapshotIdentifier", arn),
            ("TargetDBClusterSnapshotIdentifier", it.snapshot.as_str()),
        ];
        let url = session.presigned("CopyDBClusterSnapshot", &it.source_region, &parameters, key).await?;
        let asked = session.change("CopyDBClusterSnapshot");
        let order = session.client.copy_db_cluster_snapshot().source_db_cluster_snapshot_identifier(arn);
        let order = order.target_db_cluster_snapshot_identifier(&it.snapshot).copy_tags(it.copy_tags);
        let order = order.set_kms_key_id(key.cloned()).set_pre_signed_url(url).set_tags(Some(tags));
        return Ok((asked, order.send().await.map(|_| ()).map_err(Error::from)));
    }
    let parameters =
        [("SourceDBSnapshotIdentifier", arn), ("TargetDBSnapshotIdentifier", it.snapshot.as_str())];
    let url = session.presigned("CopyDBSnapshot", &it.source_region, &parameters, key).await?;
    let asked = session.change("CopyDBSnapshot");
    let order = session.client.copy_db_snapshot().source_db_snapshot_identifier(arn);
    let order = order.target_db_snapshot_identifier(&it.snapshot).copy_tags(it.copy_tags);
    let order = order.set_option_group_name(it.option_group.clone()).set_kms_key_id(key.cloned());
    let sent = order.set_pre_signed_url(url).set_tags(Some(tags)).send().await;
    Ok((asked, sent.map(|_| ()).map_err(Error::from)))
}
