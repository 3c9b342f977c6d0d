//! Gives each action of `aws.rds` to the file that performs it. Must never try twice.

use serde_json::Value;

use super::global::Move;
use super::{cluster, copy, fence, global, permanent, promote, reboot, replica, replication, restore};
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

fn not_ours(action: &Action) -> Failure {
    permanent(format!("{} is not an action of aws.rds; nothing was done", action.name()))
}

/// What is said when an action that cannot be taken back is to be.
fn no_undo(action: &Action) -> Failure {
    let instead = match action {
        Action::AwsRdsPromoteReadReplica(_) => {
            "a promotion cannot be taken back: fence the new primary and make a replica of the other"
        }
        Action::AwsRdsFailoverGlobalCluster(_) => {
            "a failover that may have lost data cannot be taken back; a switchover returns to the old region"
        }
        _ => "what it made has to be deleted by hand, once it is known not to be needed",
    };
    permanent(format!("{} has no undo: {instead}", action.name()))
}

/// The move of a global cluster in the direction of the attempt.
fn moved<'a>(action: &'a Action, context: &'a AttemptContext) -> Option<Result<Move<'a>, Failure>> {
    match (action, context.direction) {
        (Action::AwsRdsFailoverGlobalCluster(_), Direction::Undo) => Some(Err(no_undo(action))),
        (Action::AwsRdsFailoverGlobalCluster(it), Direction::Do) => Some(Move::failover(it)),
        (Action::AwsRdsSwitchoverGlobalCluster(it), Direction::Do) => Some(Ok(Move::switchover(it))),
        (Action::AwsRdsSwitchoverGlobalCluster(it), Direction::Undo) => {
            let before = context.prepared.as_ref().and_then(|prepared| prepared["writer"].as_str());
            let unknown = || permanent("the writer before the switchover was not recorded");
            Some(before.map(|before| Move::switchover(it).back(before)).ok_or_else(unknown))
        }
        _ => None,
    }
}

pub(in crate::providers::aws) async fn prepare(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Option<Value>, Failure> {
    match action {
        Action::AwsRdsFence(it) => fence::prepare(aws, it, context).await.map(Some),
        Action::AwsRdsFailoverCluster(it) => cluster::prepare(aws, it, context).await.map(Some),
        Action::AwsRdsRebootWithFailover(it) => reboot::prepare(aws, it, context).await.map(Some),
        Action::AwsRdsSwitchoverGlobalCluster(it) => {
            global::prepare(aws, Move::switchover(it), context).await.map(Some)
        }
        _ => Ok(None),
    }
}

pub(in crate::providers::aws) async fn start(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    if let Some(moved) = moved(action, context) {
        return global::start(aws, moved?, context).await;
    }
    match (action, context.direction) {
        (Action::AwsRdsFence(it), _) => fence::start(aws, it, context).await,
        (Action::AwsRdsFailoverCluster(it), _) => cluster::start(aws, it, context).await,
        (Action::AwsRdsRebootWithFailover(it), _) => reboot::start(aws, it, context).await,
        (Action::AwsRdsCheckReplication(it), _) => {
            replication::check(aws, it, context).await.map(Started::Done)
        }
        (_, Direction::Undo) => Err(no_undo(action)),
        (Action::AwsRdsPromoteReadReplica(it), _) => promote::start(aws, it, context).await,
        (Action::AwsRdsRestoreFromSnapshot(it), _) => restore::start(aws, &it.into(), context).await,
        (Action::AwsRdsRestoreToPointInTime(it), _) => restore::start(aws, &it.into(), context).await,
        (Action::AwsRdsCreateReadReplica(it), _) => replica::start(aws, it, context).await,
        (Action::AwsRdsCopySnapshot(it), _) => copy::start(aws, it, context).await,
        (other, _) => Err(not_ours(other)),
    }
}

pub(in crate::providers::aws) async fn poll(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    if let Some(moved) = moved(action, context) {
        return global::poll(aws, moved?, context, handle).await;
    }
    match action {
        Action::AwsRdsFence(it) => fence::poll(aws, it, context).await,
        Action::AwsRdsFailoverCluster(it) => cluster::poll(aws, it, context, handle).await,
        Action::AwsRdsRebootWithFailover(it) => reboot::poll(aws, it, context, handle).await,
        Action::AwsRdsPromoteReadReplica(it) => promote::poll(aws, it, context, handle).await,
        Action::AwsRdsRestoreFromSnapshot(it) => restore::poll(aws, &it.into(), context).await,
        Action::AwsRdsRestoreToPointInTime(it) => restore::poll(aws, &it.into(), context).await,
        Action::AwsRdsCreateReadReplica(it) => replica::poll(aws, it, context).await,
        Action::AwsRdsCopySnapshot(it) => copy::poll(aws, it, context).await,
        other => Err(not_ours(other)),
    }
}

pub(in crate::providers::aws) async fn observe(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    _: Option<&Value>,
) -> Observation {
    if let Some(moved) = moved(action, context) {
        return match moved {
            Ok(moved) => global::observe(aws, moved, context).await,
            Err(failure) => Observation::Unknown(failure.message),
        };
    }
    match action {
        Action::AwsRdsFence(it) => fence::observe(aws, it, context).await,
        Action::AwsRdsFailoverCluster(it) => cluster::observe(aws, it, context).await,
        Action::AwsRdsRebootWithFailover(it) => reboot::observe(aws, it, context).await,
        Action::AwsRdsPromoteReadReplica(it) => promote::observe(aws, it, context).await,
        Action::AwsRdsRestoreFromSnapshot(it) => restore::observe(aws, &it.into(), context).await,
        Action::AwsRdsRestoreToPointInTime(it) => restore::observe(aws, &it.into(), context).await,
        Action::AwsRdsCreateReadReplica(it) => replica::observe(aws, it, context).await,
        Action::AwsRdsCopySnapshot(it) => copy::observe(aws, it, context).await,
        Action::AwsRdsCheckReplication(_) => Observation::NotApplied,
        other => Observation::Unknown(not_ours(other).message),
    }
}
