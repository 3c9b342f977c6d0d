//! Gives each action of `aws.route53` to the file that performs it. Must never try twice.

use serde_json::Value;

use super::change_records::Batch;
use super::check_change;
use super::failover::Roles;
use super::goal;
use super::health::Inversion;
use super::permanent;
use super::protection;
use super::session::Session;
use super::weights::Shift;
use crate::engine::input::Observation;
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
    let work = Work::of(aws, action, context).await?;
    let mut seen = prechecked(work.prepare().await)?;
    if !matches!(work.what, What::Health(_) | What::Check(_)) {
        seen.unknown.extend(protection::unreadable(&work.session).await);
    }
    Ok(seen)
}

pub(in crate::providers::aws) async fn prepare(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Option<Value>, Failure> {
    Work::of(aws, action, context).await?.prepare().await
}

pub(in crate::providers::aws) async fn start(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    Work::of(aws, action, context).await?.start().await
}

pub(in crate::providers::aws) async fn poll(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    Work::of(aws, action, context).await?.poll(handle).await
}

pub(in crate::providers::aws) async fn observe(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    handle: Option<&Value>,
) -> Observation {
    let look = async { Work::of(aws, action, context).await?.observe(handle).await };
    look.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

/// One attempt, with the session it works in.
struct Work<'a> {
    session: Session<'a>,
    what: What<'a>,
}

enum What<'a> {
    Records(Batch<'a>),
    Failover(Roles<'a>),
    Weights(Shift<'a>),
    Health(Inversion<'a>),
    Check(&'a crate::model::action::aws::route53::CheckChange),
}

impl<'a> Work<'a> {
    async fn of(aws: &'a Aws, action: &'a Action, context: &'a AttemptContext) -> Result<Self, Failure> {
        let (zone, account, what) = match action {
            Action::AwsRoute53ChangeRecords(it) => {
                (Some(&it.zone_id), &it.account, What::Records(Batch::new(it, context)?))
            }
            Action::AwsRoute53SetFailover(it) => {
                (Some(&it.zone_id), &it.account, What::Failover(Roles { it, context }))
            }
            Action::AwsRoute53DrainSite(it) => {
                (Some(&it.zone_id), &it.account, What::Weights(Shift::draining(it, context)))
            }
            Action::AwsRoute53SetWeights(it) => {
                (Some(&it.zone_id), &it.account, What::Weights(Shift::moving(it, context)))
            }
            Action::AwsRoute53SetHealthCheck(it) => {
                (None, &it.account, What::Health(Inversion { it, context }))
            }
            Action::AwsRoute53CheckChange(it) => (None, &it.account, What::Check(it)),
            other => {
                let name = other.name();
                return Err(permanent(format!("{name} is not an action of aws.route53; nothing was done")));
            }
        };
        let session = match zone {
            Some(zone) => Session::in_zone(aws, account.as_ref(), zone, context).await?,
            None => Session::open(aws, account.as_ref(), context).await?,
        };
        Ok(Self { session, what })
    }

    async fn prepare(&self) -> Result<Option<Value>, Failure> {
        match &self.what {
            What::Records(batch) => batch.prepare(&self.session).await.map(Some),
            What::Failover(roles) => roles.prepare(&self.session).await.map(Some),
            What::Weights(shift) => shift.prepare(&self.session).await.map(Some),
            What::Health(inversion) => inversion.prepare(&self.session).await.map(Some),
            What::Check(_) => Ok(None),
        }
    }

    async fn start(&self) -> Result<Started, Failure> {
        match &self.what {
            What::Records(batch) => goal::start(&self.session, batch).await,
            What::Failover(roles) => goal::start(&self.session, roles).await,
            What::Weights(shift) => shift.start(&self.session).await,
            What::Health(inversion) => inversion.start(&self.session).await,
            What::Check(it) => check_change::check(&self.session, it).await.map(Started::Done),
        }
    }

    async fn poll(&self, handle: &Value) -> Result<Polled, Failure> {
        match &self.what {
            What::Records(batch) => goal::poll(&self.session, batch, handle).await,
            What::Failover(roles) => goal::poll(&self.session, roles, handle).await,
            What::Weights(shift) => shift.poll(&self.session, handle).await,
            What::Health(inversion) => inversion.poll(&self.session).await,
            What::Check(it) => check_change::check(&self.session, it).await.map(Polled::Done),
        }
    }

    async fn observe(&self, handle: Option<&Value>) -> Result<Observation, Failure> {
        match &self.what {
            What::Records(batch) => goal::observe(&self.session, batch, handle).await,
            What::Failover(roles) => goal::observe(&self.session, roles, handle).await,
            What::Weights(shift) => shift.observe(&self.session, handle).await,
            What::Health(inversion) => inversion.observe(&self.session).await,
            What::Check(_) => Ok(Observation::NotApplied),
        }
    }
}
