//! Values that stand where somebody has yet to write the real one. Comments are no values: never looks there.

use serde_json::Value;

use super::diagnostic::Code;
use super::reporter::Reporter;
use super::scaffold::MARK;
use super::tree::escape;

/// Keys whose text is for people, who may well note there what is still to do.
const FOR_PEOPLE: [&str; 3] = ["description", "reason", "title"];

/// Says whether a value holds the mark of a value to fill in, as a word of its own, anywhere inside.
#[must_use]
pub fn holds_placeholder(value: &Value) -> bool {
    match value {
        Value::String(text) => is_marked(text),
        Value::Array(items) => items.iter().any(holds_placeholder),
        Value::Object(fields) => fields.iter().any(|(key, field)| is_marked(key) || holds_placeholder(field)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Warns of every value of a document that is still to be filled in.
pub(super) fn check(document: &Value, reporter: &mut Reporter<'_>) {
    walk(document, &mut String::new(), reporter);
}

fn walk(value: &Value, pointer: &mut String, reporter: &mut Reporter<'_>) {
    let length = pointer.len();
    match value {
        Value::String(text) if is_marked(text) => {
            let shown: String = text.chars().take(60).collect();
            reporter
                .value(Code::Placeholder, pointer, format!("`{shown}` is still to be filled in"))
                .help("write the real value; a real run that needs it is refused until then");
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                pointer.push('/');
                pointer.push_str(&at.to_string());
                walk(item, pointer, reporter);
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields.iter().filter(|(key, _)| !FOR_PEOPLE.contains(&key.as_str())) {
                pointer.push('/');
                pointer.push_str(&escape(key));
                walk(field, pointer, reporter);
                pointer.truncate(length);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_marked(text: &str) -> bool {
    text.match_indices(MARK).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + MARK.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::holds_placeholder;

    #[test]
    fn a_mark_is_a_word_of_its_own() {
        for text in
            ["TODO", "host=TODO-db-east dbname=app", "arn:aws:x:TODO", "https://TODO.example.com", "{TODO}"]
        {
            assert!(holds_placeholder(&json!({"a": [text]})), "{text}");
        }
        for text in ["", "TODOS", "todo", "METODO", "TODO1", "shop"] {
            assert!(!holds_placeholder(&json!({"a": [text]})), "{text}");
        }
        assert!(holds_placeholder(&json!({"TODO-site": 1})));
    }
}
