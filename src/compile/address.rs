//! Addresses that were written down where the runbook sends a request: what is none fails on the bad day.
//! Leaves templates to the plan.

use serde_json::Value;

use super::diagnostic::Code;
use super::reporter::Reporter;
use super::tree::escape;
use crate::model::action::ActionName;
use crate::model::address::http_fault;
use crate::model::component::ComponentKind;
use crate::model::expression::is_template;

/// Fields of a component that are asked over HTTP.
const ENDPOINT: [&str; 3] = ["url", "standby_url", "public_url"];

/// Reports every address of a document, as its author wrote it, that nothing can be sent to.
pub(super) fn check(document: &Value, reporter: &mut Reporter<'_>) {
    walk(document, &mut String::new(), reporter);
}

fn walk(value: &Value, pointer: &mut String, reporter: &mut Reporter<'_>) {
    let length = pointer.len();
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                pointer.push('/');
                pointer.push_str(&at.to_string());
                walk(item, pointer, reporter);
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            let word = |key: &str| fields.get(key).and_then(Value::as_str);
            if word("kind") == Some(ComponentKind::HttpEndpoint.as_str()) {
                for key in ENDPOINT {
                    fields
                        .get(key)
                        .into_iter()
                        .for_each(|given| each(given, &format!("{pointer}/{key}"), reporter));
                }
            }
            if [ActionName::HttpCheck, ActionName::HttpRequest]
                .iter()
                .any(|it| word("uses") == Some(it.as_str()))
            {
                let url = |at: &str| value.pointer(at).map(|given| (given, format!("{pointer}{at}")));
                for (given, at) in [url("/with/url"), url("/with/observe/url")].into_iter().flatten() {
                    each(given, &at, reporter);
                }
            }
            for (key, field) in fields {
                pointer.push('/');
                pointer.push_str(&escape(key));
                walk(field, pointer, reporter);
                pointer.truncate(length);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What keeps a text from being an address. Of a template it is known how it begins, at most.
fn fault(text: &str) -> Option<&'static str> {
    if !is_template(text) {
        return http_fault(text);
    }
    let begins = text.split('{').next().unwrap_or_default().to_ascii_lowercase();
    let may_be = |scheme: &&str| scheme.starts_with(&begins) || begins.starts_with(*scheme);
    let is_none = !["https://", "http://"].iter().any(may_be);
    is_none.then_some("it does not begin with https:// or http://")
}

/// One address, or one for each site.
fn each(given: &Value, pointer: &str, reporter: &mut Reporter<'_>) {
    match given {
        Value::String(text) => {
            let Some(fault) = fault(text) else { return };
            // An address may hold a password.
            let message = format!("this is no address: {fault}");
            reporter
                .value(Code::BrokenAddress, pointer, message)
                .help("write it like https://shop.example.com/health");
        }
        Value::Object(sites) => {
            for (site, address) in sites {
                each(address, &format!("{pointer}/{}", escape(site)), reporter);
            }
        }
        // What is of another type is refused as that.
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
