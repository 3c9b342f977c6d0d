//! Fills in what a plan knows where a text also needs what only a run, or a person, knows. Never fills in a
//! secret, nor anything in its place.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::expression::{self, Context, Expression};
use crate::plan::node::{Node, Plan};

/// The values of a plan.
pub(super) struct Known {
    names: Map<String, Value>,
}

impl Known {
    pub(super) fn of(plan: &Plan) -> Self {
        Self { names: plan.names() }
    }

    /// The parameters of a call of a node, with everything filled in that is known.
    pub(super) fn fill(&self, with: &Map<String, Value>, node: &Node) -> Map<String, Value> {
        let mut names = self.names.clone();
        names.extend(node.item.clone().map(|item| ("item".to_owned(), item)));
        let context = Context::new(&Value::Object(names));
        let has_item = node.item.is_some();
        with.iter().map(|(key, field)| (key.clone(), self.filled(field, &context, has_item))).collect()
    }

    fn filled(&self, value: &Value, context: &Context, has_item: bool) -> Value {
        match value {
            Value::String(text) => {
                self.text(text, context, has_item).map_or_else(|| value.clone(), Value::String)
            }
            Value::Array(items) => items.iter().map(|item| self.filled(item, context, has_item)).collect(),
            Value::Object(fields) => {
                let filled =
                    |(key, field): (&String, &Value)| (key.clone(), self.filled(field, context, has_item));
                Value::Object(fields.iter().map(filled).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// A text with each `{{ }}` filled in that reads nothing but what is known; nothing where it has other
    /// tags, or where one cannot be told from the text around it.
    fn text(&self, text: &str, context: &Context, has_item: bool) -> Option<String> {
        if !text.contains("{{") || ["{%", "{#", "{{-", "-}}"].iter().any(|other| text.contains(other)) {
            return None;
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, tag)) = rest.split_once("{{") {
            let (inner, after) = tag.split_once("}}")?;
            out.push_str(before);
            let expression = Expression::new(inner.trim());
            match self.value(&expression, &expression.check().ok()?, context, has_item) {
                Some(Value::String(known)) => out.push_str(&known),
                Some(known) => out.push_str(&known.to_string()),
                None => out.extend(["{{", inner, "}}"]),
            }
            rest = after;
        }
        out.push_str(rest);
        Some(out)
    }

    fn value(
        &self,
        expression: &Expression,
        names: &BTreeSet<String>,
        context: &Context,
        has_item: bool,
    ) -> Option<Value> {
        let is_known = |name: &String| {
            let (root, rest) = name.split_once('.').unwrap_or((name, ""));
            match root {
                // A sensitive one has no value here, and a default would be taken for it.
                "params" => self.names.get("params")?.get(rest.split('.').next()?).map(|_| ()),
                "item" => has_item.then_some(()),
                root => self.names.get(root).map(|_| ()),
            }
        };
        names.iter().all(|name| is_known(name).is_some()).then(|| expression.evaluate(context).ok())?
    }
}

/// The names of the secrets that texts read, of those there are.
pub(super) fn secrets<'n>(texts: &[String], names: impl Iterator<Item = &'n String>) -> Vec<&'n String> {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let reads = |text: &String, name: &str| {
        expression::is_template(text) && text.split(&format!("secrets.{name}")).skip(1).any(ends)
    };
    names.filter(|name| texts.iter().any(|text| reads(text, name))).collect()
}
