//! Addresses and connection strings that were written down: what is none fails on the bad day. Leaves
//! templates to the plan, and never prints one.

use serde_json::Value;

use super::diagnostic::Code;
use super::reporter::Reporter;
use super::tree::escape;
use crate::model::action::ActionName;
use crate::model::address::http_fault;
use crate::model::component::ComponentKind;
use crate::model::connection;
use crate::model::expression::is_template;

use super::placeholder::holds_placeholder;

/// Fields of a component that are asked over HTTP.
const ENDPOINT: [&str; 3] = ["url", "standby_url", "public_url"];
/// Parameters of the actions on PostgreSQL servers that are connection strings.
const SERVERS: [&str; 3] = ["connection", "primary", "standby"];

/// Components whose servers are PostgreSQL.
const DATABASES: [ComponentKind; 2] = [ComponentKind::PostgresServer, ComponentKind::DistributedPostgres];

/// What is written at a place.
#[derive(Clone, Copy)]
enum Written {
    /// The address of a request.
    Address,
    /// The connection string of a PostgreSQL server.
    Connection,
}

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
            let word = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
            let mut judge = |written: Written, at: String| {
                if let Some(given) = value.pointer(&at) {
                    written.each(given, &format!("{pointer}{at}"), reporter);
                }
            };
            match word("kind") {
                kind if kind == ComponentKind::HttpEndpoint.as_str() => {
                    for key in ENDPOINT {
                        judge(Written::Address, format!("/{key}"));
                    }
                }
                kind if DATABASES.iter().any(|own| own.as_str() == kind) => {
                    judge(Written::Connection, "/connection".to_owned());
                }
                _ => {}
            }
            match word("uses") {
                uses if [ActionName::HttpCheck, ActionName::HttpRequest]
                    .iter()
                    .any(|it| it.as_str() == uses) =>
                {
                    for at in ["/with/url", "/with/observe/url"] {
                        judge(Written::Address, at.to_owned());
                    }
                }
                uses if uses.starts_with("postgres.") => {
                    for key in SERVERS {
                        judge(Written::Connection, format!("/with/{key}"));
                    }
                }
                _ => {}
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

/// What keeps a text from being a connection string. Of one with templates, what stands beside them counts.
fn fault_of_connection(text: &str) -> Option<&'static str> {
    if text.contains("{%") || text.contains("{#") || holds_placeholder(&text.into()) {
        return None;
    }
    let (mut known, mut rest) = (String::new(), text);
    while let Some((before, tag)) = rest.split_once("{{") {
        known.push_str(before);
        known.push(connection::UNKNOWN);
        rest = tag.split_once("}}")?.1;
    }
    known.push_str(rest);
    // Nothing but a template may become anything.
    let is_open = known.trim_matches(connection::UNKNOWN).is_empty() && !known.is_empty();
    if is_open { None } else { connection::fault(&known) }
}

impl Written {
    /// One text, or one for each site.
    fn each(self, given: &Value, pointer: &str, reporter: &mut Reporter<'_>) {
        match given {
            // Either may hold a password.
            Value::String(text) => {
                let (wrong, fault, help) = match self {
                    Self::Address => {
                        ("this is no address", fault(text), "write it like https://shop.example.com/health")
                    }
                    Self::Connection => (
                        "nobody can be reached by this connection string",
                        fault_of_connection(text),
                        "write it like `host=db.example.com port=5432 dbname=shop user=drctl`",
                    ),
                };
                if let Some(fault) = fault {
                    reporter.value(Code::BrokenAddress, pointer, format!("{wrong}: {fault}")).help(help);
                }
            }
            Value::Object(sites) => {
                for (site, given) in sites {
                    self.each(given, &format!("{pointer}/{}", escape(site)), reporter);
                }
            }
            // What is of another type is refused as that.
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
