//! Writes the XML of the query protocol out of JSON: an object is a sequence of elements, a list repeats the
//! element its key names after a slash (`TagList/Tag`).

use std::fmt::Write as _;

use serde_json::Value;

use super::Response;

/// The answer to an operation.
pub(super) fn answer(action: &str, result: &Value) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{action}Result>{}</{action}Result>\
         <ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ResponseMetadata>\
         </{action}Response>",
        elements(result)
    );
    (200, body)
}

/// A refusal.
pub(super) fn refusal(code: &str, message: &str) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{}</Message></Error><RequestId>0</RequestId></ErrorResponse>",
        escaped(message)
    );
    let status = if code.contains("NotFound") { 404 } else { 400 };
    (status, body)
}

fn elements(value: &Value) -> String {
    let Value::Object(fields) = value else { return escaped(&plain(value)) };
    let mut text = String::new();
    for (name, field) in fields {
        match (name.split_once('/'), field) {
            (Some((list, member)), Value::Array(members)) => {
                let _ = write!(text, "<{list}>");
                for one in members {
                    let _ = write!(text, "<{member}>{}</{member}>", elements(one));
                }
                let _ = write!(text, "</{list}>");
            }
            (_, Value::Null) => {}
            (_, field) => {
                let _ = write!(text, "<{name}>{}</{name}>", elements(field));
            }
        }
    }
    text
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
