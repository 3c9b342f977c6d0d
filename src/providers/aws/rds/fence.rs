//! `aws.rds.fence`: keeps an old primary from accepting writes, and lifts that again. Must never call a fence
//! confirmed while a connection made before it may still write.

use serde_json::{Value, json};

use super::fence_doubt;
use super::fence_target::{Groups, Target};
use super::quarantine;
use super::session::Session;
use super::state::{self, State, must_be_ready};
use super::{Outputs, permanent, refused};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::rds::{Fence, FenceMethod};
use crate::model::run::Failure;
use crate::model::time::Duration;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::excerpt;

/// Time within which an accepted reboot shows in the status of an instance.
const SHOWS_WITHIN: Duration = Duration::from_secs(60);
/// Source: the vendor's guide on stopping an instance, and on stopping a cluster.
const STOP_ENDS: &str = "RDS starts by itself after seven days what was stopped";

/// Reads what `undo` needs, and refuses what cannot fence.
pub(super) async fn prepare(aws: &Aws, it: &Fence, context: &AttemptContext) -> Result<Value, Failure> {
    let session = open(aws, it, context).await?;
    let target = Target::find(&session, it).await?;
    match it.method {
        FenceMethod::Quarantine => quarantine::check(&session, it).await?,
        FenceMethod::Stop => target.can_be_stopped()?,
    }
    Ok(json!({"security_group_ids": target.groups().ids, "status": target.status()}))
}

pub(super) async fn start(aws: &Aws, it: &Fence, context: &AttemptContext) -> Result<Started, Failure> {
    let session = open(aws, it, context).await?;
    let target = Target::find(&session, it).await?;
    let handle = Started::Handle(json!({"at": aws.now()}));
    match (it.method, context.direction) {
        (FenceMethod::Quarantine, direction) => {
            let wanted = wanted_groups(it, context)?;
            if target.groups().ids != wanted {
                match direction {
                    Direction::Do => quarantine::check(&session, it).await?,
                    Direction::Undo => must_be_ours(it, &target)?,
                }
                target.set_groups(&session, wanted).await?;
            }
        }
        (FenceMethod::Stop, Direction::Do) => match state::state(target.status()) {
            State::Stopped => return Ok(Started::Done(outputs(it, context, None))),
            _ if target.status() == "stopping" => {}
            _ => {
                target.can_be_stopped()?;
                must_be_ready(target.kind(), &it.identifier, Some(target.status()))?;
                target.stop(&session).await?;
            }
        },
        (FenceMethod::Stop, Direction::Undo) if was_stopped(context) => {
            return Ok(Started::Done(outputs(it, context, None)));
        }
        (FenceMethod::Stop, Direction::Undo) => match state::state(target.status()) {
            State::Stopped => target.start(&session).await?,
            _ if target.status() == "stopping" => {
                return Err(state::busy(format!("`{}` is still stopping", it.identifier)));
            }
            _ => {}
        },
    }
    Ok(handle)
}

pub(super) async fn poll(aws: &Aws, it: &Fence, context: &AttemptContext) -> Result<Polled, Failure> {
    let session = open(aws, it, context).await?;
    let target = Target::find(&session, it).await?;
    match stage(it, context, &target)? {
        Stage::Holds => Ok(Polled::Done(held(&session, it, context, &target).await)),
        Stage::GroupsHold => end_connections(&session, it, context, &target).await,
        Stage::NotYet | Stage::Untouched => {
            note_reboot(&session, context, &target);
            let status = excerpt::head(target.status(), 60);
            let groups = target.groups().shown();
            Ok(Polled::Pending(Some(format!("{} is {status}, in {groups}", it.identifier))))
        }
    }
}

pub(super) async fn observe(aws: &Aws, it: &Fence, context: &AttemptContext) -> Observation {
    let look = async {
        let session = open(aws, it, context).await?;
        let target = Target::find(&session, it).await?;
        Ok(match stage(it, context, &target)? {
            Stage::Holds => Observation::Applied(held(&session, it, context, &target).await),
            Stage::GroupsHold | Stage::NotYet => Observation::InProgress(json!({"at": aws.now()})),
            Stage::Untouched => Observation::NotApplied,
        })
    };
    look.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

/// How far the fence, or its undo, has come.
enum Stage {
    Untouched,
    NotYet,
    /// The groups are as wanted, and connections made before have to be ended.
    GroupsHold,
    Holds,
}

fn stage(it: &Fence, context: &AttemptContext, target: &Target) -> Result<Stage, Failure> {
    let state = state::state(target.status());
    Ok(match (it.method, context.direction) {
        (FenceMethod::Quarantine, direction) => {
            let Groups { ids, settled } = target.groups();
            match (ids == wanted_groups(it, context)?, settled && state != State::Busy) {
                (false, _) => Stage::Untouched,
                (true, false) => Stage::NotYet,
                (true, true) if direction == Direction::Do && it.end_connections => Stage::GroupsHold,
                (true, true) => Stage::Holds,
            }
        }
        (FenceMethod::Stop, Direction::Do) => match state {
            State::Stopped => Stage::Holds,
            _ if target.status() == "stopping" => Stage::NotYet,
            _ => Stage::Untouched,
        },
        (FenceMethod::Stop, Direction::Undo) if was_stopped(context) => Stage::Holds,
        (FenceMethod::Stop, Direction::Undo) => match state {
            State::Ready => Stage::Holds,
            State::Stopped => Stage::Untouched,
            State::Busy => Stage::NotYet,
            State::Broken => return Err(state::broken(target.kind(), &it.identifier, target.status())),
        },
    })
}

/// Reboots what accepts writes, once for each attempt that this process makes. After a takeover it may be
/// rebooted again, which only takes longer: nobody can connect in between.
async fn end_connections(
    session: &Session<'_>,
    it: &Fence,
    context: &AttemptContext,
    target: &Target,
) -> Result<Polled, Failure> {
    let Some(instance) = target.writer() else {
        return Ok(Polled::Done(held(session, it, context, target).await));
    };
    let writer = session.present_instance(instance).await?;
    let status = writer.db_instance_status().unwrap_or("unknown");
    let (key, seen) = reboot_keys(context, instance);
    let line = |what: &str| Ok(Polled::Pending(Some(format!("{instance} is in quarantine{what}"))));
    match (state::state(status), session.aws.noted_at(&key)) {
        (State::Ready, Some(at)) => {
            let is_over =
                session.aws.noted_at(&seen).is_some() || session.aws.now().since(at) >= SHOWS_WITHIN;
            if is_over {
                return Ok(Polled::Done(held(session, it, context, target).await));
            }
            line("; its reboot does not show yet")
        }
        (State::Ready, None) => {
            let asked = session.change("RebootDBInstance");
            let order = session.client.reboot_db_instance().db_instance_identifier(instance);
            order.send().await.map_err(|error| asked.failure(error))?;
            session.aws.note(key);
            line("; ending its connections")
        }
        // Nothing connects to a server that does not run.
        (State::Stopped, _) => Ok(Polled::Done(held(session, it, context, target).await)),
        (State::Broken, _) => {
            let status = excerpt::head(status, 60);
            let doubt = format!("{instance} is `{status}`, in which it may serve connections made before");
            Ok(Polled::Done(outputs(it, context, Some(doubt))))
        }
        (State::Busy, noted) => {
            if noted.is_some() {
                session.aws.note(seen);
            }
            line(&format!(" and {}", excerpt::head(status, 60)))
        }
    }
}

/// Notes that a reboot shows, where this process has ordered one.
fn note_reboot(session: &Session<'_>, context: &AttemptContext, target: &Target) {
    let Some((ordered, seen)) = target.writer().map(|instance| reboot_keys(context, instance)) else {
        return;
    };
    if session.aws.noted_at(&ordered).is_some() && state::state(target.status()) == State::Busy {
        session.aws.note(seen);
    }
}

/// What is noted once the reboot of an instance is ordered, and once it shows.
fn reboot_keys(context: &AttemptContext, instance: &str) -> (String, String) {
    let ordered = format!("{}/{instance}/rebooted", context.idempotency_key);
    let seen = format!("{ordered}/seen");
    (ordered, seen)
}

/// Outputs once the fence, or its undo, holds.
async fn held(session: &Session<'_>, it: &Fence, context: &AttemptContext, target: &Target) -> Outputs {
    let doubt = match (it.method, context.direction) {
        (FenceMethod::Quarantine, Direction::Do) => {
            fence_doubt::of_quarantine(session, target, it.end_connections).await
        }
        (FenceMethod::Quarantine, Direction::Undo) | (FenceMethod::Stop, _) => None,
    };
    outputs(it, context, doubt)
}

async fn open<'a>(aws: &'a Aws, it: &Fence, context: &'a AttemptContext) -> Result<Session<'a>, Failure> {
    Session::open(aws, &it.region, it.account.as_ref(), context).await
}

/// The groups it must have afterwards, in order.
fn wanted_groups(it: &Fence, context: &AttemptContext) -> Result<Vec<String>, Failure> {
    let mut wanted = match context.direction {
        Direction::Do => it.quarantine_security_group_ids.clone(),
        Direction::Undo => previous_groups(context),
    };
    wanted.sort();
    wanted.dedup();
    match (wanted.is_empty(), context.direction) {
        (false, _) => Ok(wanted),
        (true, Direction::Do) => Err(permanent("`quarantine_security_group_ids` is empty; nothing was sent")),
        (true, Direction::Undo) => Err(permanent(format!(
            "the security groups `{}` had before the fence were not recorded: set them by hand",
            it.identifier
        ))),
    }
}

/// Whether it did not run before the first attempt: then the undo has nothing to start.
fn was_stopped(context: &AttemptContext) -> bool {
    let status = context.prepared.as_ref().and_then(|prepared| prepared["status"].as_str());
    matches!(status, Some("stopped" | "stopping"))
}

/// Lifts only the quarantine that this step has set.
fn must_be_ours(it: &Fence, target: &Target) -> Result<(), Failure> {
    let mut set = it.quarantine_security_group_ids.clone();
    set.sort();
    set.dedup();
    if target.groups().ids == set {
        return Ok(());
    }
    Err(refused(format!(
        "`{}` is in {}, which this step has not set: somebody else changed it; nothing was taken back",
        it.identifier,
        target.groups().shown()
    )))
}

fn previous_groups(context: &AttemptContext) -> Vec<String> {
    let read = context.prepared.as_ref().and_then(|prepared| prepared["security_group_ids"].as_array());
    read.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn outputs(it: &Fence, context: &AttemptContext, doubt: Option<String>) -> Outputs {
    let confirmed = doubt.is_none();
    let reason = doubt.or_else(|| (it.method == FenceMethod::Stop).then(|| STOP_ENDS.to_owned()));
    let previous = previous_groups(context);
    let outputs = match context.direction {
        Direction::Do => json!({
            "confirmed": confirmed,
            "reason": reason,
            "method": it.method,
            "previous_security_group_ids": previous,
        }),
        Direction::Undo => json!({}),
    };
    state::outputs(outputs)
}
