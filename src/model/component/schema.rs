//! What a component of a kind looks like in a runbook.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::site_value::BY_SITE;
use super::{ComponentKind, ComponentRole};
use crate::model::id::{SiteName, StepId};

impl ComponentKind {
    /// JSON Schema of a component of this kind as it stands in a runbook, with its definitions inside.
    #[must_use]
    pub fn schema(self) -> Value {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let mut schema = self.properties(&mut generator);
        let id = generator.subschema_for::<StepId>().to_value();
        let needs = generator.subschema_for::<Vec<StepId>>().to_value();
        let sites = generator.subschema_for::<Vec<SiteName>>().to_value();
        let definitions = generator.take_definitions(true);
        let Value::Object(fields) = &mut schema else { return schema };
        fields.insert("$defs".to_owned(), Value::Object(definitions));
        fields.insert("description".to_owned(), self.summary().into());
        if let Some(Value::Object(properties)) = fields.get_mut("properties") {
            properties.insert("id".to_owned(), id);
            properties.insert("kind".to_owned(), json!({"type": "string", "const": self.as_str()}));
            properties.insert("needs".to_owned(), needs);
            if self.may_be_somewhere() {
                properties.insert("sites".to_owned(), sites);
            }
        }
        let own = fields.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let required = ["id", "kind"].into_iter().map(Value::from).chain(own).collect();
        fields.insert("required".to_owned(), Value::Array(required));
        schema
    }

    /// Whether a component of this kind may be in some of the sites only, named by `sites`.
    #[must_use]
    pub const fn may_be_somewhere(self) -> bool {
        matches!(self.role(), ComponentRole::Compute | ComponentRole::Queue)
    }

    /// Names of the fields that differ by site.
    #[must_use]
    pub fn fields_by_site(self) -> Vec<String> {
        by_site(&self.schema())
    }

    /// Whether a field that differs by site may be one value for all of them, whose templates read `site`.
    #[must_use]
    pub fn takes_one_for_all(self, field: &str) -> bool {
        let schema = self.schema();
        let found = schema.get("properties").and_then(|properties| properties.get(field));
        found.is_some_and(|field| field.get("anyOf").is_some())
    }
}

/// Names of the fields of a component's schema that differ by site.
pub(super) fn by_site(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let fields = properties.into_iter().flatten().filter(|(_, field)| is_by_site(field));
    fields.map(|(name, _)| name.clone()).collect()
}

fn is_by_site(field: &Value) -> bool {
    let branches = field.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    field.get(BY_SITE).is_some() || branches.into_iter().any(|branch| branch.get(BY_SITE).is_some())
}
