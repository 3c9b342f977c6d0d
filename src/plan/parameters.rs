//! Types and checks the parameters of a runbook. Never puts the value of a sensitive one into a plan or a
//! message.

use std::collections::BTreeMap;

use serde_json::Value;

use super::digest;
use super::error::{Problem, did_you_mean};
use crate::model::given::{brief, parse, typed};
use crate::model::values::{Parameter, ParameterType};

/// Parameters as far as a plan may hold them.
#[derive(Debug, Default)]
pub(super) struct Bound {
    /// Values that may be stored.
    pub(super) values: BTreeMap<String, Value>,
    /// Digests of those that may not.
    pub(super) sensitive: BTreeMap<String, String>,
}

/// Binds what was given to what is declared.
pub(super) fn bind(
    declared: &BTreeMap<String, Parameter>,
    given: &BTreeMap<String, Value>,
    problems: &mut Vec<Problem>,
) -> Bound {
    for name in given.keys().filter(|name| !declared.contains_key(*name)) {
        let help = did_you_mean(name, declared.keys().map(String::as_str));
        problems.push(Problem::new(format!("there is no parameter `{name}`"), help));
    }
    let mut bound = Bound::default();
    for (name, parameter) in declared {
        let Some(value) = given.get(name).or(parameter.default.as_ref()) else {
            if parameter.required {
                let meaning = parameter.description.as_deref().unwrap_or("required, and has no default");
                let help = format!("give it with `--set {name}=…`: {} ({meaning})", parameter.kind);
                problems.push(Problem::new(format!("parameter `{name}` is missing"), help));
            }
            continue;
        };
        match typed(parameter, value) {
            Ok(value) if parameter.sensitive => {
                bound.sensitive.insert(name.clone(), digest::of_value(&value));
            }
            Ok(value) => {
                bound.values.insert(name.clone(), value);
            }
            Err(help) => {
                let shown = if parameter.sensitive { String::new() } else { format!(": {}", brief(value)) };
                problems.push(Problem::new(format!("parameter `{name}` does not fit{shown}"), help));
            }
        }
    }
    bound
}

/// The value of a sensitive parameter that a plan holds the digest of, from what a person gave: itself, or
/// the text read as whichever type it is declared with. `None` when it is another value.
#[must_use]
pub fn sensitive_value(given: &Value, digest: &str) -> Option<Value> {
    let read = given
        .as_str()
        .into_iter()
        .flat_map(|text| ParameterType::ALL.iter().filter_map(move |kind| parse(*kind, text)));
    read.chain([given.clone()]).find(|value| digest::of_value(value) == digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bound(declared: Value, given: Value) -> (Bound, Vec<Problem>) {
        let mut problems = Vec::new();
        let declared = serde_json::from_value(declared).unwrap();
        let bound = bind(&declared, &serde_json::from_value(given).unwrap(), &mut problems);
        (bound, problems)
    }

    #[test]
    fn texts_from_the_command_line_become_the_declared_type() {
        for (kind, text, value) in [
            ("string", "12", json!("12")),
            ("integer", "12", json!(12)),
            ("number", "1.5", json!(1.5)),
            ("number", "2", json!(2)),
            ("boolean", "true", json!(true)),
            ("duration", "5m", json!("5m")),
            ("list", "a, b", json!(["a", "b"])),
            ("list", "[1,2]", json!([1, 2])),
            ("map", r#"{"a":1}"#, json!({"a": 1})),
        ] {
            let (bound, problems) = bound(json!({"p": {"type": kind}}), json!({"p": text}));
            assert_eq!((bound.values.get("p"), problems.len()), (Some(&value), 0), "{kind} {text}");
        }
        for (kind, text) in
            [("integer", "1.5"), ("number", "nan"), ("boolean", "yes"), ("duration", "5"), ("map", "[]")]
        {
            let (_, problems) = bound(json!({"p": {"type": kind}}), json!({"p": text}));
            assert!(problems[0].what.contains("`p` does not fit"), "{kind} {text}: {problems:?}");
        }
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let declared = json!({
            "zone": {"type": "string", "required": true, "description": "Hosted zone"},
            "tasks": {"type": "integer", "minimum": 1, "maximum": 5, "default": 9},
            "size": {"type": "string", "enum": ["s", "m"]},
        });
        let (_, problems) = bound(declared, json!({"size": "xl", "zome": "Z1"}));
        let all: Vec<_> = problems
            .iter()
            .map(|p| format!("{} / {}", p.what, p.help.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(
            all,
            [
                "there is no parameter `zome` / did you mean `zone`?",
                "parameter `size` does not fit: \"xl\" / it must be one of \"s\", \"m\"",
                "parameter `tasks` does not fit: 9 / the largest value is 5",
                "parameter `zone` is missing / give it with `--set zone=…`: string (Hosted zone)",
            ]
        );
    }

    #[test]
    fn a_sensitive_value_is_recognised_in_its_own_type() {
        for (kind, text, value) in [
            ("integer", " 4711", json!(4711)),
            ("boolean", "true", json!(true)),
            ("list", "a,b", json!(["a", "b"])),
        ] {
            let declared = json!({"p": {"type": kind, "sensitive": true}});
            let (bound, _) = bound(declared, json!({"p": text}));
            assert_eq!(sensitive_value(&json!(text), &bound.sensitive["p"]), Some(value.clone()), "{kind}");
            assert_eq!(sensitive_value(&value, &bound.sensitive["p"]), Some(value), "{kind}");
        }
    }

    #[test]
    fn a_sensitive_value_leaves_only_its_digest() {
        let secret = |kind: &str| json!({"type": kind, "sensitive": true});
        let declared = json!({"pin": secret("string"), "n": secret("integer")});
        let (bound, problems) = bound(declared, json!({"pin": "hunter2", "n": "hunter3"}));
        assert_eq!(bound.sensitive["pin"], digest::of_value(&json!("hunter2")));
        assert_eq!(sensitive_value(&json!("hunter2"), &bound.sensitive["pin"]), Some(json!("hunter2")));
        assert_eq!(sensitive_value(&json!("hunter"), &bound.sensitive["pin"]), None);
        assert!(bound.values.is_empty() && bound.sensitive["pin"].len() == 64);
        assert!(problems.len() == 1 && !format!("{problems:?}").contains("hunter"), "{problems:?}");
    }
}
