//! Expressions and templates: minijinja, strict about undefined names, limited in fuel, without file access.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::limits;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(limits::EXPRESSION_FUEL));
    environment.set_recursion_limit(32);
    // With debug on, minijinja puts the values of referenced variables into its errors: secrets would leak.
    environment.set_debug(false);
    environment
});

/// Why an expression could not be compiled or evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What went wrong, without any value of the context.
    pub message: String,
}

impl From<minijinja::Error> for Error {
    fn from(error: minijinja::Error) -> Self {
        let detail = error.detail().map(|text| format!(": {text}")).unwrap_or_default();
        Self { message: format!("{}{detail}", error.kind()) }
    }
}

/// A bare expression, as in `when`, `until` and `outputs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expression(String);

impl Expression {
    /// Takes a text; [`Expression::check`] says whether it compiles.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compiles the expression and returns the dotted names it reads.
    ///
    /// # Errors
    /// When the text is not an expression.
    pub fn check(&self) -> Result<BTreeSet<String>, Error> {
        let compiled = ENVIRONMENT.compile_expression(&self.0)?;
        Ok(compiled.undeclared_variables(true).into_iter().collect())
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// When it does not compile, reads an undefined name, or runs out of fuel.
    pub fn evaluate(&self, context: &Context) -> Result<Value, Error> {
        evaluate(&self.0, context)
    }

    /// Evaluates the expression as a condition.
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub fn is_true(&self, context: &Context) -> Result<bool, Error> {
        let compiled = ENVIRONMENT.compile_expression(&self.0)?;
        Ok(compiled.eval(context.0.clone())?.is_true())
    }
}

impl JsonSchema for Expression {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "expression", "description": "A minijinja expression, without braces."})
    }
}

/// The names an expression can read.
#[derive(Debug, Clone)]
pub struct Context(minijinja::Value);

impl Context {
    /// Makes a context of a JSON object.
    #[must_use]
    pub fn new(names: &Value) -> Self {
        Self(minijinja::Value::from(minijinja::value::Serde(names)))
    }

    /// The same names and one more, which hides an older one of that name. The others are shared, not copied.
    #[must_use]
    pub fn with(&self, name: &str, value: &Value) -> Self {
        let one = Self::new(&serde_json::json!({ name: value }));
        // The last map wins, whatever minijinja's documentation says: the test below holds it to that.
        Self(minijinja::value::merge_maps([self.0.clone(), one.0]))
    }
}

fn evaluate(text: &str, context: &Context) -> Result<Value, Error> {
    let value = ENVIRONMENT.compile_expression(text)?.eval(context.0.clone())?;
    if value.is_undefined() {
        return Err(Error { message: format!("`{text}` is undefined") });
    }
    serde_json::to_value(&value).map_err(|_| Error { message: format!("`{text}` has no JSON value") })
}

/// Says whether a string holds a template.
#[must_use]
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Says whether a value holds a template anywhere.
#[must_use]
pub fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(fields) => fields.values().any(has_template),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The expression of a text that is nothing but one `{{ }}`; such a value keeps its type.
fn single(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then(|| inner.trim())
}

/// Compiles a template and returns the dotted names it reads.
///
/// # Errors
/// When the text is not a template.
pub fn check_template(text: &str) -> Result<BTreeSet<String>, Error> {
    if let Some(inner) = single(text) {
        return Expression::new(inner).check();
    }
    let template = ENVIRONMENT.template_from_str(text)?;
    Ok(template.undeclared_variables(true).into_iter().collect())
}

/// Renders every template inside a value; values without one are returned as they are.
///
/// # Errors
/// When a template does not compile, reads an undefined name, or runs out of fuel.
pub fn render(value: &Value, context: &Context) -> Result<Value, Error> {
    Ok(match value {
        Value::String(text) if is_template(text) => render_text(text, context)?,
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| render(item, context)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let rendered = fields.iter().map(|(key, field)| Ok((key.clone(), render(field, context)?)));
            Value::Object(rendered.collect::<Result<_, Error>>()?)
        }
        other => other.clone(),
    })
}

fn render_text(text: &str, context: &Context) -> Result<Value, Error> {
    if let Some(inner) = single(text) {
        return evaluate(inner, context);
    }
    Ok(Value::String(ENVIRONMENT.template_from_str(text)?.render(context.0.clone())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn context() -> Context {
        Context::new(&json!({"params": {"tasks": 12, "zone": "Z1"}, "secrets": {"token": "hunter2"}}))
    }

    #[test]
    fn a_single_expression_keeps_its_type() {
        let value = json!({"n": "{{ params.tasks }}", "s": "zone {{ params.zone }}", "l": ["{{ params.tasks + 1 }}"]});
        assert_eq!(render(&value, &context()).unwrap(), json!({"n": 12, "s": "zone Z1", "l": [13]}));
    }

    #[test]
    fn undefined_names_and_endless_work_are_errors_without_values() {
        let error = Expression::new("params.nope").evaluate(&context()).unwrap_err();
        assert!(error.message.contains("undefined"), "{error}");
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ secrets.token }}{% endfor %}{% endfor %}";
        let error = render(&json!(endless), &context()).unwrap_err();
        assert!(error.message.contains("fuel") && !error.message.contains("hunter2"), "{error}");
        assert!(
            !Expression::new("secrets.token + 1")
                .evaluate(&context())
                .unwrap_err()
                .message
                .contains("hunter2")
        );
    }

    #[test]
    fn a_name_is_added_and_hides_an_older_one() {
        let wider = context().with("item", &json!({"n": 7})).with("params", &json!({"tasks": 1}));
        assert_eq!(render(&json!("{{ item.n + params.tasks }}"), &wider).unwrap(), json!(8));
        assert!(Expression::new("params.zone").evaluate(&wider).is_err());
        let text = context().with("item", &json!("a"));
        assert_eq!(render(&json!("x-{{ item }}-{{ params.zone }}"), &text).unwrap(), json!("x-a-Z1"));
    }

    #[test]
    fn names_are_dotted() {
        let names = Expression::new("steps.promote.outputs.lag > 3 and params.zone").check().unwrap();
        assert!(names.contains("steps.promote.outputs.lag") && names.contains("params.zone"), "{names:?}");
    }
}
