//! Makes up parameters for an action from its JSON schema.

use drctl::model::action::ActionName;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

/// Only what is required.
pub(crate) fn minimal(name: ActionName) -> Value {
    make(name, false)
}

/// Everything that can be given.
pub(crate) fn complete(name: ActionName) -> Value {
    make(name, true)
}

fn make(name: ActionName, all: bool) -> Value {
    let mut generator = SchemaGenerator::default();
    let schema = name.schema(&mut generator).to_value();
    let definitions: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    let mut with = Maker { definitions, all }.value("", &schema, 0);
    // What excludes another parameter, and what its values say beyond the schema.
    if let Some(fields) = with.as_object_mut() {
        if fields.contains_key("expect_absent") {
            fields.insert("expect_absent".to_owned(), json!(false));
        }
        if name == ActionName::AssertThat {
            fields.insert("condition".to_owned(), json!(true));
        }
        if name == ActionName::HttpRequest {
            fields.insert("method".to_owned(), json!("POST"));
        }
    }
    with
}

struct Maker {
    definitions: Map<String, Value>,
    all: bool,
}

impl Maker {
    fn value(&self, name: &str, schema: &Value, depth: u32) -> Value {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let definition = reference.rsplit('/').next().unwrap();
            return self.value(name, &self.definitions[definition], depth);
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values[0].clone();
        }
        if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
            return self.value(name, &choices[0], depth);
        }
        let kind = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds[0].as_str(),
            Some(kind) => kind.as_str(),
            None => None,
        };
        match kind {
            Some("object") => self.object(schema, depth),
            Some("array") => json!([self.value(name, schema.get("items").unwrap_or(&json!({})), depth + 1)]),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(5)),
            Some("boolean") => json!(true),
            Some("string") => match schema.get("format").and_then(Value::as_str) {
                Some("length-of-time") => json!("1h"),
                Some("date-time") => json!("2026-11-21T03:00:00Z"),
                Some(_) | None => json!(format!("some-{name}")),
            },
            Some(_) | None => json!({"any": 1}),
        }
    }

    fn object(&self, schema: &Value, depth: u32) -> Value {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            let inner = schema.get("additionalProperties").filter(|inner| inner.is_object());
            return json!({"/key": inner.map_or(json!(1), |inner| self.value("", inner, depth + 1))});
        };
        let wanted = |name: &str| required.contains(&name) || (self.all && depth < 3);
        let fields = properties.iter().filter(|(name, _)| wanted(name));
        fields.map(|(name, schema)| (name.clone(), self.value(name, schema, depth + 1))).collect()
    }
}
