//! Gives each action of `aws.*` to the group that performs it. Must never try twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::clients::Aws;
use super::group::Group;
use super::settings::Settings;
use super::{iam, permanent, ready};
use crate::engine::input::Observation;
use crate::model::action::{Action, ActionName, Effect, traits};
use crate::model::id::SiteName;
use crate::model::run::{Failure, FailureClass};
use crate::model::values::Site;
use crate::ports::{AttemptContext, BoxFuture, Clock, Polled, Precheck, Provider, Started};

/// Performs `aws.*`. A `rustls` crypto provider must be installed before the first call.
#[derive(Clone)]
pub struct AwsProvider {
    aws: Arc<Aws>,
}

impl AwsProvider {
    /// Makes a provider; credentials and connections are set up when they are needed first.
    #[must_use]
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self { aws: Arc::new(Aws::new(settings, clock)) }
    }

    /// Operations asked of AWS so far, as permissions name them: what the documented permissions must cover.
    #[must_use]
    pub fn operations(&self) -> BTreeSet<String> {
        self.aws.operations()
    }
}

fn group_of(action: &Action) -> Result<Group, Failure> {
    Group::of(action).ok_or_else(|| {
        permanent(format!("this build of drctl has no {}: it was built without that feature", action.name()))
    })
}

fn changes(action: &Action) -> bool {
    traits::effect(action.name(), &serde_json::Map::new()) == Effect::Mutate
}

/// A look that nobody answered says nothing about what goes on elsewhere: the look is repeated, never the
/// order.
fn followed(action: &Action, polled: Result<Polled, Failure>) -> Result<Polled, Failure> {
    use FailureClass::{Throttled, Transient, Unreachable};
    match polled {
        Err(failure) if changes(action) && matches!(failure.class, Transient | Throttled | Unreachable) => {
            Ok(Polled::Pending(Some(failure.message)))
        }
        polled => polled,
    }
}

/// Says which site everything is about.
fn at_site(
    action: &Action,
    context: &AttemptContext,
    seen: Result<Precheck, Failure>,
) -> Result<Precheck, Failure> {
    let parameters = action.parameters();
    let region = parameters["region"].as_str();
    let site = context.sites.iter().find(|(_, site)| region.is_some() && site.region.as_deref() == region);
    let Some((name, _)) = site else { return seen };
    let told = |lines: Vec<String>| lines.into_iter().map(|line| format!("{name}: {line}")).collect();
    match seen {
        Ok(seen) => Ok(Precheck {
            found: told(seen.found),
            warnings: told(seen.warnings),
            unknown: told(seen.unknown),
        }),
        Err(failure) => Err(Failure { message: format!("{name}: {}", failure.message), ..failure }),
    }
}

/// What it means that an attempt was given up while it was under way.
fn given_up(action: &Action) -> Failure {
    let class = if changes(action) { FailureClass::InDoubt } else { FailureClass::TimedOut };
    Failure::new(class, "the attempt was given up or ran out of time without an answer")
}

impl Provider for AwsProvider {
    fn make_ready<'a>(
        &'a self,
        actions: &'a [ActionName],
        sites: &'a Arc<BTreeMap<SiteName, Site>>,
        to: Option<&'a SiteName>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if !actions.iter().any(|action| action.as_str().starts_with("aws.")) {
                return Ok(());
            }
            ready::fetch_credentials(&self.aws, sites, to).await
        })
    }

    fn precheck<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Precheck, Failure>> {
        Box::pin(async move {
            let group = group_of(action)?;
            let look = async {
                let mut seen = group.precheck(&self.aws, action, context).await?;
                iam::check(&self.aws, action, context, &mut seen).await?;
                Ok(seen)
            };
            tokio::select! {
                seen = look => at_site(action, context, seen),
                () = context.cancelled.cancelled() => {
                    Err(Failure::new(FailureClass::TimedOut, "the look was given up or ran out of time"))
                }
            }
        })
    }

    fn prepare<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async move { group_of(action)?.prepare(&self.aws, action, context).await })
    }

    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async move {
            let group = group_of(action)?;
            tokio::select! {
                started = group.start(&self.aws, action, context) => started,
                () = context.cancelled.cancelled() => Err(given_up(action)),
            }
        })
    }

    fn poll<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async move {
            let group = group_of(action)?;
            tokio::select! {
                polled = group.poll(&self.aws, action, context, handle) => followed(action, polled),
                () = context.cancelled.cancelled() => Err(given_up(action)),
            }
        })
    }

    fn observe<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            let group = match group_of(action) {
                Ok(group) => group,
                Err(failure) => return Observation::Unknown(failure.message),
            };
            tokio::select! {
                seen = group.observe(&self.aws, action, context, handle) => seen,
                () = context.cancelled.cancelled() => Observation::Unknown("the look was given up".to_owned()),
            }
        })
    }
}
