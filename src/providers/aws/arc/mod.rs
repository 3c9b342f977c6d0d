//! Actions of `aws.arc`: routing controls and Region switch.
//! Nothing of it is performed by this build yet.

use serde_json::Value;

use super::clients::Aws;
use super::group::Group;
use super::permanent;
use crate::engine::input::Observation;
use crate::model::action::Action;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, BoxFuture, Polled, Started};

/// The group.
pub(super) struct Arc;

fn not_yet(action: &Action) -> Failure {
    permanent(format!("{} cannot be performed for real by this build yet; nothing was done", action.name()))
}

impl Group for Arc {
    fn prepare<'a>(
        &'a self,
        _: &'a Aws,
        action: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async move { Err(not_yet(action)) })
    }

    fn start<'a>(
        &'a self,
        _: &'a Aws,
        action: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async move { Err(not_yet(action)) })
    }

    fn poll<'a>(
        &'a self,
        _: &'a Aws,
        action: &'a Action,
        _: &'a AttemptContext,
        _: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async move { Err(not_yet(action)) })
    }

    fn observe<'a>(
        &'a self,
        _: &'a Aws,
        action: &'a Action,
        _: &'a AttemptContext,
        _: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async move { Observation::Unknown(not_yet(action).message) })
    }
}
