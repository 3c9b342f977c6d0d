//! Finds the items of a fanned-out step and gives each a text that can stand in an address. Evaluates nothing
//! at run time.

use std::collections::HashMap;

use serde_json::Value;

use super::context::Scope;
use super::error::Problem;
use crate::model::limits;
use crate::model::step::{ForEach, Step};

/// One item of a fanned-out step.
pub(super) struct Item {
    /// Its text in addresses.
    pub(super) text: String,
    /// Its value.
    pub(super) value: Value,
}

/// The items of a step; none when there is a problem.
pub(super) fn items(
    scope: &Scope,
    step: &Step,
    for_each: &ForEach,
    problems: &mut Vec<Problem>,
) -> Vec<Item> {
    let found = match for_each {
        ForEach::Items(items) => literal(scope, items),
        ForEach::Expression(expression) => scope.evaluate(expression).and_then(|value| match value {
            Value::Array(items) => Ok(items),
            _ => Err(format!("`{}` is not a list", expression.as_str())),
        }),
    };
    let values = match found {
        Ok(values) if values.len() > limits::FAN_OUT => {
            let help = format!("a step can be repeated at most {} times", limits::FAN_OUT);
            let what = format!("step `{}`: `for_each` has {} items", step.id, values.len());
            problems.push(Problem::new(what, help));
            return Vec::new();
        }
        Ok(values) => values,
        Err(message) => {
            let help = "`for_each` is a list that is known before the run, such as `params.hosts`";
            problems.push(Problem::new(format!("step `{}`: `for_each`: {message}", step.id), help));
            return Vec::new();
        }
    };
    let mut texts: HashMap<String, usize> = HashMap::with_capacity(values.len());
    let mut items = Vec::with_capacity(values.len());
    for (at, value) in values.into_iter().enumerate() {
        let text = text(&value, at);
        if let Some(other) = texts.insert(text.clone(), at) {
            let help = "give the items different names: of a mapping, `name` or `id` counts";
            let what =
                format!("step `{}`: items {} and {} are both called `{text}`", step.id, other + 1, at + 1);
            problems.push(Problem::new(what, help));
            return Vec::new();
        }
        items.push(Item { text, value });
    }
    items
}

fn literal(scope: &Scope, items: &[Value]) -> Result<Vec<Value>, String> {
    let rendered = items.iter().map(|item| match scope.render(item, "item") {
        Ok((_, reads)) if reads.later => Err("an item has no value before the run".to_owned()),
        Ok((value, _)) => Ok(value),
        Err(message) => Err(message),
    });
    rendered.collect()
}

/// A text for an item: itself, or its name or id, or its position from 1.
fn text(item: &Value, at: usize) -> String {
    let named = match item {
        Value::Object(fields) => fields.get("name").or_else(|| fields.get("id")),
        Value::Null | Value::Array(_) => None,
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Some(item),
    };
    let text = match named {
        Some(Value::String(text)) => text.clone(),
        Some(plain @ (Value::Number(_) | Value::Bool(_))) => plain.to_string(),
        _ => String::new(),
    };
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let safe: String =
        text.chars().take(limits::ID_CHARS).map(|c| if is_safe(c) { c } else { '-' }).collect();
    if safe.is_empty() { (at + 1).to_string() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_get_texts_that_stand_in_an_address() {
        for (item, expected) in [
            (json!("web"), "web"),
            (json!(7), "7"),
            (json!("a/b [c]"), "a-b--c-"),
            (json!({"name": "db", "id": 4}), "db"),
            (json!({"id": 4}), "4"),
            (json!({"host": "x"}), "3"),
            (json!([1]), "3"),
            (json!(""), "3"),
            (json!("\u{1b}[31m"), "--31m"),
        ] {
            assert_eq!(text(&item, 2), expected, "{item}");
        }
    }
}
