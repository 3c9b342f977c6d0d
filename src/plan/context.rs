//! What expressions can read when a plan is made, and which templates must wait for the run. Holds no secret.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::Choices;
use super::parameters::Bound;
use super::sites::{self, Route};
use crate::model::expression::{self, Context, Expression};
use crate::model::id::SiteName;
use crate::model::runbook::Runbook;
use crate::model::values::Site;

/// Names that have no value before the run, or before the step.
const RUN_TIME: [&str; 5] = ["steps", "run", "mode", "secrets", "result"];

/// What a text reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Something that has no value yet.
    pub(super) later: bool,
    /// A secret or a sensitive parameter.
    pub(super) sensitive: bool,
    /// What another step did.
    pub(super) steps: bool,
}

impl Reads {
    fn and(self, other: Self) -> Self {
        Self {
            later: self.later || other.later,
            sensitive: self.sensitive || other.sensitive,
            steps: self.steps || other.steps,
        }
    }
}

/// The names of one plan, and those of one item of a fanned-out step.
#[derive(Clone)]
pub(super) struct Scope {
    context: Context,
    sensitive: Rc<[String]>,
    /// The same text is asked about for every item.
    seen: Rc<RefCell<HashMap<String, Result<Reads, String>>>>,
}

impl Scope {
    pub(super) fn new(runbook: &Runbook, choices: &Choices, route: &Route, bound: &Bound) -> Self {
        let mut names = Map::new();
        names.insert("params".to_owned(), json!(bound.values));
        let sites = runbook.sites.iter().map(|(name, site)| (name.to_string(), described(name, site)));
        names.insert("sites".to_owned(), Value::Object(sites.collect()));
        for (word, chosen) in [("from", &route.from), ("to", &route.to)] {
            if let Some((name, site)) = chosen.as_ref().and_then(|name| runbook.sites.get_key_value(name)) {
                names.insert(word.to_owned(), described(name, site));
            }
        }
        let absent = sites::absent(choices, route);
        let stays = |name: &SiteName| Some(name) != route.from.as_ref() && !absent.contains(name);
        let others = runbook.sites.iter().filter(|(name, _)| stays(name));
        names.insert("survivors".to_owned(), others.map(|(name, site)| described(name, site)).collect());
        names.insert("operation".to_owned(), json!(choices.operation));
        names.insert("intent".to_owned(), json!(choices.intent));
        // A sensitive parameter without a value is deferred too: the run must not see it as a plain one.
        let sensitive = runbook.parameters.iter().filter(|(_, parameter)| parameter.sensitive);
        Self {
            context: Context::new(&Value::Object(names)),
            sensitive: sensitive.map(|(name, _)| name.clone()).collect(),
            seen: Rc::default(),
        }
    }

    /// The same names and `item`.
    pub(super) fn of_item(&self, item: &Value) -> Self {
        Self { context: self.context.with("item", item), ..self.clone() }
    }

    /// Renders what can be rendered now and leaves the rest as it is.
    ///
    /// # Errors
    /// When a template is wrong; the message starts with where it stands below `place`.
    pub(super) fn render(&self, value: &Value, place: &str) -> Result<(Value, Reads), String> {
        match value {
            Value::String(text) if expression::is_template(text) => {
                let at = |message: String| format!("`{place}`: {message}");
                let reads = self.template(text).map_err(at)?;
                if reads.later {
                    return Ok((value.clone(), reads));
                }
                let rendered = expression::render(value, &self.context).map_err(|error| at(error.message))?;
                Ok((rendered, reads))
            }
            Value::Array(items) => {
                let mut all = Reads::default();
                let mut rendered = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    let (item, reads) = self.render(item, &format!("{place}[{at}]"))?;
                    all = all.and(reads);
                    rendered.push(item);
                }
                Ok((Value::Array(rendered), all))
            }
            Value::Object(fields) => {
                let (fields, reads) = self.render_map(fields, place)?;
                Ok((Value::Object(fields), reads))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Ok((value.clone(), Reads::default()))
            }
        }
    }

    /// As [`Scope::render`], for a mapping.
    pub(super) fn render_map(
        &self,
        fields: &Map<String, Value>,
        place: &str,
    ) -> Result<(Map<String, Value>, Reads), String> {
        let mut all = Reads::default();
        let mut rendered = Map::new();
        for (key, field) in fields {
            let (field, reads) = self.render(field, &format!("{place}.{key}"))?;
            all = all.and(reads);
            rendered.insert(key.clone(), field);
        }
        Ok((rendered, all))
    }

    /// Evaluates an expression whose value is needed now.
    ///
    /// # Errors
    /// When it is wrong, or reads something that has no value before the run.
    pub(super) fn evaluate(&self, expression: &Expression) -> Result<Value, String> {
        if self.expression(expression)?.later {
            return Err(format!("`{}` has no value before the run", expression.as_str()));
        }
        expression.evaluate(&self.context).map_err(|error| error.message)
    }

    /// Says whether a condition is false whatever happens in the run.
    pub(super) fn is_never(&self, condition: &Expression) -> bool {
        self.expression(condition).is_ok_and(|reads| !reads.later)
            && condition.is_true(&self.context).is_ok_and(|truth| !truth)
    }

    /// What an expression reads.
    pub(super) fn expression(&self, expression: &Expression) -> Result<Reads, String> {
        self.remember(expression.as_str(), || expression.check())
    }

    fn template(&self, text: &str) -> Result<Reads, String> {
        self.remember(text, || expression::check_template(text))
    }

    fn remember<T>(
        &self,
        text: &str,
        names: impl FnOnce() -> Result<T, expression::Error>,
    ) -> Result<Reads, String>
    where
        T: IntoIterator<Item = String>,
    {
        if let Some(known) = self.seen.borrow().get(text) {
            return known.clone();
        }
        let found = names().map_err(|error| error.message);
        let reads = found
            .map(|names| names.into_iter().fold(Reads::default(), |all, name| all.and(self.reads(&name))));
        self.seen.borrow_mut().insert(text.to_owned(), reads.clone());
        reads
    }

    fn reads(&self, name: &str) -> Reads {
        let mut parts = name.split('.');
        let root = parts.next().unwrap_or(name);
        // `params[x]` may read any of them.
        let sensitive = root == "params"
            && match parts.next() {
                Some(parameter) => self.sensitive.iter().any(|name| name == parameter),
                None => !self.sensitive.is_empty(),
            };
        Reads {
            later: sensitive || RUN_TIME.contains(&root),
            sensitive: sensitive || root == "secrets",
            steps: root == "steps",
        }
    }
}

fn described(name: &SiteName, site: &Site) -> Value {
    let mut described = serde_json::to_value(site).unwrap_or_default();
    if let Value::Object(fields) = &mut described {
        fields.insert("name".to_owned(), json!(name));
    }
    described
}
