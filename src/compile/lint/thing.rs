//! Which thing a call works on, in a form that can be compared. Judges nothing.

use serde_json::{Map, Value};

use crate::model::action::ActionName;
use crate::model::action::meaning;
use crate::model::connection;

/// Parameters that say how much, and not which.
const AMOUNTS: [&str; 3] = ["min_success", "min_ready", "enough"];

/// The thing a call works on; nothing where it cannot be told.
pub(super) fn thing(action: ActionName, with: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| with.get(key).and_then(Value::as_str);
    let server = |key: &str| connection::server(text(key)?).map(|server| format!("postgres {server}"));
    let instance = |key: &str| Some(format!("rds {} {}", text("region")?, text(key)?));
    match action {
        ActionName::PostgresFence => server("primary"),
        ActionName::PostgresPromote => server("standby"),
        ActionName::PostgresHeartbeat => server("connection"),
        ActionName::PostgresCheckReplication => server("standby"),
        ActionName::AwsRdsCheckReplication if text("kind") == Some("read_replica") => instance("identifier"),
        ActionName::AwsRdsFence if text("kind") == Some("instance") => instance("identifier"),
        ActionName::AwsRdsPromoteReadReplica => instance("instance"),
        // What has a size or a switch is named by its texts; the rest of its parameters says how much.
        other if meaning::can_start(other) => {
            let names = with.iter().filter(|(key, _)| !AMOUNTS.contains(&key.as_str()));
            let known = with.values().all(|value| !value.is_null());
            let texts: Vec<_> = names.filter_map(|(key, value)| Some((key, value.as_str()?))).collect();
            (known && !texts.is_empty()).then(|| format!("{other} {texts:?}"))
        }
        _ => None,
    }
}
