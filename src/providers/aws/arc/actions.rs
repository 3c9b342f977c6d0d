//! Gives each action of `aws.arc` to the file that performs it. Must never try twice.

use serde_json::Value;

use super::{permanent, region_switch, routing};
use crate::engine::input::{Direction, Observation};
use crate::model::action::Action;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Precheck, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::group::prechecked;

pub(in crate::providers::aws) async fn precheck(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Precheck, Failure> {
    match action {
        Action::AwsArcStartRegionSwitch(it) => region_switch::precheck(aws, it, context).await,
        _ => prechecked(prepare(aws, action, context).await),
    }
}

pub(in crate::providers::aws) async fn prepare(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Option<Value>, Failure> {
    match action {
        Action::AwsArcSetRoutingControls(it) => routing::prepare(aws, it, context).await.map(Some),
        _ => Ok(None),
    }
}

pub(in crate::providers::aws) async fn start(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    match (action, context.direction) {
        (Action::AwsArcSetRoutingControls(it), _) => {
            routing::start(aws, it, context).await.map(Started::Done)
        }
        (Action::AwsArcStartRegionSwitch(_), Direction::Undo) => Err(permanent(
            "a Region switch is not taken back by itself; name one with the opposite action under `undo`",
        )),
        (Action::AwsArcStartRegionSwitch(it), Direction::Do) => region_switch::start(aws, it, context).await,
        (other, _) => Err(not_ours(other)),
    }
}

pub(in crate::providers::aws) async fn poll(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    match action {
        Action::AwsArcStartRegionSwitch(it) => region_switch::poll(aws, it, context, handle).await,
        other => Err(not_ours(other)),
    }
}

pub(in crate::providers::aws) async fn observe(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    handle: Option<&Value>,
) -> Observation {
    match action {
        Action::AwsArcSetRoutingControls(it) => routing::observe(aws, it, context).await,
        Action::AwsArcStartRegionSwitch(it) => region_switch::observe(aws, it, context, handle).await,
        other => Observation::Unknown(not_ours(other).message),
    }
}

fn not_ours(action: &Action) -> Failure {
    permanent(format!("{} is not an action of aws.arc; nothing was done", action.name()))
}
