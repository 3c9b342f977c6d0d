//! The JSON Schema of documents, for editors and the compiler. Says nothing that the model does not.

mod editor;
mod scalar;
mod shape;
mod validate;

use std::sync::{LazyLock, OnceLock};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

use crate::model::action::ActionName;
use crate::model::component::ComponentKind;
use crate::model::fleet::Fleet;
use crate::model::runbook::Runbook;

pub(super) use editor::tidy;
pub use editor::{fleet_schema, schema};
pub(super) use shape::Shapes;
pub(super) use validate::{Gaps, validate, validate_part};

/// The shape of a whole runbook.
pub(super) fn runbook() -> &'static Shapes {
    static SHAPES: LazyLock<Shapes> = LazyLock::new(of::<Runbook>);
    &SHAPES
}

/// The shape of a fleet.
pub(super) fn fleet() -> &'static Shapes {
    static SHAPES: LazyLock<Shapes> = LazyLock::new(of::<Fleet>);
    &SHAPES
}

fn of<T: JsonSchema>() -> Shapes {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    Shapes::new(&schema)
}

/// The shape of an action's parameters.
pub(super) fn action(name: ActionName) -> &'static Shapes {
    static SHAPES: LazyLock<Vec<OnceLock<Shapes>>> =
        LazyLock::new(|| ActionName::ALL.iter().map(|_| OnceLock::new()).collect());
    static NOTHING: LazyLock<Shapes> = LazyLock::new(|| Shapes::new(&Value::Bool(true)));
    let position = ActionName::ALL.iter().position(|other| *other == name);
    match position.and_then(|position| SHAPES.get(position)) {
        Some(cell) => cell.get_or_init(|| Shapes::new(&action_schema(name))),
        None => &NOTHING,
    }
}

/// The shape of a component.
pub(super) fn component(kind: ComponentKind) -> &'static Shapes {
    static SHAPES: LazyLock<Vec<OnceLock<Shapes>>> =
        LazyLock::new(|| ComponentKind::ALL.iter().map(|_| OnceLock::new()).collect());
    static NOTHING: LazyLock<Shapes> = LazyLock::new(|| Shapes::new(&Value::Bool(true)));
    let position = ComponentKind::ALL.iter().position(|other| *other == kind);
    match position.and_then(|position| SHAPES.get(position)) {
        Some(cell) => cell.get_or_init(|| Shapes::new(&component_schema(kind))),
        None => &NOTHING,
    }
}

/// The schema of a component, with its definitions inside.
fn component_schema(kind: ComponentKind) -> Value {
    let mut schema = kind.schema();
    without_null(&mut schema);
    schema
}

/// The schema of an action's parameters, with its definitions inside.
fn action_schema(name: ActionName) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = name.schema(&mut generator).to_value();
    let definitions = generator.take_definitions(true);
    if let Value::Object(fields) = &mut schema {
        fields.insert("$defs".to_owned(), Value::Object(definitions));
    }
    without_null(&mut schema);
    schema
}

/// An optional key is left out, never given without a value: takes `null` out of what schemars makes of
/// `Option`.
pub(super) fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            optional(fields);
            fields.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn optional(fields: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = fields.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if fields.get("default").is_some_and(Value::is_null) {
        fields.remove("default");
    }
    let Some(Value::Array(branches)) = fields.get_mut("anyOf") else { return };
    branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(only)] = branches.as_slice() {
        let only = only.clone();
        fields.remove("anyOf");
        for (key, value) in only {
            fields.entry(key).or_insert(value);
        }
    }
}
