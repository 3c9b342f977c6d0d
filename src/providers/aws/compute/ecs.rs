//! `aws.ecs.set_desired_count`: the number of tasks, and the limits autoscaling keeps. Must never call tasks
//! running that are only asked for.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ecs_limits::{self, Limits};
use super::session::Session;
use super::{Outputs, number, outputs, permanent, shown, text};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::compute::SetDesiredCount;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::call::Call;
use crate::providers::aws::clients::Aws;

const TARGET: &str = "AmazonEC2ContainerServiceV20141113";

/// What was found before the change.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Before {
    desired: u32,
    running: u32,
    limits: Option<Limits>,
}

/// What is to be there.
struct Wanted {
    desired: u32,
    enough: u32,
    /// Nothing short of `desired` will do, and the deployment must be over.
    exactly: bool,
    limits: Option<Limits>,
}

/// A service as it is.
struct Service {
    desired: u32,
    running: u32,
    pending: u32,
    /// State of the one deployment; nothing while there are several.
    rollout: Option<String>,
    /// Why the newest deployment failed.
    failed: Option<String>,
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
    Ok(json!(Before { desired: service.desired, running: service.running, limits }))
}

pub(super) async fn start(
    aws: &Aws,
    it: &SetDesiredCount,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = open(aws, it, context)?;
    let wanted = wanted(&session, it).await?;
    // The limits first: until they allow the number, autoscaling would take it back.
    if let Some(limits) = wanted.limits {
        ecs_limits::set(&session, it, limits).await?;
    }
    let asked = session.change("ecs", "UpdateService");
    let body = json!({"cluster": it.cluster, "service": it.service, "desiredCount": wanted.desired});
    session.json(&Call::json("ecs", "1.1", &format!("{TARGET}.UpdateService"), &body), &asked).await?;
    Ok(Started::Handle(handle(it)))
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
    if let Some(why) = service.failed.as_ref().filter(|_| wanted.exactly) {
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
    if service.desired != wanted.desired || limits != wanted.limits {
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

async fn wanted(session: &Session<'_>, it: &SetDesiredCount) -> Result<Wanted, Failure> {
    let there = match session.context.direction {
        Direction::Do => ecs_limits::of(session, it).await?,
        Direction::Undo => None,
    };
    targets(it, session.context, there)
}

/// What the attempt wants, given the limits that are there.
fn targets(it: &SetDesiredCount, context: &AttemptContext, there: Option<Limits>) -> Result<Wanted, Failure> {
    match context.direction {
        Direction::Do => Ok(Wanted {
            desired: it.desired,
            enough: it.min_success.unwrap_or(it.desired).min(it.desired),
            exactly: it.min_success.is_none() || it.desired == 0,
            limits: there.map(|there| there.wanted(it)).transpose()?,
        }),
        Direction::Undo => {
            let Some(Before { desired, running, limits }) = before(context) else {
                return Err(permanent("the number of tasks before is not recorded; set it by hand"));
            };
            // What did not run before need not run again.
            Ok(Wanted { desired, enough: running.min(desired), exactly: desired == 0, limits })
        }
    }
}

fn before(context: &AttemptContext) -> Option<Before> {
    serde_json::from_value(context.prepared.clone()?).ok()
}

fn is_done(service: &Service, wanted: &Wanted) -> bool {
    if service.desired != wanted.desired {
        return false;
    }
    if !wanted.exactly {
        return service.running >= wanted.enough;
    }
    let settled = service.rollout.as_deref().is_some_and(|state| matches!(state, "COMPLETED" | ""));
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
            .map(|primary| text(primary, "rolloutStateReason").to_owned()),
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
