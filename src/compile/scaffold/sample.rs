//! Values that stand where only the owner of a service knows the real one. Each fits its schema, and says
//! that it is none.

use serde_json::{Map, Value, json};

use super::{MARK, Wanted};
use crate::model::component::ComponentKind;
use crate::model::runbook::Strategy;

/// Deepest type that is filled in.
const DEPTH: usize = 8;

/// Optional fields that a kind cannot do without as its sample stands.
pub(super) const fn together(kind: ComponentKind) -> &'static [&'static str] {
    match kind {
        // The way that needs no particular cloud: programs that switch.
        ComponentKind::Link => &["switch_command", "current_command"],
        ComponentKind::FailoverGroup => &["server"],
        // A day, unless the RPO is said to it.
        ComponentKind::Protection => &["max_age"],
        _ => &[],
    }
}

/// Makes samples for the fields of one component.
pub(super) struct Sampler<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) schema: &'a Value,
    /// Id of the component.
    pub(super) component: &'a str,
}

impl Sampler<'_> {
    /// A sample for a field of the component.
    pub(super) fn field(&self, name: &str) -> Value {
        let field = &self.schema["properties"][name];
        if !is_by_site(field) {
            return self.value(field, name, self.component, 0);
        }
        let each = field.get("additionalProperties").filter(|inner| inner.is_object());
        let sites = self.wanted.sites.iter().enumerate();
        let values = sites.map(|(at, site)| {
            let place = format!("{}-{site}", self.component);
            let value = match (each, by_name(name, &place)) {
                (_, Some(Value::String(text))) => json!(text.replace("NUMBER", &(at + 1).to_string())),
                (_, Some(known)) => known,
                (Some(inner), None) => self.value(inner, name, &place, 0),
                (None, None) => json!(format!("{MARK}-{place}")),
            };
            (site.to_string(), value)
        });
        Value::Object(values.collect())
    }

    fn value(&self, schema: &Value, name: &str, place: &str, depth: usize) -> Value {
        if depth > DEPTH {
            return Value::Null;
        }
        let target = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/"));
        if let Some(definition) = target.and_then(|target| self.schema["$defs"].get(target)) {
            return self.value(definition, name, place, depth + 1);
        }
        if let Some(fixed) = schema.get("const") {
            return fixed.clone();
        }
        if let Some(first) = words(schema).next() {
            // Where a program can do it, no particular cloud is needed.
            let command = words(schema).find(|word| word == "command");
            return command.unwrap_or(first);
        }
        if let Some(first) = schema["anyOf"].as_array().and_then(|branches| branches.first()) {
            return self.value(first, name, place, depth + 1);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.first().cloned().unwrap_or_default(),
            other => other.clone(),
        };
        match kind.as_str() {
            Some("object") => self.object(schema, place, depth),
            Some("array") => by_name(name, place).unwrap_or_else(|| json!([format!("{MARK}-{place}")])),
            Some("integer" | "number") => number(schema, name),
            Some("boolean") => json!(false),
            Some(_) => self.text(schema, name, place),
            None => by_name(name, place).unwrap_or_else(|| number(schema, name)),
        }
    }

    fn object(&self, schema: &Value, place: &str, depth: usize) -> Value {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut fields: Map<String, Value> = Map::new();
        for name in required {
            fields.insert(name.to_owned(), self.value(&schema["properties"][name], name, place, depth + 1));
        }
        let waits = matches!(self.wanted.strategy, Strategy::WarmStandby | Strategy::ActiveActive);
        if fields.contains_key("active") && schema["properties"].get("standby").is_some() && waits {
            fields.insert("standby".to_owned(), json!(2));
        }
        Value::Object(fields)
    }

    fn text(&self, schema: &Value, name: &str, place: &str) -> Value {
        let pattern = schema["pattern"].as_str().unwrap_or_default();
        if let ("max_age", Some(rpo)) = (name, self.wanted.objectives.rpo) {
            return json!(rpo);
        }
        if schema["format"] == "duration" || pattern.contains("ms|") {
            return json!("1m");
        }
        let service = &self.wanted.name;
        match name {
            "name" if self.component.starts_with("traffic") => json!(format!("{service}.example.com")),
            "name" if self.component.starts_with("link") => json!(format!("{MARK}-path")),
            "zone" => json!("example.com"),
            _ => by_name(name, place)
                .unwrap_or_else(|| json!(format!("{MARK}-{place}-{name}").replace('_', "-"))),
        }
    }
}

fn number(schema: &Value, name: &str) -> Value {
    match name {
        "active" => json!(4),
        "max" => json!(8),
        "weights" => json!(50),
        _ => json!(schema["minimum"].as_u64().unwrap_or(1).max(1)),
    }
}

/// Samples that a name gives away: of these not every text will do.
fn by_name(name: &str, place: &str) -> Option<Value> {
    let mark = MARK;
    Some(match name {
        "connection" => json!(format!("host={mark}-{place} dbname=app user=drctl")),
        "start" | "stop" | "rewind" | "switch_command" | "current_command" => {
            json!([format!("{mark}-{}", name.replace('_', "-")), place])
        }
        "data_directory" => json!("/var/lib/postgresql/data"),
        "cluster_endpoints" => json!([
            {"region": "us-east-1", "url": format!("https://{mark}.route53-recovery-cluster.us-east-1.amazonaws.com/v1")},
            {"region": "us-west-2", "url": format!("https://{mark}.route53-recovery-cluster.us-west-2.amazonaws.com/v1")},
        ]),
        "role_arn" => json!(format!("arn:aws:iam::111122223333:role/{mark}-backup")),
        name if name.ends_with("_arn") || name == "controls" || name == "backups" => {
            json!(format!("arn:aws:service:region:111122223333:{mark}-{place}"))
        }
        "mapping_id" => json!("00000000-0000-4000-8000-00000000000NUMBER"),
        "quarantine_security_groups" | "names" => json!([format!("{mark}-{place}")]),
        "address" => json!("192.0.2.NUMBER"),
        "server" => json!(format!("{mark}-{place}")),
        _ => return None,
    })
}

fn is_by_site(field: &Value) -> bool {
    let branches = field["anyOf"].as_array().into_iter().flatten();
    field.get("x-by-site").is_some() || branches.into_iter().any(|branch| branch.get("x-by-site").is_some())
}

/// The words a value can be.
fn words(schema: &Value) -> impl Iterator<Item = Value> {
    let listed = schema["enum"].as_array().into_iter().flatten().cloned();
    let one_of = schema["oneOf"].as_array().into_iter().flatten().filter_map(|one| one.get("const").cloned());
    listed.chain(one_of).filter(|word| !word.is_null())
}
