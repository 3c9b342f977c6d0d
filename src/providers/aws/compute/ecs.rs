//! `aws.ecs.set_desired_count`: the number of tasks, and the limits autoscaling keeps. Must never call tasks
//! running that are only asked for.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ecs_limits::{self, Limits};
use super::session::Session;
use super::{Outputs, number, outputs, permanent, shown, text};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::compute::SetDesiredCount;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::call::Call;
use crate::providers::aws::clients::Aws;

const TARGET: &str = "AmazonEC2ContainerServiceV20141113";

/// What was found before the change.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Before {
    desired: u32,
    running: u32,
    limits: Option<Limits>,
    /// Id of the deployment that had failed already.
    #[serde(default)]
    failed: Option<String>,
}

/// What is to be there.
struct Wanted {
    desired: u32,
    enough: u32,
    /// Nothing short of `desired` will do, and the deployment must be over.
    exactly: bool,
    /// More than `desired` are welcome: autoscaling may ask for them under load.
    grows: bool,
    limits: Option<Limits>,
    /// The deployment that had failed before anything was done.
    failed: Option<String>,
}

impl Wanted {
    /// Whether this number is set. What autoscaling has raised since is not lowered again.
    fn is_set(&self, desired: u32) -> bool {
        if self.grows { desired >= self.desired } else { desired == self.desired }
    }
}

/// A service as it is.
struct Service {
    desired: u32,
    running: u32,
    pending: u32,
    /// State of the one deployment; nothing while there are several.
    rollout: Option<String>,
    /// Id of the newest deployment and why it failed, if it did.
    failed: Option<(String, String)>,
    event: String,
}

pub(super) async fn prepare(
    aws: &Aws,
    it: &SetDesiredCount,
    context: &AttemptContext,
) -> Result<Value, Failure> {
    let session = open(aws, it, context)?;
    let service = present(&session, it).await?;
    let limits = ecs_limits::of(&session, it).await?;
    if let Some(limits) = limits {
        limits.wanted(it)?;
    }
    let failed = service.failed.map(|(id, _)| id);
    Ok(json!(Before { desired: service.desired, running: service.running, limits, failed }))
}

pub(super) async fn start(
    aws: &Aws,
    it: &SetDesiredCount,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = open(aws, it, context)?;
    let (service, there) = (present(&session, it).await?, ecs_limits::of(&session, it).await?);
    let wanted = targets(it, context, there)?;
    may_be_set(it, context, &service, there)?;
    // The limits first: until they allow the number, autoscaling would take it back.
    let limits = wanted.limits.filter(|_| wanted.limits != there);
    if let Some(limits) = limits {
        ecs_limits::set(&session, it, limits).await?;
    }
    if wanted.is_set(service.desired) {
        return Ok(Started::Handle(handle(it)));
    }
    let asked = session.change("ecs", "UpdateService");
    let body = json!({"cluster": it.cluster, "service": it.service, "desiredCount": wanted.desired});
    let call = Call::json("ecs", "1.1", &format!("{TARGET}.UpdateService"), &body);
    let found = before(context).and_then(|before| before.limits);
    let is_half_done = limits.is_some() || (there.is_some() && there != found);
    session
        .json(&call, &asked)
        .await
        .map_err(|failure| if is_half_done { half(&failure) } else { failure })?;
    Ok(Started::Handle(handle(it)))
}

/// Half of it was applied, and has to be taken back where it is not completed.
fn half(failure: &Failure) -> Failure {
    let message = format!("the autoscaling limits were set, then: {}", failure.message);
    Failure::new(FailureClass::InDoubt, message)
}

/// Goes back only from what this step has set, or from what it found.
fn may_be_set(
    it: &SetDesiredCount,
    context: &AttemptContext,
    service: &Service,
    there: Option<Limits>,
) -> Result<(), Failure> {
    let Some(before) = before(context).filter(|_| context.direction == Direction::Undo) else {
        return Ok(());
    };
    let is_ours = match (there, before.limits) {
        (Some(there), Some(old)) => there == old || old.wanted(it).is_ok_and(|set| set == there),
        (None, None) => [it.desired, before.desired].contains(&service.desired),
        (Some(_), None) | (None, Some(_)) => false,
    };
    if is_ours {
        return Ok(());
    }
    let limits =
        there.map_or_else(|| "no limits".to_owned(), |it| format!("limits {} to {}", it.min, it.max));
    Err(Failure::new(
        FailureClass::Refused,
        format!(
            "service `{}` has {limits} and {} tasks wanted, which this step has not set; nothing was taken back",
            it.service, service.desired
        ),
    ))
}

pub(super) async fn poll(
    aws: &Aws,
    it: &SetDesiredCount,
    context: &AttemptContext,
) -> Result<Polled, Failure> {
    let session = open(aws, it, context)?;
    let service = present(&session, it).await?;
    let wanted = targets(it, context, None)?;
    if is_done(&service, &wanted) {
        return Ok(Polled::Done(made(&service, context)));
    }
    let newly = service.failed.as_ref().filter(|(id, _)| wanted.failed.as_ref() != Some(id));
    if let Some((_, why)) = newly.filter(|_| wanted.exactly) {
        return Err(permanent(format!("the deployment of service `{}` failed: {}", it.service, shown(why))));
    }
    let Service { running, pending, event, .. } = &service;
    let mut line = format!("{running} of {} tasks run, {pending} pending", wanted.desired);
    if !event.is_empty() {
        line = format!("{line}; {}", shown(event));
    }
    Ok(Polled::Pending(Some(line)))
}

pub(super) async fn observe(aws: &Aws, it: &SetDesiredCount, context: &AttemptContext) -> Observation {
    match look(aws, it, context).await {
        Ok(seen) => seen,
        Err(failure) => Observation::Unknown(failure.message),
    }
}

async fn look(aws: &Aws, it: &SetDesiredCount, context: &AttemptContext) -> Result<Observation, Failure> {
    let session = open(aws, it, context)?;
    let service = present(&session, it).await?;
    let limits = ecs_limits::of(&session, it).await?;
    let wanted = targets(it, context, limits)?;
    if !wanted.is_set(service.desired) || limits != wanted.limits {
        return Ok(Observation::NotApplied);
    }
    if is_done(&service, &wanted) {
        return Ok(Observation::Applied(made(&service, context)));
    }
    Ok(Observation::InProgress(handle(it)))
}

fn open<'a>(aws: &'a Aws, it: &SetDesiredCount, context: &'a AttemptContext) -> Result<Session<'a>, Failure> {
    Session::open(aws, &it.region, it.account.as_ref(), context)
}

/// What the attempt wants, given the limits that are there.
fn targets(it: &SetDesiredCount, context: &AttemptContext, there: Option<Limits>) -> Result<Wanted, Failure> {
    let before = before(context);
    match context.direction {
        Direction::Do => {
            let shrinks =
                it.desired == 0 || before.as_ref().is_some_and(|before| before.desired > it.desired);
            let scaled = there.is_some() || before.as_ref().is_some_and(|before| before.limits.is_some());
            Ok(Wanted {
                desired: it.desired,
                enough: it.min_success.unwrap_or(it.desired).min(it.desired),
                exactly: it.min_success.is_none() || it.desired == 0,
                grows: scaled && !shrinks,
                limits: there.map(|there| there.wanted(it)).transpose()?,
                failed: before.and_then(|before| before.failed),
            })
        }
        Direction::Undo => {
            let Some(Before { desired, running, limits, failed }) = before else {
                return Err(permanent("the number of tasks before is not recorded; set it by hand"));
            };
            // What did not run before need not run again.
            let (enough, exactly) = (running.min(desired), desired == 0);
            Ok(Wanted { desired, enough, exactly, grows: false, limits, failed })
        }
    }
}

fn before(context: &AttemptContext) -> Option<Before> {
    serde_json::from_value(context.prepared.clone()?).ok()
}

fn is_done(service: &Service, wanted: &Wanted) -> bool {
    if !wanted.is_set(service.desired) {
        return false;
    }
    if !wanted.exactly {
        return service.running >= wanted.enough;
    }
    let failed_before = service.failed.as_ref().is_some_and(|(id, _)| wanted.failed.as_ref() == Some(id));
    let settled = service.rollout.as_deref().is_some_and(|state| matches!(state, "COMPLETED" | ""));
    let settled = settled || failed_before;
    if wanted.grows && service.desired > wanted.desired {
        return service.running >= wanted.desired && settled;
    }
    service.running == wanted.desired && service.pending == 0 && (settled || wanted.desired == 0)
}

/// The service, which must be there and active.
async fn present(session: &Session<'_>, it: &SetDesiredCount) -> Result<Service, Failure> {
    let asked = session.read("ecs", "DescribeServices");
    let body = json!({"cluster": it.cluster, "services": [it.service]});
    let call = Call::json("ecs", "1.1", &format!("{TARGET}.DescribeServices"), &body);
    let found = session.json(&call, &asked).await?;
    let service = &found["services"][0];
    let status = text(service, "status");
    if status != "ACTIVE" {
        let status = if service.is_null() { "not there".to_owned() } else { format!("`{}`", shown(status)) };
        let region = &session.place.region;
        return Err(permanent(format!(
            "service `{}` of cluster `{}` in {region} is {status}",
            it.service, it.cluster
        )));
    }
    if text(service, "schedulingStrategy") == "DAEMON" {
        return Err(permanent(format!(
            "service `{}` runs one task on each instance: its number cannot be set",
            it.service
        )));
    }
    let count = |name| number(service, name).unwrap_or(0);
    let none = Vec::new();
    let deployments = service["deployments"].as_array().unwrap_or(&none);
    let primary = deployments.iter().find(|deployment| text(deployment, "status") == "PRIMARY");
    let rollout = primary.map(|primary| text(primary, "rolloutState"));
    Ok(Service {
        desired: count("desiredCount"),
        running: count("runningCount"),
        pending: count("pendingCount"),
        // A service that is deployed from outside has no deployments of its own.
        rollout: match deployments.len() {
            0 => Some(String::new()),
            1 => rollout.map(str::to_owned),
            _ => None,
        },
        failed: primary
            .filter(|_| rollout == Some("FAILED"))
            .map(|primary| (text(primary, "id").to_owned(), text(primary, "rolloutStateReason").to_owned())),
        event: text(&service["events"][0], "message").to_owned(),
    })
}

fn handle(it: &SetDesiredCount) -> Value {
    json!({"cluster": it.cluster, "service": it.service})
}

fn made(service: &Service, context: &AttemptContext) -> Outputs {
    let previous =
        before(context).map(|before| json!({"desired": before.desired, "autoscaling": before.limits}));
    outputs(json!({"previous": previous, "running": service.running, "desired": service.desired}))
}
