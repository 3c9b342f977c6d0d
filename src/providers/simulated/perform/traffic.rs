//! Weights, health checks, routing controls, endpoints and routes: what sends users elsewhere.

use serde_json::{Map, Value, json};

use super::super::change::{Change, SettingChange};
use super::Act;
use super::records::{INITIAL_ADDRESS, record_name};
use crate::model::action::aws::{arc, route53};
use crate::model::action::{Plane, azure, network};

pub(super) fn change_records(it: &route53::ChangeRecords) -> Act<'_> {
    let settings = it.changes.iter().map(|change| {
        let set = change.set_identifier.as_deref().map(|id| format!("/{id}")).unwrap_or_default();
        let target = change.alias.as_ref().map(|alias| alias.name.clone());
        let wanted = match change.action {
            Some(route53::RecordAction::Delete) => Value::Null,
            Some(route53::RecordAction::Upsert | route53::RecordAction::Create) | None => json!({
                "values": target.map_or_else(|| change.values.clone(), |target| vec![target]),
                "weight": change.weight,
                "failover": change.failover,
                "health_check": change.health_check_id,
            }),
        };
        let initially = match change.action {
            Some(route53::RecordAction::Create) => Value::Null,
            _ => json!({"values": [INITIAL_ADDRESS]}),
        };
        let name = format!("{}{set}", record_name(&change.name, change.record_type));
        SettingChange { name, wanted, initially, ttl: change.ttl }
    });
    let settings: Vec<SettingChange> = settings.collect();
    let names: Vec<String> = settings.iter().map(|it| it.name.clone()).collect();
    Act::new("waiting for INSYNC", Change::Set { settings }, move |scene| {
        let previous: Map<String, Value> =
            names.iter().map(|name| (name.clone(), scene.previous(name))).collect();
        json!({
            "change_id": scene.view.id("change"),
            "previous": previous,
            "previous_ttl_ms": scene.previous_ttl_ms(),
        })
    })
}

pub(super) fn set_failover(it: &route53::SetFailover) -> Act<'_> {
    let name = format!("{}/primary", record_name(&it.name, it.record_type));
    let setting = SettingChange {
        name: name.clone(),
        wanted: json!(it.primary),
        initially: json!(it.secondary),
        ttl: None,
    };
    Act::new("waiting for INSYNC", Change::Set { settings: vec![setting] }, move |scene| {
        json!({
            "change_id": scene.view.id("change"),
            "previous_primary": scene.previous(&name),
            "previous_ttl_ms": scene.previous_ttl_ms(),
            "already": scene.already,
        })
    })
}

/// Weight of a record that nobody has changed yet: traffic that is to go comes from full weight, and the
/// reverse.
fn initial_weight(wanted: u32) -> u32 {
    if wanted == 0 { 100 } else { 0 }
}

fn weigh<'a>(prefix: String, weights: Vec<(String, u32)>, stage: u8) -> Act<'a> {
    let settings = weights.iter().map(|(set, weight)| SettingChange {
        name: format!("{prefix}/weight/{set}"),
        wanted: json!(weight),
        initially: json!(initial_weight(*weight)),
        ttl: None,
    });
    let change = Change::Set { settings: settings.collect() };
    Act::new("moving weights", change, move |scene| {
        let before = |set: &str| scene.previous(&format!("{prefix}/weight/{set}"));
        let previous: Map<String, Value> =
            weights.iter().map(|(set, _)| (set.clone(), before(set))).collect();
        let now: Map<String, Value> =
            weights.iter().map(|(set, weight)| (set.clone(), json!(weight))).collect();
        json!({
            "change_ids": [scene.view.id("change")],
            "previous": previous,
            "weights": now,
            "stage": stage,
        })
    })
}

pub(super) fn drain_site(it: &route53::DrainSite) -> Act<'_> {
    let stage = it.stages.last().copied().unwrap_or(100).min(100);
    let left = 100 - u32::from(stage);
    weigh(record_name(&it.name, it.record_type), vec![(it.site.clone(), left)], stage)
}

pub(super) fn set_weights(it: &route53::SetWeights) -> Act<'_> {
    let weights = it.weights.iter().map(|(set, weight)| (set.clone(), *weight)).collect();
    let stage = it.stages.last().copied().unwrap_or(100).min(100);
    weigh(record_name(&it.name, it.record_type), weights, stage)
}

pub(super) fn set_health_check(it: &route53::SetHealthCheck) -> Act<'_> {
    let name = format!("aws.route53/health_check/{}/inverted", it.health_check_id);
    let setting = SettingChange {
        name: name.clone(),
        wanted: json!(!it.healthy),
        initially: json!(it.healthy),
        ttl: None,
    };
    Act::new("waiting for checkers", Change::Set { settings: vec![setting] }, move |scene| {
        json!({
            "inverted": !it.healthy,
            "previous_inverted": scene.previous(&name),
            "version": 2,
            "status": if it.healthy { "healthy" } else { "unhealthy" },
            "lasting": it.healthy,
        })
    })
}

pub(super) fn check_change<'a>() -> Act<'a> {
    Act::plain("looking", |scene| {
        let submitted = scene.view.faults.started_at;
        json!({"status": "INSYNC", "insync": true, "submitted_at": submitted})
    })
}

pub(super) fn set_routing_controls(it: &arc::SetRoutingControls) -> Act<'_> {
    let name = |arn: &str| format!("aws.arc/{arn}");
    let settings = it.controls.iter().map(|(arn, state)| SettingChange {
        name: name(arn),
        wanted: json!(state),
        initially: json!(match state {
            arc::ControlState::On => arc::ControlState::Off,
            arc::ControlState::Off => arc::ControlState::On,
        }),
        ttl: None,
    });
    let change = Change::Set { settings: settings.collect() };
    Act::new("setting routing controls", change, move |scene| {
        let faults = &scene.view.faults;
        let answers = |endpoint: &&arc::ClusterEndpoint| {
            let place = faults.places.in_region(&endpoint.region);
            faults.answers(&place, Plane::Data, scene.view.now)
        };
        let endpoint = it.cluster_endpoints.iter().find(answers).map(|endpoint| &endpoint.url);
        let previous: Map<String, Value> =
            it.controls.keys().map(|arn| (arn.clone(), scene.previous(&name(arn)))).collect();
        json!({"endpoint": endpoint, "previous": previous, "already": scene.already})
    })
}

pub(super) fn start_region_switch<'a>() -> Act<'a> {
    Act::plain("running the plan", |scene| {
        json!({
            "execution_id": scene.view.id("execution"),
            "state": "completed",
            "exceptions": false,
        })
    })
}

pub(super) fn set_endpoint(it: &azure::SetEndpoint) -> Act<'_> {
    let name = format!("azure.traffic_manager/{}/{}", it.profile, it.endpoint);
    let is_enabled = it.enabled.unwrap_or(true);
    let wanted = json!({
        "status": if is_enabled { "Enabled" } else { "Disabled" },
        "weight": it.weight.unwrap_or(1),
        "priority": it.priority.unwrap_or(1),
    });
    let initially = json!({
        "status": if is_enabled { "Disabled" } else { "Enabled" },
        "weight": 1,
        "priority": 1,
    });
    let setting = SettingChange { name: name.clone(), wanted, initially, ttl: None };
    Act::new("waiting for the monitor", Change::Set { settings: vec![setting] }, move |scene| {
        json!({
            "previous": scene.previous(&name),
            "monitor_status": if is_enabled { "Online" } else { "Disabled" },
            "ttl_ms": scene.previous_ttl_ms(),
        })
    })
}

pub(super) fn switch_route(it: &network::SwitchRoute) -> Act<'_> {
    let of = [it.route_table_ids.join("+"), it.destinations.join("+"), it.switch_command.join(" ")];
    let name = format!("network/{}/{}", it.method, of.join("/"));
    // The command names the new path: what it switches is known by the command that tells the present one.
    let name = if it.current_command.is_empty() {
        name
    } else {
        format!("network/{}", it.current_command.join(" "))
    };
    let setting = SettingChange {
        name: name.clone(),
        wanted: json!(it.to),
        initially: json!("previous-path"),
        ttl: None,
    };
    Act::new(
        "switching routes",
        Change::Set { settings: vec![setting] },
        move |scene| json!({"previous": scene.previous(&name), "current": it.to, "already": scene.already}),
    )
}
