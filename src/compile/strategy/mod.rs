//! Declared components to explicit steps, as one document to another: what the compiler derives is a runbook
//! its author could have written. Must never make a step that a later check does not see.

mod assemble;
mod backups;
mod by_hand;
mod compute;
mod data;
mod declared;
mod dns;
mod health;
mod kinds;
mod managed;
mod part;
mod path;
mod queue;
mod replica;
mod stages;
mod traffic;

use serde_json::{Map, Value};

use super::reporter::Reporter;
use super::tree::Places;
use crate::model::component::Component;
use declared::Declared;
use part::{Direction, Member, Part, Setting};

/// Replaces the components of a document by the steps they stand for. A document without components, or with
/// broken ones, which are reported, stays as it is; with broken ones its steps are not whole.
pub(super) fn expand(mut document: Value, reporter: &mut Reporter<'_>) -> (Value, bool) {
    let Some(declared) = declared::read(&document, reporter) else {
        let none =
            document.get("components").is_none_or(|components| *components == Value::Array(Vec::new()));
        return (document, none);
    };
    let Some(fields) = document.as_object_mut() else { return (document, true) };
    let mut values = Map::new();
    let mut readings = Vec::new();
    for direction in [Direction::Failover, Direction::Failback] {
        let members = members(&declared, direction, &mut values, &mut readings);
        if direction == Direction::Failover || kinds::returns(&declared.entries) {
            assemble::workflow(fields, direction, &declared, members, reporter);
        }
    }
    keep_values(fields, &declared, values, reporter);
    if !readings.is_empty() && !fields.contains_key("recovery_point") {
        reporter.places_mut().insert("recovery_point", Places::leaf(declared.span));
        fields.insert("recovery_point".to_owned(), Value::Array(readings));
    }
    fields.remove("components");
    (document, true)
}

/// The derived steps of one direction; the readings of the recovery point are the same in both.
fn members(
    declared: &Declared,
    direction: Direction,
    values: &mut Map<String, Value>,
    readings: &mut Vec<Value>,
) -> Vec<Member> {
    let mut members = Vec::new();
    let endpoints = declared.entries.iter().filter_map(|entry| match &entry.component {
        Component::HttpEndpoint(endpoint) => Some((entry.id.as_str(), endpoint)),
        _ => None,
    });
    let setting = Setting {
        strategy: declared.strategy,
        objectives: &declared.objectives,
        endpoints: endpoints.collect(),
    };
    for (at, entry) in declared.entries.iter().enumerate() {
        let mut part = Part::new(&setting, direction, (at, entry), &mut members, values);
        let reading = kinds::steps(&entry.component, &mut part);
        readings.extend(reading.filter(|_| direction == Direction::Failover));
    }
    members
}

/// Lays what templates read into the sites, beside the author's own values.
fn keep_values(
    fields: &mut Map<String, Value>,
    declared: &Declared,
    values: Map<String, Value>,
    reporter: &mut Reporter<'_>,
) {
    let span_of = |key: &str| {
        let entry = declared.entries.iter().find(|entry| part::key(&entry.id) == key);
        entry.map_or(declared.span, |entry| entry.span)
    };
    for (site, added) in values {
        let Some(Value::Object(site_fields)) = fields.get_mut("sites").and_then(|sites| sites.get_mut(&site))
        else {
            continue;
        };
        let own = site_fields.entry("values").or_insert_with(|| Value::Object(Map::new()));
        let (Value::Object(own), Value::Object(added)) = (own, added) else { continue };
        for (key, value) in added {
            if own.contains_key(&key) {
                declared::taken(&site, &key, reporter);
            } else {
                let span = span_of(&key);
                reporter.places_mut().put(&["sites", &site, "values", &key], Places::leaf(span), span);
                own.insert(key, value);
            }
        }
    }
}
