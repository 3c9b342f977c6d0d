//! Gives each action of `aws.backup` to the file that performs it. Must never try twice.

use serde_json::Value;

use super::job::{self, Kind};
use super::{copies, find, orders, permanent, policy};
use crate::engine::input::{Direction, Observation};
use crate::model::action::Action;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Precheck, Started};
use crate::providers::aws::clients::Aws;

pub(in crate::providers::aws) async fn precheck(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Precheck, Failure> {
    super::precheck::check(aws, action, context).await
}

pub(in crate::providers::aws) async fn prepare(
    _: &Aws,
    _: &Action,
    _: &AttemptContext,
) -> Result<Option<Value>, Failure> {
    Ok(None)
}

pub(in crate::providers::aws) async fn start(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    match (action, context.direction) {
        (Action::AwsBackupFindRecoveryPoint(it), _) => {
            find::newest(aws, it, context).await.map(Started::Done)
        }
        (Action::AwsBackupCheckCopies(it), _) => copies::check(aws, it, context).await.map(Started::Done),
        (Action::AwsBackupCheckPolicy(it), _) => policy::check(aws, it, context).await.map(Started::Done),
        (other, Direction::Undo) => Err(permanent(format!(
            "{} has no undo: what it made has to be deleted by hand, once it is known not to be needed",
            other.name()
        ))),
        (Action::AwsBackupStartBackup(it), _) => orders::backup(aws, it, context).await,
        (Action::AwsBackupCopyRecoveryPoint(it), _) => orders::copy(aws, it, context).await,
        (Action::AwsBackupRestore(it), _) => orders::restore(aws, it, context).await,
        (other, _) => Err(not_ours(other)),
    }
}

pub(in crate::providers::aws) async fn poll(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let (kind, region, account) = job_of(action).ok_or_else(|| not_ours(action))?;
    let session = super::session::Session::open(aws, region, account, context).await?;
    job::poll(&session, kind, handle).await
}

pub(in crate::providers::aws) async fn observe(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    handle: Option<&Value>,
) -> Observation {
    let Some((kind, region, account)) = job_of(action) else {
        // What only looks has no effect.
        return Observation::NotApplied;
    };
    let Some(handle) = handle else {
        let why = "the job's id was lost; the same token finds it again";
        return Observation::Unknown(why.to_owned());
    };
    match super::session::Session::open(aws, region, account, context).await {
        Ok(session) => job::observe(&session, kind, handle).await,
        Err(failure) => Observation::Unknown(failure.message),
    }
}

fn not_ours(action: &Action) -> Failure {
    permanent(format!("{} is not an action of aws.backup; nothing was done", action.name()))
}

/// The job of an action, with the region and account it runs in.
fn job_of(action: &Action) -> Option<(Kind, &str, Option<&String>)> {
    match action {
        Action::AwsBackupStartBackup(it) => Some((Kind::Backup, &it.region, it.account.as_ref())),
        Action::AwsBackupCopyRecoveryPoint(it) => Some((Kind::Copy, &it.region, it.account.as_ref())),
        Action::AwsBackupRestore(it) => Some((Kind::Restore, &it.region, it.account.as_ref())),
        _ => None,
    }
}
