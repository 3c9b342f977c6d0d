//! Stands in for every action this build can only simulate: says so and must never pretend to have done
//! anything.

use serde_json::Value;

use crate::engine::input::Observation;
use crate::model::action::Action;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, BoxFuture, Polled, Precheck, Provider, Started};

/// Refuses every call: the action has no real adapter in this build.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnavailableProvider;

/// Says of an action that this build cannot perform it.
pub const CANNOT: &str = "cannot be performed for real by this build of drctl yet";

/// What is said about an action without a real adapter.
fn refusal(action: &Action) -> Failure {
    let message = format!("{} {CANNOT}, only simulated (`--simulate`); nothing was done", action.name());
    Failure::new(FailureClass::Permanent, message)
}

impl Provider for UnavailableProvider {
    fn precheck<'a>(
        &'a self,
        action: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Precheck, Failure>> {
        Box::pin(async move { Err(refusal(action)) })
    }

    fn prepare<'a>(
        &'a self,
        action: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async move { Err(refusal(action)) })
    }

    fn start<'a>(
        &'a self,
        action: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async move { Err(refusal(action)) })
    }

    fn poll<'a>(
        &'a self,
        action: &'a Action,
        _: &'a AttemptContext,
        _: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async move { Err(refusal(action)) })
    }

    fn observe<'a>(
        &'a self,
        action: &'a Action,
        _: &'a AttemptContext,
        _: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async move { Observation::Unknown(refusal(action).message) })
    }
}
