//! Finds values that look like secrets in clear text. Never repeats such a value.

use serde_json::Value;

use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::tree::escape;
use crate::model::expression;

/// Keys whose values are secrets.
const KEYS: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "authorization",
    "api_key",
    "apikey",
    "access_key",
    "secret_key",
    "private_key",
    "client_secret",
    "credentials",
];
/// Keys such as `pager_token` end in one of these.
const ENDS: [&str; 5] = ["_password", "_token", "_secret", "_api_key", "_secret_key"];

/// Looks through a value for keys and texts that give a secret away.
pub(super) fn check(value: &Value, pointer: &str, reporter: &mut Reporter<'_>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let at = format!("{pointer}/{}", escape(key));
                if !check_named(key, field, &at, reporter) {
                    check(field, &at, reporter);
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| check(item, &format!("{pointer}/{at}"), reporter));
        }
        Value::String(text) if gives_away(text) => report("this text holds a password", pointer, reporter),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Looks at one value under its key; says whether it was reported.
pub(super) fn check_named(key: &str, value: &Value, pointer: &str, reporter: &mut Reporter<'_>) -> bool {
    let secret = is_secret_name(key);
    let literal = match value {
        Value::String(text) => !text.is_empty() && !expression::is_template(text),
        Value::Number(_) => true,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    if secret && literal {
        report(&format!("`{key}` holds a secret in clear text"), pointer, reporter);
    }
    secret && literal
}

/// Whether what stands under a name is a secret.
pub(in crate::compile) fn is_secret_name(key: &str) -> bool {
    let name = key.to_ascii_lowercase().replace('-', "_");
    KEYS.contains(&name.as_str()) || ENDS.iter().any(|end| name.ends_with(end)) || name == "x_api_key"
}

fn report(message: &str, pointer: &str, reporter: &mut Reporter<'_>) {
    let help = "declare it under `secrets` and read it with `{{ secrets.its_name }}`; \
                change it, since it was written down";
    reporter.value(Code::SecretInText, pointer, message).help(help);
}

/// `scheme://user:password@host`, `password=…`, or a private key.
fn gives_away(text: &str) -> bool {
    let literal =
        |password: &str| !password.is_empty() && !password.starts_with(['{', '$', '<', '*', '\'', '"']);
    let in_address = text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', ' ']).next().unwrap_or("");
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        user.split_once(':').is_some_and(|(_, password)| literal(password))
    });
    let lower = text.to_ascii_lowercase();
    let in_words =
        lower.split("password=").skip(1).any(|rest| literal(rest.split([' ', '&']).next().unwrap_or("")));
    in_address || in_words || (text.contains("-----BEGIN") && text.contains("PRIVATE KEY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_texts_are_seen_and_templates_are_not() {
        for text in [
            "postgres://app:hunter2@db/x",
            "host=db password=hunter2 dbname=x",
            "--Password=hunter2",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            assert!(gives_away(text), "{text}");
        }
        for text in [
            "postgres://app:{{ secrets.db }}@db/x",
            "postgres://app@db/x",
            "https://example.com:8080/a@b",
            "host=db password={{ secrets.db }}",
            "password=",
            "reset the password",
        ] {
            assert!(!gives_away(text), "{text}");
        }
    }
}
