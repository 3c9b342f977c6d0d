//! `aws.rds.failover_cluster`. Must tell by the writer, not by a reply, whether it took place.

use aws_sdk_rds::types::DbCluster;
use serde_json::{Value, json};

use super::session::Session;
use super::state::{self, State, must_be_ready, same};
use super::{Outputs, permanent};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::rds::FailoverCluster;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Error;
use crate::providers::excerpt;

/// Reads who the writer is.
pub(super) async fn prepare(
    aws: &Aws,
    it: &FailoverCluster,
    context: &AttemptContext,
) -> Result<Value, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let found = session.present_cluster(&it.cluster).await?;
    if found.db_cluster_members().len() < 2 {
        return Err(permanent(format!("cluster `{}` has no second instance to fail over to", it.cluster)));
    }
    if let Some(target) = &it.target
        && !members(&found).any(|member| same(member, target))
    {
        let members: Vec<_> = members(&found).map(|member| excerpt::head(member, 70)).collect();
        let (cluster, members) = (&it.cluster, members.join(", "));
        return Err(permanent(format!("`{target}` is not an instance of cluster `{cluster}`: {members}")));
    }
    Ok(json!({"writer": writer(&found)}))
}

pub(super) async fn start(
    aws: &Aws,
    it: &FailoverCluster,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let found = session.present_cluster(&it.cluster).await?;
    let before = before(context);
    let wanted = wanted(it, context);
    if is_done(&found, wanted, before) {
        let already = context.direction == Direction::Do && wanted.is_some();
        return Ok(Started::Done(outputs(&found, before, already)));
    }
    must_be_ready("cluster", &it.cluster, found.status())?;
    let asked = session.change("FailoverDBCluster");
    let order = session.client.failover_db_cluster().db_cluster_identifier(&it.cluster);
    let order = order.set_target_db_instance_identifier(wanted.map(str::to_owned));
    order.send().await.map_err(|error| Session::refused(&asked, Error::from(error)))?;
    Ok(Started::Handle(json!({"previous": writer(&found)})))
}

pub(super) async fn poll(
    aws: &Aws,
    it: &FailoverCluster,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let found = session.present_cluster(&it.cluster).await?;
    let previous = handle["previous"].as_str();
    let status = found.status().unwrap_or("unknown");
    if is_done(&found, wanted(it, context), previous) && state::state(status) == State::Ready {
        return Ok(Polled::Done(outputs(&found, previous, false)));
    }
    if state::state(status) == State::Broken {
        return Err(state::broken("cluster", &it.cluster, status));
    }
    let (status, writer) = (excerpt::head(status, 60), excerpt::head(writer(&found).unwrap_or("nobody"), 70));
    Ok(Polled::Pending(Some(format!("{} is {status}, its writer is {writer}", it.cluster))))
}

pub(super) async fn observe(aws: &Aws, it: &FailoverCluster, context: &AttemptContext) -> Observation {
    let look = async {
        let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
        let found = session.present_cluster(&it.cluster).await?;
        let before = before(context);
        let ready = state::state(found.status().unwrap_or("unknown")) == State::Ready;
        Ok(match (is_done(&found, wanted(it, context), before), ready) {
            (true, true) => Observation::Applied(outputs(&found, before, false)),
            (true, false) => Observation::InProgress(json!({"previous": before})),
            (false, false) => Observation::InProgress(json!({"previous": writer(&found)})),
            (false, true) => Observation::NotApplied,
        })
    };
    look.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

/// The instance that must become the writer; absent: any other than before.
fn wanted<'a>(it: &'a FailoverCluster, context: &'a AttemptContext) -> Option<&'a str> {
    match context.direction {
        Direction::Do => it.target.as_deref(),
        Direction::Undo => before(context),
    }
}

/// The writer as it was read before the first attempt.
fn before(context: &AttemptContext) -> Option<&str> {
    context.prepared.as_ref()?["writer"].as_str()
}

fn is_done(found: &DbCluster, wanted: Option<&str>, before: Option<&str>) -> bool {
    match (writer(found), wanted, before) {
        (Some(writer), Some(wanted), _) => same(writer, wanted),
        (Some(writer), None, Some(before)) => !same(writer, before),
        (_, None, None) | (None, ..) => false,
    }
}

fn writer(found: &DbCluster) -> Option<&str> {
    let writer = found.db_cluster_members().iter().find(|member| member.is_cluster_writer() == Some(true));
    writer.and_then(|member| member.db_instance_identifier())
}

fn members(found: &DbCluster) -> impl Iterator<Item = &str> {
    found.db_cluster_members().iter().filter_map(|member| member.db_instance_identifier())
}

fn outputs(found: &DbCluster, previous: Option<&str>, already: bool) -> Outputs {
    state::outputs(json!({"writer": writer(found), "previous_writer": previous, "already": already}))
}
