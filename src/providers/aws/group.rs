//! What a group of actions is to the provider, and which group an action belongs to. Must never perform
//! anything.

use serde_json::Value;

use super::clients::Aws;
use crate::engine::input::Observation;
use crate::model::action::Action;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, BoxFuture, Polled, Precheck, Started};

/// The actions of one folder. The same four steps as those of the port, with access
/// to AWS.
pub(super) trait Group: Send + Sync {
    /// Reads what `undo` will need, and refuses what cannot work. Changes nothing.
    fn prepare<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>>;

    /// Looks whether the action could work now. By default what `prepare` looks at, which refuses what
    /// cannot.
    fn precheck<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Precheck, Failure>> {
        Box::pin(async move { prechecked(self.prepare(aws, action, context).await) })
    }

    /// Makes one try, in the direction of the context.
    fn start<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>>;

    /// Looks once at what was started.
    fn poll<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>>;

    /// Looks whether the effect, or its undo, is already true. Changes nothing.
    fn observe<'a>(
        &'a self,
        aws: &'a Aws,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation>;
}

/// What it means for a precheck that an action could or could not be prepared.
pub(super) fn prechecked(prepared: Result<Option<Value>, Failure>) -> Result<Precheck, Failure> {
    let mut seen = Precheck::default();
    match prepared {
        Ok(Some(_)) => seen.found.push("what it changes is there, and in a state for it".to_owned()),
        Ok(None) => seen.unknown.push("what it works on was not looked at".to_owned()),
        // What is busy now may not be later.
        Err(failure) if matches!(failure.class, FailureClass::Throttled | FailureClass::Transient) => {
            seen.warnings.push(failure.message);
        }
        Err(failure) => return Err(failure),
    }
    Ok(seen)
}

/// The group an action belongs to, where this build has it.
pub(super) fn of(action: &Action) -> Option<&'static dyn Group> {
    let name = action.name().as_str();
    let service = name.strip_prefix("aws.")?.split('.').next()?;
    match service {
        #[cfg(feature = "aws-route53")]
        "route53" => Some(&super::route53::Route53),
        #[cfg(feature = "aws-arc")]
        "arc" => Some(&super::arc::Arc),
        #[cfg(feature = "aws-rds")]
        "rds" => Some(&super::rds::Rds),
        #[cfg(feature = "aws-backup")]
        "backup" => Some(&super::backup::Backup),
        #[cfg(feature = "aws-compute")]
        "autoscaling" | "ecs" | "eks" | "lambda" | "ssm" | "cloudwatch" | "dynamodb" | "s3" => {
            Some(&super::compute::Compute)
        }
        _ => None,
    }
}
