//! `aws.rds.reboot_with_failover`. Must never reboot an instance that has no standby: that would be an outage
//! and nothing else.

use aws_sdk_rds::types::DbInstance;
use serde_json::{Value, json};

use super::session::Session;
use super::state::{self, State, must_be_ready};
use super::{Outputs, permanent};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::rds::RebootWithFailover;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Error;
use crate::providers::excerpt;

/// Reads which zone serves.
pub(super) async fn prepare(
    aws: &Aws,
    it: &RebootWithFailover,
    context: &AttemptContext,
) -> Result<Value, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let found = session.present_instance(&it.instance).await?;
    if found.multi_az() != Some(true) {
        return Err(permanent(format!(
            "instance `{}` is not Multi-AZ: a reboot would be an outage without a failover; nothing was sent",
            it.instance
        )));
    }
    Ok(json!({"availability_zone": found.availability_zone()}))
}

pub(super) async fn start(
    aws: &Aws,
    it: &RebootWithFailover,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let found = session.present_instance(&it.instance).await?;
    if is_done(&found, wanted(it, context), before(context)) {
        return Ok(Started::Done(outputs(&found, before(context))));
    }
    must_be_ready("instance", &it.instance, found.db_instance_status())?;
    let asked = session.change("RebootDBInstance");
    let order = session.client.reboot_db_instance().db_instance_identifier(&it.instance).force_failover(true);
    order.send().await.map_err(|error| Session::refused(&asked, Error::from(error)))?;
    Ok(Started::Handle(json!({"previous": found.availability_zone()})))
}

pub(super) async fn poll(
    aws: &Aws,
    it: &RebootWithFailover,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let found = session.present_instance(&it.instance).await?;
    let previous = handle["previous"].as_str();
    let status = found.db_instance_status().unwrap_or("unknown");
    if is_done(&found, wanted(it, context), previous) && state::state(status) == State::Ready {
        return Ok(Polled::Done(outputs(&found, previous)));
    }
    if state::state(status) == State::Broken {
        return Err(state::broken("instance", &it.instance, status));
    }
    let zone = excerpt::head(found.availability_zone().unwrap_or("an unknown zone"), 40);
    let status = excerpt::head(status, 60);
    Ok(Polled::Pending(Some(format!("{} is {status}, in {zone}", it.instance))))
}

pub(super) async fn observe(aws: &Aws, it: &RebootWithFailover, context: &AttemptContext) -> Observation {
    let look = async {
        let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
        let found = session.present_instance(&it.instance).await?;
        let before = before(context);
        let ready = state::state(found.db_instance_status().unwrap_or("unknown")) == State::Ready;
        Ok(match (is_done(&found, wanted(it, context), before), ready) {
            (true, true) => Observation::Applied(outputs(&found, before)),
            (_, false) => Observation::InProgress(json!({"previous": before})),
            (false, true) => Observation::NotApplied,
        })
    };
    look.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

/// The zone that must serve; absent: any other than before.
fn wanted<'a>(it: &'a RebootWithFailover, context: &'a AttemptContext) -> Option<&'a str> {
    match context.direction {
        Direction::Do => it.to_availability_zone.as_deref(),
        Direction::Undo => before(context),
    }
}

/// The zone that served before the first attempt.
fn before(context: &AttemptContext) -> Option<&str> {
    context.prepared.as_ref()?["availability_zone"].as_str()
}

fn is_done(found: &DbInstance, wanted: Option<&str>, before: Option<&str>) -> bool {
    match (found.availability_zone(), wanted, before) {
        (Some(zone), Some(wanted), _) => zone == wanted,
        (Some(zone), None, Some(before)) => zone != before,
        (_, None, None) | (None, ..) => false,
    }
}

fn outputs(found: &DbInstance, previous: Option<&str>) -> Outputs {
    state::outputs(json!({
        "availability_zone": found.availability_zone(),
        "previous_availability_zone": previous,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Duration;

    #[test]
    fn another_zone_may_show_only_minutes_later() {
        let spec = RebootWithFailover::SPEC;
        assert!(spec.settle >= Duration::from_secs(600) && spec.settle < spec.timeout, "{}", spec.settle);
    }
}
