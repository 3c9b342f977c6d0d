//! Declared components to explicit steps, as one document to another: what the compiler derives is a runbook
//! its author could have written. Must never make a step that a later check does not see.

mod assemble;
mod backups;
mod compute;
mod data;
mod declared;
mod dns;
mod health;
mod kinds;
mod managed;
mod names;
mod origin;
mod own;
mod part;
mod path;
mod queue;
mod replica;
mod same;
mod sense;
mod stages;
mod traffic;
mod values;

use declared::Declared;
pub(super) use origin::Origin;
use part::{Direction, Member, Part, Setting};
use serde_json::{Map, Value};

use super::reporter::Reporter;
use super::tree::Places;
use crate::model::component::Component;

/// A document whose components have become steps.
pub(super) struct Expanded {
    pub(super) document: Value,
    /// Whether its steps are all there.
    pub(super) whole: bool,
    /// What its steps were derived from.
    pub(super) origin: Origin,
}

/// Replaces the components of a document by the steps they stand for. A document without components, or with
/// broken ones, which are reported, stays as it is; with broken ones its steps are not whole.
pub(super) fn expand(mut document: Value, reporter: &mut Reporter<'_>) -> Expanded {
    let Some(declared) = declared::read(&document, reporter) else {
        let none =
            document.get("components").is_none_or(|components| *components == Value::Array(Vec::new()));
        return Expanded { document, whole: none, origin: Origin::none() };
    };
    sense::check(&document, &declared, reporter);
    let Some(fields) = document.as_object_mut() else {
        return Expanded { document, whole: true, origin: Origin::none() };
    };
    let mut values = Map::new();
    let mut readings = Vec::new();
    for direction in [Direction::Failover, Direction::Failback] {
        let members = members(&declared, direction, &mut values, &mut readings);
        if direction == Direction::Failover || kinds::returns(&declared.entries) {
            assemble::workflow(fields, direction, &declared, members, reporter);
        }
    }
    values::keep(fields, &declared, values, reporter);
    if !readings.is_empty() && !fields.contains_key("recovery_point") {
        reporter.places_mut().insert("recovery_point", Places::leaf(declared.span));
        fields.insert("recovery_point".to_owned(), Value::Array(readings));
    }
    fields.remove("components");
    Expanded { document, whole: true, origin: Origin::of(declared) }
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
