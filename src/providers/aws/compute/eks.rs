//! `aws.eks.scale_nodegroup`: size of a managed node group, by an update that is followed. Must never call an
//! update a success whose nodes are not in service.

use serde_json::{Value, json};

use super::group;
use super::session::{self, Session};
use super::size::{Before, Size, Wanted};
use super::{Outputs, is_young, number, outputs, permanent, shown, text};
use crate::engine::input::Observation;
use crate::model::action::aws::compute::ScaleNodegroup;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::call::{Call, segment};
use crate::providers::aws::clients::Aws;
use crate::providers::excerpt;

/// A node group as it is.
struct Nodegroup {
    size: Size,
    status: String,
    serving: u32,
    present: u32,
    issue: String,
}

pub(super) async fn prepare(
    aws: &Aws,
    it: &ScaleNodegroup,
    context: &AttemptContext,
) -> Result<Value, Failure> {
    let session = open(aws, it, context)?;
    wanted(it, context)?;
    let nodes = present(&session, it).await?;
    if !matches!(nodes.status.as_str(), "ACTIVE" | "UPDATING" | "DEGRADED") {
        let status = shown(&nodes.status);
        return Err(permanent(format!("node group `{}` is {status}: it cannot be scaled", it.nodegroup)));
    }
    Ok(json!(Before { size: nodes.size, serving: nodes.serving }))
}

pub(super) async fn start(
    aws: &Aws,
    it: &ScaleNodegroup,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = open(aws, it, context)?;
    let wanted = wanted(it, context)?;
    let now = present(&session, it).await?.size;
    if wanted.is_set(now) {
        return Ok(Started::Handle(json!({"update_id": null})));
    }
    wanted.may_be_set(now, named(it), context)?;
    let Size { min, max, desired } = wanted.size;
    let asked = session.change("eks", "UpdateNodegroupConfig");
    let call =
        Call::rest("eks", http::Method::POST, &format!("{}/update-config", path(it))).content(&json!({
            "scalingConfig": {"minSize": min, "maxSize": max, "desiredSize": desired},
            "clientRequestToken": session::token(context),
        }));
    let update = session.json(&call, &asked).await?;
    Ok(Started::Handle(json!({"update_id": update["update"]["id"], "at": aws.now()})))
}

pub(super) async fn poll(
    aws: &Aws,
    it: &ScaleNodegroup,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let session = open(aws, it, context)?;
    let wanted = wanted(it, context)?;
    let update = text(handle, "update_id");
    let young = is_young(handle, aws.now(), ScaleNodegroup::SPEC.settle);
    if !update.is_empty() && !is_over(&session, it, update, young).await? {
        return Ok(Polled::Pending(Some(format!("update {} is under way", shown(update)))));
    }
    let nodes = present(&session, it).await?;
    if is_done(&nodes, &wanted) {
        return Ok(Polled::Done(made(&nodes, update, context)));
    }
    let Nodegroup { size, serving, status, issue, .. } = &nodes;
    if !young && status == "ACTIVE" && (size.min, size.max) != (wanted.size.min, wanted.size.max) {
        return Err(permanent(format!(
            "node group `{}` has {size}: somebody else set it meanwhile",
            it.nodegroup
        )));
    }
    let mut line =
        format!("{serving} of {} nodes in service, node group {}", wanted.size.desired, shown(status));
    if !issue.is_empty() {
        line = format!("{line}; {}", shown(issue));
    }
    Ok(Polled::Pending(Some(line)))
}

pub(super) async fn observe(aws: &Aws, it: &ScaleNodegroup, context: &AttemptContext) -> Observation {
    let look = async {
        let session = open(aws, it, context)?;
        Ok::<_, Failure>((wanted(it, context)?, present(&session, it).await?))
    };
    match look.await {
        Err(failure) => Observation::Unknown(failure.message),
        Ok((wanted, nodes)) if !wanted.is_set(nodes.size) => Observation::NotApplied,
        Ok((wanted, nodes)) if is_done(&nodes, &wanted) => Observation::Applied(made(&nodes, "", context)),
        Ok(_) => Observation::InProgress(json!({"update_id": null})),
    }
}

fn open<'a>(aws: &'a Aws, it: &ScaleNodegroup, context: &'a AttemptContext) -> Result<Session<'a>, Failure> {
    Session::open(aws, &it.region, it.account.as_ref(), context)
}

fn wanted(it: &ScaleNodegroup, context: &AttemptContext) -> Result<Wanted, Failure> {
    Wanted::of(named(it), it.min_success, context)
}

fn named(it: &ScaleNodegroup) -> Result<Size, Failure> {
    Size::new(it.min, it.max, it.desired)
}

fn path(it: &ScaleNodegroup) -> String {
    format!("/clusters/{}/node-groups/{}", segment(&it.cluster), segment(&it.nodegroup))
}

/// Whether the update is over; fails when it came to nothing.
async fn is_over(
    session: &Session<'_>,
    it: &ScaleNodegroup,
    update: &str,
    young: bool,
) -> Result<bool, Failure> {
    let asked = session.read("eks", "DescribeUpdate");
    let path = format!("/clusters/{}/updates/{}", segment(&it.cluster), segment(update));
    let call = Call::rest("eks", http::Method::GET, &path).parameter("nodegroupName", &it.nodegroup);
    let Some(found) = session.json_if_there(&call, &asked, "ResourceNotFoundException").await? else {
        let missing = || permanent(format!("there is no update {} of it", shown(update)));
        return if young { Ok(false) } else { Err(missing()) };
    };
    let found = &found["update"];
    match text(found, "status") {
        "Successful" => Ok(true),
        status @ ("Failed" | "Cancelled") => {
            let why = shown(text(&found["errors"][0], "errorMessage"));
            let what = format!("the update of node group `{}` ended as {status}: {why}", it.nodegroup);
            Err(permanent(what))
        }
        _ => Ok(false),
    }
}

/// The node group, which must be there, with the instances of its Auto Scaling groups.
async fn present(session: &Session<'_>, it: &ScaleNodegroup) -> Result<Nodegroup, Failure> {
    let asked = session.read("eks", "DescribeNodegroup");
    let call = Call::rest("eks", http::Method::GET, &path(it));
    let found = session.json_if_there(&call, &asked, "ResourceNotFoundException").await?;
    let Some(found) = found else {
        let (cluster, region) = (excerpt::head(&it.cluster, 80), &session.place.region);
        return Err(permanent(format!(
            "there is no node group `{}` of cluster `{cluster}` in {region}",
            excerpt::head(&it.nodegroup, 80)
        )));
    };
    let found = &found["nodegroup"];
    let scaling = &found["scalingConfig"];
    let sizes =
        number(scaling, "minSize").zip(number(scaling, "maxSize")).zip(number(scaling, "desiredSize"));
    let Some(((min, max), desired)) = sizes else {
        return Err(permanent(format!("node group `{}` has no size", it.nodegroup)));
    };
    let none = Vec::new();
    let groups = found["resources"]["autoScalingGroups"].as_array().unwrap_or(&none);
    let (mut serving, mut there) = (0, 0);
    for name in groups.iter().map(|group| text(group, "name")).filter(|name| !name.is_empty()) {
        let group = group::present(session, name).await?;
        serving += group.serving();
        there += group.present();
    }
    Ok(Nodegroup {
        size: Size { min, max, desired },
        status: text(found, "status").to_owned(),
        serving,
        present: there,
        issue: text(&found["health"]["issues"][0], "message").to_owned(),
    })
}

fn is_done(nodes: &Nodegroup, wanted: &Wanted) -> bool {
    wanted.is_set(nodes.size)
        && nodes.status != "UPDATING"
        && nodes.serving >= wanted.enough
        && (!wanted.shrinks || nodes.present <= wanted.size.desired)
}

fn made(nodes: &Nodegroup, update: &str, context: &AttemptContext) -> Outputs {
    outputs(json!({
        "update_id": if update.is_empty() { Value::Null } else { json!(update) },
        "previous": Before::size_of(context),
        "in_service": nodes.serving,
    }))
}
