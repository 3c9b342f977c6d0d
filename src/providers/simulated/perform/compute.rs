//! Capacity, functions, automation and Kubernetes objects.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::change::{Before, Change, SettingChange};
use super::super::estate::Size;
use super::{Act, Scene, View, unhealthy};
use crate::model::action::aws::compute;
use crate::model::action::{azure, gcp, kubernetes};

fn scale(group: &str, size: Size, enough: Option<u32>) -> Change {
    Change::Scale { group: group.to_owned(), size, enough: enough.unwrap_or(size.wanted) }
}

fn exactly(wanted: u32) -> Size {
    Size { min: wanted, max: wanted, wanted }
}

/// Size before the action, with the given names for its limits and the wanted number.
fn previous(scene: &Scene<'_>, [min, max, wanted]: [&str; 3]) -> Value {
    let Before::Size(size) = scene.before else { return Value::Null };
    let fields = [(min, size.min), (max, size.max), (wanted, size.wanted)];
    fields.into_iter().map(|(name, number)| (name.to_owned(), json!(number))).collect()
}

fn previous_number(scene: &Scene<'_>) -> Value {
    match scene.before {
        Before::Size(size) => json!(size.wanted),
        Before::Nothing | Before::Fenced(_) | Before::Led | Before::Followed(_) | Before::Settings(_) => {
            Value::Null
        }
    }
}

pub(super) fn auto_scaling(it: &compute::SetCapacity) -> Act<'_> {
    let group = format!("aws.autoscaling/{}/{}", it.region, it.group);
    let size = Size { min: it.min, max: it.max, wanted: it.desired };
    Act::new("starting instances", scale(&group, size, it.min_success), move |scene| {
        json!({
            "previous": previous(scene, ["min", "max", "desired"]),
            "in_service": scene.in_service(&group),
            "desired": it.desired,
        })
    })
}

pub(super) fn ecs<'a>(it: &'a compute::SetDesiredCount, view: &View<'_>) -> Act<'a> {
    let group = format!("aws.ecs/{}/{}/{}", it.region, it.cluster, it.service);
    let max = view.estate.capacities().get(&group).map_or(it.desired, |it| it.size.max);
    let size = Size {
        min: it.autoscaling_min.unwrap_or(it.desired),
        max: it.autoscaling_max.unwrap_or(max.max(it.desired)),
        wanted: it.desired,
    };
    Act::new("starting tasks", scale(&group, size, it.min_success), move |scene| {
        json!({
            "previous": previous(scene, ["autoscaling_min", "autoscaling_max", "desired"]),
            "running": scene.in_service(&group),
            "desired": it.desired,
        })
    })
}

pub(super) fn nodegroup(it: &compute::ScaleNodegroup) -> Act<'_> {
    let group = format!("aws.eks/{}/{}/{}", it.region, it.cluster, it.nodegroup);
    let size = Size { min: it.min, max: it.max, wanted: it.desired };
    Act::new("starting nodes", scale(&group, size, it.min_success), move |scene| {
        json!({
            "update_id": scene.view.id("update"),
            "previous": previous(scene, ["min", "max", "desired"]),
            "in_service": scene.in_service(&group),
        })
    })
}

pub(super) fn scale_set(it: &azure::SetCapacity) -> Act<'_> {
    let group = format!("azure.vmss/{}/{}", it.resource_group, it.scale_set);
    Act::new("starting instances", scale(&group, exactly(it.capacity), it.min_success), move |scene| {
        json!({
            "previous": previous_number(scene),
            "capacity": it.capacity,
            "running": scene.in_service(&group),
        })
    })
}

pub(super) fn resize(it: &gcp::Resize) -> Act<'_> {
    let group = format!("gcp.compute/{}/{}/{}", it.project, it.region, it.group);
    Act::new("starting instances", scale(&group, exactly(it.size), it.min_success), move |scene| {
        json!({
            "previous": previous_number(scene),
            "size": it.size,
            "running": scene.in_service(&group),
        })
    })
}

pub(super) fn invoke<'a>() -> Act<'a> {
    Act::plain("invoking", |_| json!({"status": 200, "json": {"status": "ok"}, "version": "$LATEST"}))
}

pub(super) fn automation<'a>() -> Act<'a> {
    Act::plain(
        "running the document",
        |scene| json!({"execution_id": scene.view.id("execution"), "status": "Success", "outputs": {}}),
    )
}

pub(super) fn event_source(it: &compute::SetEventSource) -> Act<'_> {
    let parts = [&it.mapping_id, &it.function, &it.event_source_arn];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    let name = format!("aws.lambda/{}/{}", it.region, parts.join("/"));
    let change = flag(name.clone(), it.enabled);
    Act::new("changing the event source", change, move |scene| {
        let mapping = it.mapping_id.clone().unwrap_or_else(|| scene.view.id("mapping"));
        json!({
            "mapping_id": mapping,
            "state": if it.enabled { "Enabled" } else { "Disabled" },
            "previous_enabled": scene.previous(&name),
        })
    })
}

/// A setting that is on or off, and was the other way round before anybody touched it.
fn flag(name: String, wanted: bool) -> Change {
    let setting = SettingChange { name, wanted: json!(wanted), initially: json!(!wanted), ttl: None };
    Change::Set { settings: vec![setting] }
}

fn workloads(context: &str, namespace: &str, kind: kubernetes::WorkloadKind) -> String {
    format!("kubernetes/{context}/{namespace}/{kind}/")
}

pub(super) fn kubernetes_scale(it: &kubernetes::Scale) -> Act<'_> {
    let group = format!("{}{}", workloads(&it.context, &it.namespace, it.kind), it.name);
    Act::new("starting pods", scale(&group, exactly(it.replicas), it.min_ready), move |scene| {
        json!({
            "previous": previous_number(scene),
            "replicas": it.replicas,
            "ready": scene.in_service(&group),
        })
    })
}

pub(super) fn wait_ready(it: &kubernetes::WaitReady) -> Act<'_> {
    Act::look(move |scene| {
        let prefix = workloads(&it.context, &it.namespace, it.kind);
        let is_meant = |name: &str| match &it.name {
            Some(wanted) => name.strip_prefix(&prefix) == Some(wanted),
            None => name.starts_with(&prefix),
        };
        let known = scene.view.estate.capacities().iter().filter(|(name, _)| is_meant(name));
        let sizes: Vec<(u32, u32)> = known.map(|(_, it)| (it.in_service(scene.at), it.size.wanted)).collect();
        // What nobody has scaled is as ready as it was made to be.
        let sizes = if sizes.is_empty() { vec![(it.min_ready.unwrap_or(2), 2)] } else { sizes };
        let lacking = sizes.iter().find(|(ready, wanted)| *ready < it.min_ready.unwrap_or((*wanted).max(1)));
        if let Some((ready, wanted)) = lacking {
            return Err(unhealthy(format!("{ready} of {wanted} replicas are ready")));
        }
        Ok(json!({
            "workloads": sizes.len(),
            "ready": sizes.iter().map(|(ready, _)| ready).sum::<u32>(),
            "wanted": sizes.iter().map(|(_, wanted)| wanted).sum::<u32>(),
        }))
    })
}

pub(super) fn patch(it: &kubernetes::Patch) -> Act<'_> {
    let namespace = it.namespace.as_deref().unwrap_or("-");
    let name = format!("kubernetes/{}/{namespace}/{}/{}", it.context, it.kind, it.name);
    // A patch may hold secrets: the model keeps its digest.
    let digest = Sha256::digest(it.patch.to_string()).to_vec();
    let setting = SettingChange { name, wanted: json!(digest), initially: Value::Null, ttl: None };
    Act::new(
        "patching",
        Change::Set { settings: vec![setting] },
        |scene| json!({"resource_version": scene.view.id("version"), "changed": !scene.already}),
    )
}

pub(super) fn cronjobs(it: &kubernetes::SuspendCronjobs) -> Act<'_> {
    let prefix = format!("kubernetes/{}/{}/cronjob/", it.context, it.namespace);
    let every = ["all".to_owned()];
    let names: Vec<String> = if it.names.is_empty() { every.to_vec() } else { it.names.clone() };
    let settings = names.iter().map(|name| SettingChange {
        name: format!("{prefix}{name}"),
        wanted: json!(it.suspend),
        initially: json!(!it.suspend),
        ttl: None,
    });
    let change = Change::Set { settings: settings.collect() };
    Act::new("changing cron jobs", change, move |scene| {
        let is_new = |name: &&String| scene.previous(&format!("{prefix}{name}")) != json!(it.suspend);
        let (changed, unchanged): (Vec<&String>, Vec<&String>) = names.iter().partition(is_new);
        let mut outputs = Map::new();
        outputs.insert("changed".to_owned(), json!(changed));
        outputs.insert("unchanged".to_owned(), json!(unchanged));
        outputs.insert("running_jobs".to_owned(), json!([]));
        Value::Object(outputs)
    })
}
