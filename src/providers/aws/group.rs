//! Which folder performs an action, and the way to it. Must never perform anything itself.

use serde_json::Value;

use super::clients::Aws;
use crate::engine::input::Observation;
use crate::model::action::Action;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Polled, Precheck, Started};

/// The actions of one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    #[cfg(feature = "aws-route53")]
    Route53,
    #[cfg(feature = "aws-arc")]
    Arc,
    #[cfg(feature = "aws-rds")]
    Rds,
    #[cfg(feature = "aws-backup")]
    Backup,
    #[cfg(feature = "aws-compute")]
    Compute,
}

/// Calls the function of that name in the folder of a group.
macro_rules! ask {
    ($group:expr, $function:ident ( $($argument:expr),+ )) => {
        match $group {
            #[cfg(feature = "aws-route53")]
            Group::Route53 => super::route53::$function($($argument),+).await,
            #[cfg(feature = "aws-arc")]
            Group::Arc => super::arc::$function($($argument),+).await,
            #[cfg(feature = "aws-rds")]
            Group::Rds => super::rds::$function($($argument),+).await,
            #[cfg(feature = "aws-backup")]
            Group::Backup => super::backup::$function($($argument),+).await,
            #[cfg(feature = "aws-compute")]
            Group::Compute => super::compute::$function($($argument),+).await,
        }
    };
}

/// The same steps as those of the port, with access to AWS.
impl Group {
    /// The group an action belongs to, where this build has it.
    pub(super) fn of(action: &Action) -> Option<Self> {
        let service = action.name().as_str().strip_prefix("aws.")?.split('.').next()?;
        match service {
            #[cfg(feature = "aws-route53")]
            "route53" => Some(Self::Route53),
            #[cfg(feature = "aws-arc")]
            "arc" => Some(Self::Arc),
            #[cfg(feature = "aws-rds")]
            "rds" => Some(Self::Rds),
            #[cfg(feature = "aws-backup")]
            "backup" => Some(Self::Backup),
            #[cfg(feature = "aws-compute")]
            "autoscaling" | "ecs" | "eks" | "lambda" | "ssm" | "cloudwatch" | "dynamodb" | "s3" => {
                Some(Self::Compute)
            }
            _ => None,
        }
    }

    /// Looks whether the action could work now.
    pub(super) async fn precheck(
        self,
        aws: &Aws,
        action: &Action,
        context: &AttemptContext,
    ) -> Result<Precheck, Failure> {
        ask!(self, precheck(aws, action, context))
    }

    /// Reads what `undo` will need, and refuses what cannot work. Changes nothing.
    pub(super) async fn prepare(
        self,
        aws: &Aws,
        action: &Action,
        context: &AttemptContext,
    ) -> Result<Option<Value>, Failure> {
        ask!(self, prepare(aws, action, context))
    }

    /// Makes one try, in the direction of the context.
    pub(super) async fn start(
        self,
        aws: &Aws,
        action: &Action,
        context: &AttemptContext,
    ) -> Result<Started, Failure> {
        ask!(self, start(aws, action, context))
    }

    /// Looks once at what was started.
    pub(super) async fn poll(
        self,
        aws: &Aws,
        action: &Action,
        context: &AttemptContext,
        handle: &Value,
    ) -> Result<Polled, Failure> {
        ask!(self, poll(aws, action, context, handle))
    }

    /// Looks whether the effect, or its undo, is already true. Changes nothing.
    pub(super) async fn observe(
        self,
        aws: &Aws,
        action: &Action,
        context: &AttemptContext,
        handle: Option<&Value>,
    ) -> Observation {
        ask!(self, observe(aws, action, context, handle))
    }
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
