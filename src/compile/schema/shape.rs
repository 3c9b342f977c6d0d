//! A JSON Schema turned into something quick to check against. Understands what schemars writes for the
//! model, no more.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Position of a shape among its [`Shapes`].
pub(super) type ShapeIndex = usize;

/// Shapes that refer to each other; the first is the whole document's.
pub(in crate::compile) struct Shapes {
    shapes: Vec<Shape>,
}

/// What a value must be.
#[derive(Default)]
pub(super) struct Shape {
    /// Kinds allowed, as names of JSON Schema; empty: any.
    pub(super) kinds: Vec<&'static str>,
    /// The only texts allowed.
    pub(super) words: Vec<String>,
    /// What a mapping may hold.
    pub(super) keys: Option<Keys>,
    /// What a list holds.
    pub(super) items: Option<ShapeIndex>,
    /// One of these must fit.
    pub(super) any_of: Vec<ShapeIndex>,
    pub(super) format: Option<Format>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) fewest: Option<u64>,
    pub(super) most: Option<u64>,
    pub(super) description: Option<String>,
    /// Name of the definition, where it has one.
    pub(super) name: Option<String>,
}

/// The keys of a mapping.
pub(super) struct Keys {
    pub(super) known: HashMap<String, ShapeIndex>,
    pub(super) order: Vec<String>,
    pub(super) required: Vec<String>,
    pub(super) rest: Rest,
}

/// What keys that are not named may hold.
#[derive(Clone, Copy)]
pub(super) enum Rest {
    Anything,
    Nothing,
    Shape(ShapeIndex),
    /// Names as keys.
    Named(ShapeIndex),
}

/// How a text is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Duration,
    Timestamp,
    Identifier,
    Code,
    Percent,
}

const IDENTIFIER: &str = "^[a-z0-9][a-z0-9-]*$";

impl Shapes {
    /// Takes a schema with its `$defs`.
    pub(in crate::compile) fn new(schema: &Value) -> Self {
        let empty = Map::new();
        let definitions = schema.get("$defs").and_then(Value::as_object).unwrap_or(&empty);
        let mut builder = Builder { definitions, shapes: Vec::new(), named: HashMap::new() };
        builder.add(schema, None);
        Self { shapes: builder.shapes }
    }

    pub(super) fn get(&self, index: ShapeIndex) -> &Shape {
        static ANYTHING: std::sync::LazyLock<Shape> = std::sync::LazyLock::new(Shape::default);
        self.shapes.get(index).unwrap_or(&ANYTHING)
    }
}

struct Builder<'a> {
    definitions: &'a Map<String, Value>,
    shapes: Vec<Shape>,
    named: HashMap<String, ShapeIndex>,
}

impl Builder<'_> {
    fn add(&mut self, schema: &Value, name: Option<&str>) -> ShapeIndex {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            return self.definition(target.trim_start_matches("#/$defs/"));
        }
        let index = self.shapes.len();
        self.shapes.push(Shape::default());
        if let Some(name) = name {
            self.named.insert(name.to_owned(), index);
        }
        if let Value::Object(fields) = schema {
            let shape = self.shape(fields, name);
            if let Some(slot) = self.shapes.get_mut(index) {
                *slot = shape;
            }
        }
        index
    }

    fn definition(&mut self, name: &str) -> ShapeIndex {
        if let Some(index) = self.named.get(name) {
            return *index;
        }
        let schema = self.definitions.get(name).cloned().unwrap_or(Value::Bool(true));
        self.add(&schema, Some(name))
    }

    fn shape(&mut self, fields: &Map<String, Value>, name: Option<&str>) -> Shape {
        let text = |key: &str| fields.get(key).and_then(Value::as_str);
        let number = |key: &str| fields.get(key).and_then(Value::as_f64);
        let count = |keys: &[&str]| keys.iter().find_map(|key| fields.get(*key).and_then(Value::as_u64));
        let (fits, largest) = width(text("format"));
        let mut shape = Shape {
            kinds: kinds(fields.get("type")),
            words: words(fields),
            keys: self.keys(fields),
            items: fields.get("items").map(|items| self.add(items, None)),
            any_of: Vec::new(),
            format: format(text("format"), text("pattern")),
            minimum: number("minimum").or(fits),
            maximum: number("maximum").or(largest),
            fewest: count(&["minItems", "minLength", "minProperties"]),
            most: count(&["maxItems", "maxLength", "maxProperties"]),
            description: text("description").map(str::to_owned),
            name: name.map(str::to_owned),
        };
        for key in ["anyOf", "oneOf"] {
            let Some(Value::Array(branches)) = fields.get(key) else { continue };
            if shape.words.is_empty() {
                shape.any_of.extend(branches.iter().map(|branch| self.add(branch, None)));
            }
        }
        shape
    }

    fn keys(&mut self, fields: &Map<String, Value>) -> Option<Keys> {
        let properties = fields.get("properties").and_then(Value::as_object);
        let rest = match (
            fields.get("additionalProperties"),
            fields.get("patternProperties").and_then(Value::as_object),
        ) {
            (_, Some(patterns)) => patterns.values().next().map(|schema| Rest::Named(self.add(schema, None))),
            (Some(Value::Bool(false)), None) => Some(Rest::Nothing),
            (Some(schema @ Value::Object(_)), None) => Some(Rest::Shape(self.add(schema, None))),
            (Some(_), None) => Some(Rest::Anything),
            (None, None) => None,
        };
        if properties.is_none() && rest.is_none() {
            return None;
        }
        let mut known = HashMap::new();
        let mut order = Vec::new();
        for (key, schema) in properties.into_iter().flatten() {
            known.insert(key.clone(), self.add(schema, None));
            order.push(key.clone());
        }
        let required = fields.get("required").and_then(Value::as_array).into_iter().flatten();
        let required = required.filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Keys { known, order, required, rest: rest.unwrap_or(Rest::Anything) })
    }
}

fn kinds(names: Option<&Value>) -> Vec<&'static str> {
    const KINDS: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let known = |name: &Value| KINDS.iter().copied().find(|kind| name == kind);
    match names {
        Some(Value::Array(names)) => names.iter().filter_map(known).collect(),
        Some(name) => known(name).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The words of `enum`, `const`, or of a `oneOf` that holds nothing but those.
fn words(fields: &Map<String, Value>) -> Vec<String> {
    let own = fields.get("enum").and_then(Value::as_array).into_iter().flatten().chain(fields.get("const"));
    let own: Vec<String> = own.filter_map(Value::as_str).map(str::to_owned).collect();
    let Some(Value::Array(branches)) = fields.get("oneOf") else { return own };
    let inner: Vec<Vec<String>> = branches.iter().filter_map(Value::as_object).map(words).collect();
    if inner.iter().any(Vec::is_empty) { own } else { inner.into_iter().flatten().collect() }
}

fn format(format: Option<&str>, pattern: Option<&str>) -> Option<Format> {
    match (format, pattern) {
        (Some("length-of-time"), _) => Some(Format::Duration),
        (Some("date-time"), _) => Some(Format::Timestamp),
        (_, Some(IDENTIFIER)) => Some(Format::Identifier),
        (_, Some("^DR[0-9]{4}$")) => Some(Format::Code),
        (_, Some("^(100|[0-9]{1,2})%$")) => Some(Format::Percent),
        _ => None,
    }
}

/// The range of a Rust integer.
fn width(format: Option<&str>) -> (Option<f64>, Option<f64>) {
    match format {
        Some("uint8") => (Some(0.0), Some(f64::from(u8::MAX))),
        Some("uint16") => (Some(0.0), Some(f64::from(u16::MAX))),
        Some("uint32") => (Some(0.0), Some(f64::from(u32::MAX))),
        Some("uint64" | "uint") => (Some(0.0), None),
        Some("int32") => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::action_schema;
    use super::*;
    use crate::model::action::ActionName;
    use crate::model::runbook::Runbook;

    const UNDERSTOOD: [&str; 23] = [
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "default",
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "items",
        "anyOf",
        "oneOf",
        "format",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
    ];

    fn look(schema: &Value, where_from: &str) {
        let Value::Object(fields) = schema else { return };
        for (key, value) in fields {
            match key.as_str() {
                "properties" | "$defs" | "patternProperties" => {
                    value.as_object().unwrap().values().for_each(|inner| look(inner, where_from));
                }
                "anyOf" | "oneOf" => {
                    value.as_array().unwrap().iter().for_each(|inner| look(inner, where_from));
                }
                "pattern" => {
                    let known = format(fields.get("format").and_then(Value::as_str), value.as_str());
                    assert!(known.is_some(), "{where_from}: pattern {value}");
                }
                "minProperties" | "maxProperties" => {}
                "items" | "additionalProperties" => look(value, where_from),
                other => assert!(UNDERSTOOD.contains(&other), "{where_from}: {other}"),
            }
        }
    }

    #[test]
    fn every_keyword_of_the_schemas_is_understood() {
        look(schemars::schema_for!(Runbook).as_value(), "runbook");
        for name in ActionName::ALL {
            look(&action_schema(*name), name.as_str());
        }
    }
}
