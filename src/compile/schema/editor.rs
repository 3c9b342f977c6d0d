//! The schema file for editors: the runbook's, with the parameters of every action where they belong.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{action_schema, without_null};
use crate::model::action::ActionName;
use crate::model::component::ComponentKind;
use crate::model::fleet::Fleet;
use crate::model::runbook::Runbook;

/// Definitions in which `uses` says what `with` must be.
const CALLS: [&str; 7] = ["Step", "Use", "Check", "OtherUse", "DrillForm", "DrillUse", "RecoveryPoint"];

/// Returns the JSON Schema (2020-12) of a runbook file, as committed in `schemas/runbook.schema.json`.
#[must_use]
pub fn schema() -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Runbook>().to_value();
    let mut branches = Vec::new();
    let mut actions = Map::new();
    for name in ActionName::ALL {
        let mut parameters = action_schema(*name);
        if let Value::Object(fields) = &mut parameters {
            fields.insert("description".to_owned(), name.spec().summary.into());
            fields.remove("title");
            if let Some(Value::Object(own)) = fields.remove("$defs") {
                actions.extend(own.into_iter().map(|(key, mut value)| {
                    rename(&mut value, name.as_str());
                    allow_templates(&mut value);
                    (format!("{name}.{key}"), value)
                }));
            }
        }
        rename(&mut parameters, name.as_str());
        allow_templates_inside(&mut parameters);
        branches.push(branch(*name, parameters.get("required").is_some()));
        actions.insert(name.as_str().to_owned(), parameters);
    }
    let components = components(&mut actions);
    without_null(&mut schema);
    if let Some(list) = schema.pointer_mut("/properties/components/items") {
        *list = json!({"$ref": "#/$defs/ComponentCall"});
    }
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        for call in CALLS {
            if let Some(Value::Object(definition)) = definitions.get_mut(call) {
                definition.insert("allOf".to_owned(), json!([{"$ref": "#/$defs/ActionCall"}]));
            }
        }
        definitions.insert("ActionCall".to_owned(), json!({"allOf": branches}));
        definitions.insert("ComponentCall".to_owned(), components);
        definitions.extend(actions);
    }
    without_own_formats(&mut schema);
    schema["$id"] = "https://drctl.dev/schemas/runbook.schema.json".into();
    schema
}

/// Makes what schemars gives fit for editors: optional keys are left out, never null, and no format is said
/// that means something else elsewhere.
pub(in crate::compile) fn tidy(schema: &mut Value) {
    without_null(schema);
    without_own_formats(schema);
}

/// The shape of a component by its kind; its definitions go to the others.
fn components(definitions: &mut Map<String, Value>) -> Value {
    let mut branches = Vec::new();
    for kind in ComponentKind::ALL {
        let mut shape = super::component_schema(*kind);
        if let Some(Value::Object(own)) = shape.as_object_mut().and_then(|fields| fields.remove("$defs")) {
            definitions.extend(own.into_iter().map(|(key, mut value)| {
                rename(&mut value, kind.as_str());
                allow_templates(&mut value);
                (format!("{kind}.{key}"), value)
            }));
        }
        rename(&mut shape, kind.as_str());
        allow_templates_inside(&mut shape);
        branches.push(json!({"if": {"properties": {"kind": {"const": kind.as_str()}}, "required": ["kind"]},
                             "then": {"$ref": format!("#/$defs/{kind}")}}));
        definitions.insert(kind.as_str().to_owned(), shape);
    }
    let kinds: Vec<_> = ComponentKind::ALL.iter().map(|kind| kind.as_str()).collect();
    json!({"type": "object", "required": ["id", "kind"], "properties": {"kind": {"enum": kinds}},
           "allOf": branches})
}

/// Returns the JSON Schema (2020-12) of a fleet file, as committed in `schemas/fleet.schema.json`.
#[must_use]
pub fn fleet_schema() -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Fleet>().to_value();
    without_null(&mut schema);
    without_own_formats(&mut schema);
    schema["$id"] = "https://drctl.dev/schemas/fleet.schema.json".into();
    schema
}

fn branch(name: ActionName, demands: bool) -> Value {
    let mut then = json!({"properties": {"with": {"$ref": format!("#/$defs/{name}")}}});
    if demands {
        then["required"] = json!(["with"]);
    }
    json!({"if": {"properties": {"uses": {"const": name.as_str()}}, "required": ["uses"]}, "then": then})
}

/// Points references at the action's own definitions.
fn rename(schema: &mut Value, action: &str) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{action}.{name}");
                        }
                    }
                    other => rename(other, action),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, action)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Lets a template stand wherever a value of another kind is wanted.
fn allow_templates(schema: &mut Value) {
    allow_templates_inside(schema);
    let plain = matches!(schema, Value::Bool(_))
        || schema.as_object().is_some_and(|fields| {
            fields.get("type").is_some_and(|name| name == "string")
                && ["enum", "const", "pattern", "format", "oneOf"]
                    .iter()
                    .all(|key| !fields.contains_key(*key))
        });
    if !plain {
        let mut strict = std::mem::take(schema);
        let description = strict.as_object_mut().and_then(|fields| fields.remove("description"));
        *schema = json!({"anyOf": [strict, {"type": "string", "pattern": r"\{[{%]"}]});
        if let Some(description) = description {
            schema["description"] = description;
        }
    }
}

/// As [`allow_templates`], for what is inside; the whole must stay a mapping.
fn allow_templates_inside(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(allow_templates);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner @ Value::Object(_)) = fields.get_mut(key) {
            allow_templates(inner);
        }
    }
}

/// Editors know other meanings for some of the names under `format`; the patterns say enough.
fn without_own_formats(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("format").is_some_and(Value::is_string) {
                fields.remove("format");
            }
            fields.values_mut().for_each(without_own_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(without_own_formats),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
