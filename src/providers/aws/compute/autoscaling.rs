//! `aws.autoscaling.set_capacity`: min, max and desired in one call. Must never call a size reached that is
//! only asked for.

use serde_json::{Value, json};

use super::group::{self, Group, call};
use super::session::Session;
use super::size::{Before, Size, Wanted};
use super::{Outputs, headroom, is_young, outputs, permanent, shown};
use crate::engine::input::Observation;
use crate::model::action::aws::compute::SetCapacity;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::xml;

pub(super) async fn prepare(aws: &Aws, it: &SetCapacity, context: &AttemptContext) -> Result<Value, Failure> {
    let session = open(aws, it, context)?;
    let wanted = wanted(it, context)?;
    let group = group::present(&session, &it.group).await?;
    if let Some(status) = &group.status {
        return Err(permanent(format!("Auto Scaling group `{}` is `{}`", it.group, shown(status))));
    }
    let (now, process) =
        (group.present(), if wanted.size.desired > group.present() { "Launch" } else { "Terminate" });
    if wanted.size.desired != now && group.suspended.iter().any(|it| it == process) {
        return Err(permanent(format!(
            "process {process} of Auto Scaling group `{}` is suspended, so that {now} instances stay {now}: resume it",
            it.group
        )));
    }
    let headroom = headroom::check(&session, &group, wanted.enough).await?;
    Ok(json!({"size": group.size, "serving": group.serving(), "headroom": headroom}))
}

pub(super) async fn start(aws: &Aws, it: &SetCapacity, context: &AttemptContext) -> Result<Started, Failure> {
    let session = open(aws, it, context)?;
    let wanted = wanted(it, context)?;
    let now = group::present(&session, &it.group).await?.size;
    if wanted.is_set(now) {
        return Ok(Started::Handle(handle(it)));
    }
    wanted.may_be_set(now, named(it), context)?;
    let Size { min, max, desired } = wanted.size;
    let [min, max, desired] = [min, max, desired].map(|number| number.to_string());
    let asked = session.change("autoscaling", "UpdateAutoScalingGroup");
    let parameters = [
        ("AutoScalingGroupName", it.group.as_str()),
        ("MinSize", &min),
        ("MaxSize", &max),
        ("DesiredCapacity", &desired),
    ];
    session.ask(&call("UpdateAutoScalingGroup", &parameters), &asked).await?;
    Ok(Started::Handle(json!({"group": it.group, "at": aws.now()})))
}

pub(super) async fn poll(
    aws: &Aws,
    it: &SetCapacity,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let session = open(aws, it, context)?;
    let wanted = wanted(it, context)?;
    let group = group::present(&session, &it.group).await?;
    // Scaling policies may move `desired` between the limits; the limits are ours.
    if (group.size.min, group.size.max) != (wanted.size.min, wanted.size.max) {
        if is_young(handle, aws.now(), SetCapacity::SPEC.settle) {
            return Ok(Polled::Pending(Some(format!("group {} still has {}", it.group, group.size))));
        }
        return Err(permanent(format!(
            "Auto Scaling group `{}` was set to {} by somebody else meanwhile",
            it.group, group.size
        )));
    }
    if is_done(&group, &wanted) {
        return Ok(Polled::Done(made(&group, context)));
    }
    let mut line = format!("{} of {} instances in service and healthy", group.serving(), wanted.size.desired);
    if wanted.shrinks {
        line = format!("{line}, {} there", group.present());
        if group.protected() > wanted.size.desired {
            line = format!("{line}, {} protected from scaling in", group.protected());
        }
    } else if let Some(why) = last_failure(&session, &it.group).await {
        line = format!("{line}; a launch failed: {}", shown(&why));
    } else if let Some(why) = warning(context) {
        line = format!("{line}; {}", shown(why));
    }
    Ok(Polled::Pending(Some(line)))
}

pub(super) async fn observe(aws: &Aws, it: &SetCapacity, context: &AttemptContext) -> Observation {
    let look = async {
        let session = open(aws, it, context)?;
        Ok::<_, Failure>((wanted(it, context)?, group::present(&session, &it.group).await?))
    };
    match look.await {
        Err(failure) => Observation::Unknown(failure.message),
        Ok((wanted, group)) if !wanted.is_set(group.size) => Observation::NotApplied,
        Ok((wanted, group)) if is_done(&group, &wanted) => Observation::Applied(made(&group, context)),
        Ok(_) => Observation::InProgress(handle(it)),
    }
}

fn open<'a>(aws: &'a Aws, it: &SetCapacity, context: &'a AttemptContext) -> Result<Session<'a>, Failure> {
    Session::open(aws, &it.region, it.account.as_ref(), context)
}

fn wanted(it: &SetCapacity, context: &AttemptContext) -> Result<Wanted, Failure> {
    Wanted::of(named(it), it.min_success, context)
}

fn named(it: &SetCapacity) -> Result<Size, Failure> {
    Size::new(it.min, it.max, it.desired)
}

fn is_done(group: &Group, wanted: &Wanted) -> bool {
    group.serving() >= wanted.enough && (!wanted.shrinks || group.present() <= wanted.size.desired)
}

/// What `prepare` saw that may keep instances from starting.
fn warning(context: &AttemptContext) -> Option<&str> {
    context.prepared.as_ref()?["headroom"]["warning"].as_str()
}

/// Why the newest activity failed, if it did. What cannot be asked is left out: it is a line for people.
async fn last_failure(session: &Session<'_>, name: &str) -> Option<String> {
    let asked = session.read("autoscaling", "DescribeScalingActivities");
    let call = call("DescribeScalingActivities", &[("AutoScalingGroupName", name), ("MaxRecords", "1")]);
    let read = |answer: &str| {
        let document = xml::parse(answer)?;
        let path = "DescribeScalingActivitiesResult/Activities";
        let newest = xml::members(document.root_element(), path).into_iter().next();
        let failed = newest.filter(|it| xml::text(*it, "StatusCode") == Some("Failed"));
        Ok(failed.and_then(|it| xml::text(it, "StatusMessage")).map(str::to_owned))
    };
    session.query(&call, &asked, read).await.ok()?
}

fn handle(it: &SetCapacity) -> Value {
    json!({"group": it.group})
}

fn made(group: &Group, context: &AttemptContext) -> Outputs {
    outputs(json!({
        "previous": Before::size_of(context),
        "in_service": group.serving(),
        "desired": group.size.desired,
    }))
}
