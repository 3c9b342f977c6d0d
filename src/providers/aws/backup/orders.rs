//! Starts backups, copies and restores. Must never send an order without the token of its intent: the service
//! answers the same token with the same job.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_backup::types::Lifecycle;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::permanent;
use super::session::{Session, is_cold, time};
use crate::model::action::aws::backup::{CopyRecoveryPoint, Restore, StartBackup};
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};
use crate::ports::{AttemptContext, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Asked;

/// Starts a backup.
pub(super) async fn backup(
    aws: &Aws,
    it: &StartBackup,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let asked = session.change("StartBackupJob");
    let order = session
        .client
        .start_backup_job()
        .backup_vault_name(&it.vault)
        .resource_arn(&it.resource_arn)
        .iam_role_arn(&it.iam_role_arn)
        .idempotency_token(token(context))
        .set_start_window_minutes(it.start_window.map(minutes))
        .set_complete_window_minutes(it.complete_window.map(minutes))
        .set_lifecycle(lifecycle(it.delete_after_days))
        .set_recovery_point_tags(some(&it.tags))
        .set_backup_options(some(&it.backup_options));
    let started = order.send().await.map_err(|error| asked.failure(error))?;
    handle(&asked, started.backup_job_id(), None, aws.now())
}

/// Starts a copy, which runs in the source's region.
pub(super) async fn copy(
    aws: &Aws,
    it: &CopyRecoveryPoint,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let point = session.usable_point(&it.source_vault, None, &it.recovery_point_arn).await?;
    if is_cold(&point) {
        let arn = &it.recovery_point_arn;
        return Err(permanent(format!("recovery point {arn} lies in cold storage and cannot be copied")));
    }
    let asked = session.change("StartCopyJob");
    let order = session
        .client
        .start_copy_job()
        .source_backup_vault_name(&it.source_vault)
        .recovery_point_arn(&it.recovery_point_arn)
        .destination_backup_vault_arn(&it.destination_vault_arn)
        .iam_role_arn(&it.iam_role_arn)
        .idempotency_token(token(context))
        .set_lifecycle(lifecycle(it.delete_after_days));
    let started = order.send().await.map_err(|error| asked.failure(error))?;
    handle(&asked, started.copy_job_id(), time(point.creation_date()), aws.now())
}

/// Starts a restore with what the recovery point recorded, and what the step says in place of it.
pub(super) async fn restore(aws: &Aws, it: &Restore, context: &AttemptContext) -> Result<Started, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let owner = it.vault_account_id.as_ref();
    let point = session.usable_point(&it.vault, owner, &it.recovery_point_arn).await?;
    let asked = session.read("GetRecoveryPointRestoreMetadata");
    let recorded = session
        .client
        .get_recovery_point_restore_metadata()
        .backup_vault_name(&it.vault)
        .recovery_point_arn(&it.recovery_point_arn)
        .set_backup_vault_account_id(owner.cloned())
        .send()
        .await
        .map_err(|error| asked.failure(error))?;
    let mut metadata = recorded.restore_metadata.unwrap_or_default();
    metadata.extend(it.metadata.iter().map(|(name, value)| (name.clone(), value.clone())));
    let asked = session.change("StartRestoreJob");
    let order = session
        .client
        .start_restore_job()
        .recovery_point_arn(&it.recovery_point_arn)
        .set_metadata(Some(metadata))
        .iam_role_arn(&it.iam_role_arn)
        .idempotency_token(token(context))
        .resource_type(&it.resource_type)
        .copy_source_tags_to_restored_resource(it.copy_source_tags);
    let started = order.send().await.map_err(|error| asked.failure(error))?;
    handle(&asked, started.restore_job_id(), time(point.creation_date()), aws.now())
}

/// What follows the job. `made`: when the original was made, where that is known already.
fn handle(
    asked: &Asked,
    job: Option<&str>,
    made: Option<Timestamp>,
    at: Timestamp,
) -> Result<Started, Failure> {
    let Some(job) = job else {
        let message = format!("{asked}: started, and the answer names no job");
        return Err(Failure::new(FailureClass::InDoubt, message));
    };
    Ok(Started::Handle(json!({"job_id": job, "recovery_point_at": made, "at": at})))
}

/// The same for all sends of one intent.
fn token(context: &AttemptContext) -> String {
    let digest = Sha256::digest(context.idempotency_key.as_bytes());
    digest.iter().take(16).fold("drctl-".to_owned(), |token, byte| token + &format!("{byte:02x}"))
}

fn minutes(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis() / 60_000).unwrap_or(i64::MAX)
}

fn lifecycle(days: Option<u32>) -> Option<Lifecycle> {
    Some(Lifecycle::builder().delete_after_days(i64::from(days?)).build())
}

fn some(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then(|| map.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}
