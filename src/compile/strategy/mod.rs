//! Declared components to explicit steps, as one document to another: what the compiler derives is a runbook
//! its author could have written. Must never make a step that a later check does not see.

mod assemble;
mod compute;
mod data;
mod declared;
mod part;
mod stages;
mod traffic;

use serde_json::{Map, Value};

use super::reporter::Reporter;
use super::tree::Places;
use crate::model::component::{Component, ComponentRole};
use crate::model::runbook::Strategy;
use declared::Declared;
use part::{Direction, Member, Part, Setting};

/// Replaces the components of a document by the steps they stand for. A document without components, or with
/// broken ones, which are reported, stays as it is.
pub(super) fn expand(mut document: Value, reporter: &mut Reporter<'_>) -> Value {
    let Some(declared) = declared::read(&document, reporter) else { return document };
    let Some(fields) = document.as_object_mut() else { return document };
    let mut values = Map::new();
    let mut readings = Vec::new();
    for direction in [Direction::Failover, Direction::Failback] {
        let members = members(&declared, direction, &mut values, &mut readings);
        if direction == Direction::Failover || returns(&declared) {
            assemble::workflow(fields, direction, &declared, members, reporter);
        }
    }
    keep_values(fields, &declared, values, reporter);
    if !readings.is_empty() && !fields.contains_key("recovery_point") {
        reporter.places_mut().insert("recovery_point", Places::leaf(declared.span));
        fields.insert("recovery_point".to_owned(), Value::Array(readings));
    }
    fields.remove("components");
    document
}

/// The derived steps of one direction; the readings of the recovery point are the same in both.
fn members(
    declared: &Declared,
    direction: Direction,
    values: &mut Map<String, Value>,
    readings: &mut Vec<Value>,
) -> Vec<Member> {
    let mut members = Vec::new();
    let setting = Setting { strategy: declared.strategy, objectives: &declared.objectives };
    for (at, entry) in declared.entries.iter().enumerate() {
        let mut part = Part::new(&setting, direction, (at, &entry.id), &mut members, values);
        let reading = steps(&entry.component, &mut part);
        readings.extend(reading.filter(|_| direction == Direction::Failover));
    }
    members
}

/// Adds the steps of a component; returns the reading of its recovery point.
fn steps(component: &Component, part: &mut Part<'_>) -> Option<Value> {
    match component {
        Component::PostgresServer(it) => return Some(data::postgres(it, part)),
        Component::ReadReplica(it) => return Some(data::read_replica(it, part)),
        Component::GlobalCluster(it) => return Some(data::global_cluster(it, part)),
        Component::BackupResource(it) => return Some(data::backup_resource(it, part)),
        Component::GlobalTable(it) => return Some(data::global_table(it, part)),
        Component::EcsService(it) => compute::ecs(it, part),
        Component::AutoscalingGroup(it) => compute::autoscaling(it, part),
        Component::EventSource(it) => compute::event_source(it, part),
        Component::RoutingControls(it) => traffic::routing_controls(it, part),
        Component::WeightedRecords(it) => traffic::weighted_records(it, part),
        Component::HttpEndpoint(it) => traffic::http_endpoint(it, part),
    }
    None
}

/// Whether the way back can be derived: the data can be exchanged as often as wanted.
fn returns(declared: &Declared) -> bool {
    let swaps = |component: &Component| match component {
        Component::ReadReplica(_) | Component::BackupResource(_) => false,
        Component::PostgresServer(_) | Component::GlobalCluster(_) | Component::GlobalTable(_) => true,
        other => other.kind().role() != ComponentRole::Data,
    };
    declared.entries.iter().all(|entry| swaps(&entry.component))
}

/// Lays what templates read into the sites, beside the author's own values.
fn keep_values(
    fields: &mut Map<String, Value>,
    declared: &Declared,
    values: Map<String, Value>,
    reporter: &mut Reporter<'_>,
) {
    for (site, added) in values {
        let Some(Value::Object(site_fields)) = fields.get_mut("sites").and_then(|sites| sites.get_mut(&site))
        else {
            continue;
        };
        let own = site_fields.entry("values").or_insert_with(|| Value::Object(Map::new()));
        let (Value::Object(own), Value::Object(added)) = (own, added) else { continue };
        for (key, value) in added {
            if own.contains_key(&key) {
                declared.taken(&site, &key, reporter);
            } else {
                own.insert(key, value);
            }
        }
    }
}

/// What a strategy and a kind of component have to do with each other.
fn fits(component: &Component, strategy: Strategy) -> bool {
    match component {
        Component::PostgresServer(_) | Component::ReadReplica(_) | Component::GlobalCluster(_) => {
            matches!(strategy, Strategy::PilotLight | Strategy::WarmStandby)
        }
        Component::BackupResource(_) => strategy == Strategy::BackupRestore,
        Component::GlobalTable(_) => strategy == Strategy::ActiveActive,
        Component::RoutingControls(_) => strategy != Strategy::ActiveActive,
        Component::EcsService(_)
        | Component::AutoscalingGroup(_)
        | Component::EventSource(_)
        | Component::WeightedRecords(_)
        | Component::HttpEndpoint(_) => true,
    }
}
