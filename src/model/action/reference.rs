//! The catalogue as people read it: parameters taken from their JSON Schema, and the reference page of all
//! actions.
//! Never says anything the catalogue does not.

use std::fmt::Write as _;

use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{ActionName, Adapter, ApiHome, Effect};

/// One parameter of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name, a key of `with`.
    pub name: String,
    /// What kind of value it takes, in words.
    pub kind: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it means.
    pub description: String,
}

/// JSON Schema of an action's parameters, with its definitions inside.
#[must_use]
pub fn schema(action: ActionName) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = action.schema(&mut generator).to_value();
    let definitions = generator.take_definitions(true);
    if let (Value::Object(fields), false) = (&mut schema, definitions.is_empty()) {
        fields.insert("$defs".to_owned(), Value::Object(definitions));
    }
    schema
}

/// The parameters of an action, in the order of its schema: required ones first.
#[must_use]
pub fn parameters(action: ActionName) -> Vec<Parameter> {
    fields(&schema(action))
}

/// The fields of a mapping, in the order of its schema: required ones first.
#[must_use]
pub fn fields(schema: &Value) -> Vec<Parameter> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let nothing = Map::new();
    let definitions = schema["$defs"].as_object().unwrap_or(&nothing);
    let fields = schema["properties"].as_object().into_iter().flatten();
    let mut parameters: Vec<_> = fields
        .map(|(name, field)| Parameter {
            name: name.clone(),
            kind: kind(field, definitions, 0),
            required: required.contains(&name.as_str()),
            description: description(field, definitions),
        })
        .collect();
    parameters.sort_by_key(|parameter| !parameter.required);
    parameters
}

/// What a field means, on one line.
fn description(field: &Value, definitions: &Map<String, Value>) -> String {
    let own = field["description"].as_str();
    let text = own.or_else(|| resolve(field, definitions)?["description"].as_str()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn resolve<'a>(field: &Value, definitions: &'a Map<String, Value>) -> Option<&'a Value> {
    definitions.get(field["$ref"].as_str()?.strip_prefix("#/$defs/")?)
}

/// Most levels of a type that are spelled out.
const DEPTH: usize = 3;

fn kind(field: &Value, definitions: &Map<String, Value>, depth: usize) -> String {
    if depth > DEPTH {
        return "value".to_owned();
    }
    if let Some(definition) = resolve(field, definitions) {
        return kind(definition, definitions, depth + 1);
    }
    if let Some(words) = field["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        return words.join(" or ");
    }
    if let Some(word) = field["const"].as_str() {
        return word.to_owned();
    }
    if let Some(options) = field["anyOf"].as_array().or_else(|| field["oneOf"].as_array()) {
        let options = options.iter().filter(|option| option["type"] != "null");
        let mut kinds: Vec<_> = options.map(|option| kind(option, definitions, depth + 1)).collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    let types: Vec<&str> = match &field["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => Vec::new(),
    };
    let names: Vec<_> = types.into_iter().map(|name| named(name, field, definitions, depth)).collect();
    if names.is_empty() { "any value".to_owned() } else { names.join(" or ") }
}

fn named(name: &str, field: &Value, definitions: &Map<String, Value>, depth: usize) -> String {
    match (name, field["format"].as_str()) {
        ("string", Some("length-of-time")) => "duration".to_owned(),
        ("string", Some("date-time")) => "time".to_owned(),
        ("array", _) => format!("list of {}", kind(&field["items"], definitions, depth + 1)),
        ("object", _) => "mapping".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        ("string", _) => "text".to_owned(),
        ("boolean", _) => "true or false".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// The family of an action: everything before its verb.
#[must_use]
pub fn family(action: ActionName) -> &'static str {
    action.as_str().rsplit_once('.').map_or("", |(family, _)| family)
}

/// Writes docs/reference/actions.md: every family with its actions, their facts, parameters and outputs.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Actions\n\nGenerated from the catalogue in `src/model/action`; do not edit. `drctl actions NAME` prints the \
         same.\n\nActions marked *simulated only* run on the simulated estate; a real plan that uses one is refused.\n",
    );
    let mut last = "";
    for &action in ActionName::ALL {
        if family(action) != last {
            last = family(action);
            let _ = write!(page, "\n## {last}\n");
        }
        // Writing into a string cannot fail.
        let _ = write_action(&mut page, action);
    }
    page
}

fn write_action(page: &mut String, action: ActionName) -> std::fmt::Result {
    let spec = action.spec();
    let note = if spec.adapter == Adapter::Real { "" } else { " *(simulated only)*" };
    writeln!(page, "\n### `{action}`{note}\n\n{}\n", spec.summary)?;
    let home = match spec.home {
        ApiHome::Local => String::new(),
        ApiHome::Parameter(name) => format!(" in the region of `{name}`"),
        ApiHome::Region(region) => format!(" in {region}"),
    };
    let back = if spec.effect == Effect::Read {
        "reads only".to_owned()
    } else {
        format!("{}, in doubt: {}", spec.reversibility, spec.doubt)
    };
    writeln!(
        page,
        "{back}; {} plane{home}; in a drill: {}; timeout {}, estimate {}.",
        spec.plane,
        spec.drill.as_str().replace('_', " "),
        spec.timeout,
        spec.estimate
    )?;
    let parameters = parameters(action);
    if !parameters.is_empty() {
        writeln!(page, "\n| parameter | type | required | meaning |\n|---|---|---|---|")?;
        for parameter in parameters {
            let required = if parameter.required { "yes" } else { "" };
            let (kind, text) = (cell(&parameter.kind), cell(&parameter.description));
            writeln!(page, "| `{}` | {kind} | {required} | {text} |", parameter.name)?;
        }
    }
    if !spec.outputs.is_empty() {
        writeln!(page, "\n| output | meaning |\n|---|---|")?;
        for (name, meaning) in spec.outputs {
            writeln!(page, "| `{name}` | {} |", cell(meaning))?;
        }
    }
    if !spec.permissions.is_empty() {
        let permissions: Vec<_> = spec.permissions.iter().map(|name| format!("`{name}`")).collect();
        writeln!(page, "\nPermissions: {}.", permissions.join(", "))?;
    }
    if !spec.check_permissions.is_empty() {
        let permissions: Vec<_> = spec.check_permissions.iter().map(|name| format!("`{name}`")).collect();
        writeln!(page, "For `drctl check` also: {}.", permissions.join(", "))?;
    }
    Ok(())
}

/// A text as the cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_a_type_and_a_meaning() {
        for &action in ActionName::ALL {
            for parameter in parameters(action) {
                let told = !parameter.kind.is_empty() && !parameter.description.is_empty();
                assert!(told, "{action}: {parameter:?}");
            }
        }
    }

    #[test]
    fn types_are_words_and_required_parameters_come_first() {
        let fence = parameters(ActionName::PostgresFence);
        let of = |name: &str| fence.iter().find(|parameter| parameter.name == name).unwrap();
        assert_eq!((of("primary").kind.as_str(), of("primary").required), ("text", true));
        assert_eq!(of("method").kind, "stop or read_only");
        assert_eq!((of("stop_command").kind.as_str(), of("stop_command").required), ("list of text", false));
        assert!(fence.is_sorted_by_key(|parameter| !parameter.required));
        assert_eq!(
            parameters(ActionName::WaitFor).first().map(|parameter| parameter.kind.as_str()),
            Some("duration")
        );
    }
}
