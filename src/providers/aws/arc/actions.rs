//! Gives each action of `aws.arc` to the file that performs it. Must never try twice.

use serde_json::Value;

use super::{permanent, region_switch, routing};
use crate::engine::input::{Direction, Observation};
use crate::model::action::Action;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, BoxFuture, Polled, Precheck, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::group::{Group, prechecked};

/// The group.
pub(in crate::providers::aws) struct Arc;

fn not_ours(action: &Action) -> Failure {
    permanent(format!("{} is not an action of aws.arc; nothing was done", action.name()))
}

impl Group for Arc {
    fn precheck<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Precheck, Failure>> {
        Box::pin(async move {
            match action {
                Action::AwsArcStartRegionSwitch(it) => region_switch::precheck(aws, it, context).await,
                _ => prechecked(self.prepare(aws, action, context).await),
            }
        })
    }

    fn prepare<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async move {
            match action {
                Action::AwsArcSetRoutingControls(it) => routing::prepare(aws, it, context).await.map(Some),
                _ => Ok(None),
            }
        })
    }

    fn start<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async move {
            match (action, context.direction) {
                (Action::AwsArcSetRoutingControls(it), _) => {
                    routing::start(aws, it, context).await.map(Started::Done)
                }
                (Action::AwsArcStartRegionSwitch(_), Direction::Undo) => Err(permanent(
                    "a Region switch is not taken back by itself; name one with the opposite action under `undo`",
                )),
                (Action::AwsArcStartRegionSwitch(it), Direction::Do) => {
                    region_switch::start(aws, it, context).await
                }
                (other, _) => Err(not_ours(other)),
            }
        })
    }

    fn poll<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async move {
            match action {
                Action::AwsArcStartRegionSwitch(it) => region_switch::poll(aws, it, context, handle).await,
                other => Err(not_ours(other)),
            }
        })
    }

    fn observe<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            match action {
                Action::AwsArcSetRoutingControls(it) => routing::observe(aws, it, context).await,
                Action::AwsArcStartRegionSwitch(it) => region_switch::observe(aws, it, context, handle).await,
                other => Observation::Unknown(not_ours(other).message),
            }
        })
    }
}
