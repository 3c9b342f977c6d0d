//! `aws.rds.create_read_replica`. Must never take a replica that somebody else made for its own, and calls it
//! done only when it replicates.

use aws_sdk_rds::types::{DbInstance, PendingModifiedValues};
use serde_json::{Value, json};

use super::session::Session;
use super::settings::{self, instance_settings};
use super::state::{self, State, broken, region_of};
use super::{Outputs, permanent, tags};
use crate::engine::input::Observation;
use crate::model::action::aws::rds::CreateReadReplica;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Error;
use crate::providers::excerpt;

pub(super) async fn start(
    aws: &Aws,
    it: &CreateReadReplica,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    settings::check_instance(&it.settings)?;
    let session = open(aws, it, context).await?;
    if let Some(found) = session.instance(&it.instance).await? {
        return adopt(it, &found, context).map(Started::Handle);
    }
    let source_region = region_of(&it.source_arn)
        .ok_or_else(|| permanent("`source_arn` is not the ARN of an instance; nothing was sent"))?;
    check_source(&session, it, source_region).await?;
    let parameters = [("SourceDBInstanceIdentifier", it.source_arn.as_str())];
    let url =
        session.presigned("CreateDBInstanceReadReplica", source_region, &parameters, it.kms_key_id.as_ref());
    let asked = session.change("CreateDBInstanceReadReplica");
    let tags = tags::of(context, &it.settings.tags, None);
    let order = session.client.create_db_instance_read_replica().db_instance_identifier(&it.instance);
    let order = instance_settings!(order, &it.settings, tags);
    let sent = order
        .source_db_instance_identifier(&it.source_arn)
        .set_kms_key_id(it.kms_key_id.clone())
        .set_pre_signed_url(url.await?)
        .send()
        .await;
    match sent.map_err(Error::from) {
        Ok(_) => Ok(Started::Handle(handle(it))),
        Err(error) if error.code().is_some_and(|code| code.contains("AlreadyExists")) => {
            match session.instance(&it.instance).await? {
                Some(found) => adopt(it, &found, context).map(Started::Handle),
                None => Err(asked.failure(error)),
            }
        }
        Err(error) => Err(Session::refused(&asked, error)),
    }
}

pub(super) async fn poll(
    aws: &Aws,
    it: &CreateReadReplica,
    context: &AttemptContext,
) -> Result<Polled, Failure> {
    let session = open(aws, it, context).await?;
    let found = session.present_instance(&it.instance).await?;
    match progress(it, &found)? {
        Progress::Replicates => {}
        Progress::Waiting(line) => return Ok(Polled::Pending(Some(line))),
    }
    // A replica gets no backups with the order that makes it.
    if let Some(days) = wanted_backups(it, &found) {
        let asked = session.change("ModifyDBInstance");
        let order = session.client.modify_db_instance().db_instance_identifier(&it.instance);
        let order = order.backup_retention_period(days).apply_immediately(true);
        order.send().await.map_err(|error| Session::refused(&asked, Error::from(error)))?;
        return Ok(Polled::Pending(Some(format!("{} replicates; switching its backups on", it.instance))));
    }
    Ok(Polled::Done(outputs(&found)))
}

pub(super) async fn observe(aws: &Aws, it: &CreateReadReplica, context: &AttemptContext) -> Observation {
    let look = async {
        let session = open(aws, it, context).await?;
        let Some(found) = session.instance(&it.instance).await? else { return Ok(Observation::NotApplied) };
        let handle = adopt(it, &found, context)?;
        Ok(match (progress(it, &found)?, wanted_backups(it, &found)) {
            (Progress::Replicates, None) => Observation::Applied(outputs(&found)),
            (Progress::Replicates, Some(_)) | (Progress::Waiting(_), _) => Observation::InProgress(handle),
        })
    };
    look.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

async fn open<'a>(
    aws: &'a Aws,
    it: &CreateReadReplica,
    context: &'a AttemptContext,
) -> Result<Session<'a>, Failure> {
    Session::open(aws, &it.region, it.account.as_ref(), context).await
}

/// A source without automated backups cannot have replicas.
pub(super) async fn check_source(
    session: &Session<'_>,
    it: &CreateReadReplica,
    region: &str,
) -> Result<(), Failure> {
    let there = session.elsewhere(region).await?;
    let source = there.present_instance(&it.source_arn).await?;
    state::must_be_ready("instance", &it.source_arn, source.db_instance_status())?;
    if source.backup_retention_period() == Some(0) {
        return Err(permanent(format!(
            "`{}` has no automated backups, which a replica needs",
            it.source_arn
        )));
    }
    if source.storage_encrypted() == Some(true) && region != it.region && it.kms_key_id.is_none() {
        return Err(permanent(format!(
            "the source is encrypted: say with `kms_key_id` which key of {} the replica gets",
            it.region
        )));
    }
    Ok(())
}

fn handle(it: &CreateReadReplica) -> Value {
    json!({"instance": it.instance})
}

fn adopt(it: &CreateReadReplica, found: &DbInstance, context: &AttemptContext) -> Result<Value, Failure> {
    if tags::are_ours(found.tag_list(), context) {
        return Ok(handle(it));
    }
    Err(permanent(format!(
        "instance `{}` exists in {} already and was not made by this step: give another name",
        it.instance, it.region
    )))
}

enum Progress {
    Replicates,
    Waiting(String),
}

fn progress(it: &CreateReadReplica, found: &DbInstance) -> Result<Progress, Failure> {
    let status = found.db_instance_status().unwrap_or("unknown");
    match state::state(status) {
        State::Broken => return Err(broken("instance", &it.instance, status)),
        State::Busy | State::Stopped => {
            return Ok(Progress::Waiting(format!("{} is {}", it.instance, excerpt::head(status, 60))));
        }
        State::Ready => {}
    }
    if found.read_replica_source_db_instance_identifier().is_none_or(str::is_empty) {
        return Err(permanent(format!(
            "instance `{}` has no source any more: somebody has promoted it since",
            it.instance
        )));
    }
    match replication(found) {
        "replicating" | "available" => Ok(Progress::Replicates),
        status @ ("error" | "stopped" | "terminated") => {
            let said = found.status_infos().iter().find_map(|info| info.message()).unwrap_or_default();
            let said = excerpt::head(said, 200);
            Err(permanent(format!("replication of `{}` is `{status}`: {said}", it.instance)))
        }
        status => Ok(Progress::Waiting(format!("{} is available, replication is {status}", it.instance))),
    }
}

/// State of replication, where RDS says it; that of the instance where it does not.
fn replication(found: &DbInstance) -> &str {
    let mut infos = found.status_infos().iter();
    let info = infos.find(|info| info.status_type() == Some("read replication"));
    info.and_then(|info| info.status()).unwrap_or("available")
}

/// Days of backups that are still to be switched on.
fn wanted_backups(it: &CreateReadReplica, found: &DbInstance) -> Option<i32> {
    let days = i32::try_from(it.backup_retention_days?).ok()?;
    let pending = found.pending_modified_values().and_then(PendingModifiedValues::backup_retention_period);
    (found.backup_retention_period() != Some(days) && pending != Some(days)).then_some(days)
}

fn outputs(found: &DbInstance) -> Outputs {
    state::outputs(json!({
        "endpoint": found.endpoint().and_then(|endpoint| endpoint.address()),
        "arn": found.db_instance_arn(),
        "status": replication(found),
    }))
}
