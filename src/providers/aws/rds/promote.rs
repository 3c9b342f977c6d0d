//! `aws.rds.promote_read_replica`. Must call a promotion done only when the instance serves and has no
//! source any more: an error that says "already" proves nothing.

use aws_sdk_rds::types::{DbInstance, Endpoint};
use serde_json::{Value, json};

use super::session::Session;
use super::state::{self, State, broken, must_be_ready};
use super::{Outputs, permanent};
use crate::engine::input::Observation;
use crate::model::action::aws::rds::PromoteReadReplica;
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Error;
use crate::providers::excerpt;

/// Time within which an accepted promotion shows; what was under way after that was something else.
const BEGINS_WITHIN: Duration = Duration::from_secs(300);

pub(super) async fn start(
    aws: &Aws,
    it: &PromoteReadReplica,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = open(aws, it, context).await?;
    let found = session.present_instance(&it.instance).await?;
    if source(&found).is_none() {
        return Ok(match looked_at(it, &found)? {
            Some(()) => Started::Done(outputs(&found, true)),
            None => Started::Handle(handle(aws, it, true)),
        });
    }
    must_be_ready("instance", &it.instance, found.db_instance_status())?;
    let asked = session.change("PromoteReadReplica");
    let days = i32::try_from(it.backup_retention_days).ok();
    let sent = session
        .client
        .promote_read_replica()
        .db_instance_identifier(&it.instance)
        .set_backup_retention_period(days)
        .set_preferred_backup_window(it.preferred_backup_window.clone())
        .send()
        .await;
    match sent.map_err(Error::from) {
        Ok(_) => Ok(Started::Handle(handle(aws, it, false))),
        // Somebody may have promoted it between the look and the order.
        Err(error) if error.code().is_some_and(|code| code.starts_with("InvalidDBInstanceState")) => {
            let found = session.present_instance(&it.instance).await?;
            match source(&found) {
                None => Ok(Started::Handle(handle(aws, it, true))),
                Some(_) => Err(Session::refused(&asked, error)),
            }
        }
        Err(error) => Err(asked.failure(error)),
    }
}

pub(super) async fn poll(
    aws: &Aws,
    it: &PromoteReadReplica,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let session = open(aws, it, context).await?;
    let found = session.present_instance(&it.instance).await?;
    if looked_at(it, &found)?.is_some() {
        let already = handle["already"].as_bool().unwrap_or(false);
        return Ok(Polled::Done(outputs(&found, already)));
    }
    let at = serde_json::from_value::<Timestamp>(handle["at"].clone()).ok();
    let is_ready = state::state(found.db_instance_status().unwrap_or("unknown")) == State::Ready;
    if is_ready && at.is_some_and(|at| aws.now().since(at) >= BEGINS_WITHIN) {
        return Err(Failure::new(
            FailureClass::InDoubt,
            format!("{} is available and a replica still: no promotion has begun", it.instance),
        ));
    }
    let status = excerpt::head(found.db_instance_status().unwrap_or("unknown"), 60);
    let line = match source(&found) {
        Some(source) => format!("{} is {status}, still a replica of {source}", it.instance),
        None => format!("{} has no source any more and is {status}", it.instance),
    };
    Ok(Polled::Pending(Some(line)))
}

pub(super) async fn observe(aws: &Aws, it: &PromoteReadReplica, context: &AttemptContext) -> Observation {
    match look(aws, it, context).await {
        Ok(seen) => seen,
        Err(failure) => Observation::Unknown(failure.message),
    }
}

async fn look(aws: &Aws, it: &PromoteReadReplica, context: &AttemptContext) -> Result<Observation, Failure> {
    let session = open(aws, it, context).await?;
    let found = session.present_instance(&it.instance).await?;
    if looked_at(it, &found)?.is_some() {
        return Ok(Observation::Applied(outputs(&found, false)));
    }
    // A replica that reboots or is modified may be on its way: following it tells.
    let under_way = source(&found).is_none()
        || matches!(found.db_instance_status(), Some("modifying" | "rebooting" | "promoting"));
    Ok(if under_way { Observation::InProgress(handle(aws, it, false)) } else { Observation::NotApplied })
}

async fn open<'a>(
    aws: &'a Aws,
    it: &PromoteReadReplica,
    context: &'a AttemptContext,
) -> Result<Session<'a>, Failure> {
    Session::open(aws, &it.region, it.account.as_ref(), context).await
}

/// What the instance follows.
fn source(found: &DbInstance) -> Option<&str> {
    let source = found.read_replica_source_db_instance_identifier();
    source.or_else(|| found.read_replica_source_db_cluster_identifier()).filter(|source| !source.is_empty())
}

/// Whether the promotion is over; fails when it will never be.
fn looked_at(it: &PromoteReadReplica, found: &DbInstance) -> Result<Option<()>, Failure> {
    let status = found.db_instance_status().unwrap_or("unknown");
    match (state::state(status), source(found)) {
        (_, None) if state::serves(status) => Ok(Some(())),
        (State::Broken, _) => Err(broken("instance", &it.instance, status)),
        (State::Stopped, _) => {
            Err(permanent(format!("instance `{}` is stopped: start it first", it.instance)))
        }
        (State::Ready | State::Busy, _) => Ok(None),
    }
}

fn handle(aws: &Aws, it: &PromoteReadReplica, already: bool) -> Value {
    json!({"instance": it.instance, "already": already, "at": aws.now()})
}

fn outputs(found: &DbInstance, already: bool) -> Outputs {
    let endpoint = found.endpoint();
    state::outputs(json!({
        "endpoint": endpoint.and_then(|endpoint| endpoint.address()),
        "port": endpoint.and_then(Endpoint::port),
        "arn": found.db_instance_arn(),
        "already": already,
    }))
}
