//! `DR09xx`: credentials that can be told by their shape, and secrets that are shown to others. Never repeats
//! one.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compile::check::is_secret_name;
use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::tree::escape;
use crate::model::runbook::Runbook;

/// Beginnings of tokens, how many letters and digits follow at least, and what they are.
const TOKENS: [(&str, usize, &str); 14] = [
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("ghp_", 30, "a GitHub token"),
    ("gho_", 30, "a GitHub token"),
    ("ghs_", 30, "a GitHub token"),
    ("github_pat_", 30, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("xoxb-", 20, "a Slack token"),
    ("xoxp-", 20, "a Slack token"),
    ("sk_live_", 20, "a Stripe key"),
    ("AIza", 35, "a Google API key"),
    ("hvs.", 20, "a Vault token"),
    ("eyJhbGciOi", 20, "a signed token"),
    ("SG.", 40, "a SendGrid key"),
];

/// Looks at the whole runbook.
pub(super) fn check(runbook: &Runbook, reporter: &mut Reporter<'_>) {
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    shapes(&serde_json::to_value(runbook).unwrap_or_default(), &mut String::new(), &mut found);
    for (pointer, message, code, help) in found {
        // One value may stand in many derived steps, and one place be wrong in two ways.
        let again = reporter.has(Code::SecretInText, &pointer) || reporter.is_full(code);
        if !again && told.insert((code, reporter.place(&pointer))) {
            reporter.value(code, &pointer, message).help(help);
        }
    }
    for (name, parameter) in &runbook.parameters {
        if is_secret_name(name) && !parameter.sensitive && parameter.default.is_none() {
            let message = format!("the value of `{name}` would be written into the journal");
            reporter
                .key(Code::NotSensitive, &format!("/parameters/{}", escape(name)), message)
                .help("add `sensitive: true`, or declare it under `secrets`");
        }
    }
}

type Found = (String, String, Code, &'static str);

fn shapes(value: &Value, pointer: &mut String, found: &mut Vec<Found>) {
    match value {
        Value::String(text) => {
            if let Some(what) = token(text) {
                let help = "take it out, change it, and read the new one from `secrets`";
                found.push((
                    pointer.clone(),
                    format!("this text holds {what}"),
                    Code::CredentialInText,
                    help,
                ));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                below(pointer, &at.to_string(), item, found);
            }
        }
        Value::Object(fields) => {
            shown(fields, pointer, found);
            for (key, field) in fields {
                below(pointer, &escape(key), field, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn below(pointer: &mut String, key: &str, value: &Value, found: &mut Vec<Found>) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(key);
    shapes(value, pointer, found);
    pointer.truncate(length);
}

/// A secret on a connection that everybody can read, or in the list of running programs.
fn shown(fields: &serde_json::Map<String, Value>, pointer: &str, found: &mut Vec<Found>) {
    let url = fields.get("url").and_then(Value::as_str).unwrap_or_default();
    let host = url.strip_prefix("http://").unwrap_or_default();
    let near = ["localhost", "127.", "[::1]"].iter().any(|near| host.starts_with(near));
    if !host.is_empty()
        && !near
        && ["headers", "body", "json"].iter().any(|key| fields.get(*key).is_some_and(reads_secret))
    {
        let message = "a secret is sent without encryption".to_owned();
        found.push((format!("{pointer}/url"), message, Code::SecretShown, "use https"));
    }
    if fields.get("argv").is_some_and(reads_secret) {
        let message =
            "a secret among the arguments is seen by everyone who lists the running programs".to_owned();
        let help = "give it to the program in `env` or `stdin`";
        found.push((format!("{pointer}/argv"), message, Code::SecretShown, help));
    }
}

fn reads_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{") && text.contains("secrets."),
        Value::Array(items) => items.iter().any(reads_secret),
        Value::Object(fields) => fields.values().any(reads_secret),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What kind of credential a text holds, told by its shape.
fn token(text: &str) -> Option<&'static str> {
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY") {
        return Some("a private key");
    }
    let bearer = |word: &&str| text.contains(&format!("{word} ")) && is_bearer(text, word);
    if ["Bearer", "bearer", "Basic"].iter().any(bearer) {
        return Some("a token for a server");
    }
    let (_, _, what) = TOKENS.iter().find(|(start, least, _)| {
        text.match_indices(start).any(|(at, _)| {
            let inside = text.get(..at).and_then(|before| before.chars().last());
            let rest = text.get(at + start.len()..).unwrap_or_default();
            let length = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).count();
            !inside.is_some_and(|c| c.is_ascii_alphanumeric()) && length >= *least
        })
    })?;
    Some(*what)
}

/// `Bearer` and something that is neither a template nor a word of a sentence.
fn is_bearer(text: &str, word: &str) -> bool {
    text.split(&format!("{word} ")).skip(1).any(|rest| {
        let credential: String =
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.~+/=".contains(*c)).collect();
        credential.len() >= 16 && credential.chars().any(|c| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn credentials_are_told_by_their_shape_and_words_are_not() {
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "curl -H 'Authorization: Bearer abcdef0123456789abcdef'",
            "-----BEGIN EC PRIVATE KEY-----",
            concat!("token ", "ghp_", "0123456789abcdefghijABCDEFGHIJ0123"),
        ] {
            assert!(token(text).is_some(), "{text}");
        }
        for text in [
            "Bearer {{ secrets.pager }}",
            "the Bearer of this message knows",
            "AKIA is how access keys begin",
            "a Basic understanding",
            "arn:aws:iam::111122223333:role/AKIA",
        ] {
            assert_eq!(token(text), None, "{text}");
        }
    }
}
