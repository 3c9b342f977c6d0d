//! `postgres.heartbeat`: writes a row on the primary and reads it on the standby, where its time is the
//! recovery point. Must never touch another table than the one named.

use serde_json::json;

use super::connection::{Server, Unconnected};
use super::sqlstate::Stake;
use super::{Outputs, permanent};
use crate::model::action::postgres::{Heartbeat, HeartbeatTask};
use crate::model::run::{Failure, FailureClass};
use crate::model::time::Timestamp;
use crate::ports::AttemptContext;
use crate::providers::excerpt;

/// Table unless the step names one.
const TABLE: &str = "drctl_heartbeat";
/// Longest name PostgreSQL keeps whole, in bytes.
const NAME_BYTES: usize = 63;

/// Reads or beats.
pub(super) async fn run(heartbeat: &Heartbeat, context: &AttemptContext) -> Result<Outputs, Failure> {
    let table = quoted(heartbeat.table.as_deref().unwrap_or(TABLE))?;
    let server = Server::read(&heartbeat.connection, context)?;
    let session = server.connect().await.map_err(Unconnected::into_failure)?;
    match heartbeat.task.unwrap_or(HeartbeatTask::Read) {
        HeartbeatTask::Beat => {
            // A beat done twice is a beat: its doubt is none.
            let create = format!(
                "CREATE TABLE IF NOT EXISTS {table} \
                 (id integer PRIMARY KEY CHECK (id = 1), beat_at timestamptz NOT NULL)"
            );
            let missing = format!("SELECT to_regclass('{table}') IS NULL");
            let row = session.one(Stake::Read, &missing, &[]).await?;
            if session.column(&row, 0)? {
                session
                    .client
                    .batch_execute(&create)
                    .await
                    .map_err(|error| session.failure(&error, Stake::Read))?;
            }
            let beat = format!(
                "INSERT INTO {table} (id, beat_at) VALUES (1, clock_timestamp()) \
                 ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at \
                 RETURNING (extract(epoch FROM beat_at) * 1000)::bigint"
            );
            let row = session.one(Stake::Read, &beat, &[]).await?;
            Ok(outputs(session.column(&row, 0)?, 0))
        }
        HeartbeatTask::Read => {
            // One row always comes back: NULL where there is no heartbeat.
            let read = format!(
                "SELECT (extract(epoch FROM max(beat_at)) * 1000)::bigint, \
                 (extract(epoch FROM clock_timestamp() - max(beat_at)) * 1000)::bigint FROM {table}"
            );
            let row = session.one(Stake::Read, &read, &[]).await.map_err(|mut failure| {
                if failure.message.contains("42P01") {
                    failure.message.push_str("; `task: beat` on the primary creates the table");
                }
                failure
            })?;
            match (session.column::<Option<i64>>(&row, 0)?, session.column::<Option<i64>>(&row, 1)?) {
                (Some(at), Some(age)) => Ok(outputs(at, age)),
                _ => Err(Failure::new(
                    FailureClass::Transient,
                    format!("{}: no heartbeat yet", server.shown()),
                )),
            }
        }
    }
}

fn outputs(at: i64, age: i64) -> Outputs {
    let at = Timestamp::from_millis(at).to_string();
    // The clocks of two servers may differ: a heartbeat from the future is none behind.
    [("recovery_point_at".to_owned(), json!(at)), ("lag_ms".to_owned(), json!(age.max(0)))]
        .into_iter()
        .collect()
}

/// A table's name in quotes: `table` or `schema.table` of lower-case letters, digits and `_`.
fn quoted(name: &str) -> Result<String, Failure> {
    let parts: Vec<&str> = name.split('.').collect();
    let shape = |part: &&str| {
        part.len() <= NAME_BYTES
            && part.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    if parts.len() > 2 || !parts.iter().all(shape) {
        let shown = excerpt::head(name, 60);
        return Err(permanent(format!(
            "`table` is `{shown}`; use `table` or `schema.table` of a-z, 0-9 and `_`"
        )));
    }
    Ok(parts.iter().map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_tables() {
        assert_eq!(quoted("drctl_heartbeat").unwrap(), "\"drctl_heartbeat\"");
        assert_eq!(quoted("ops.beat2").unwrap(), "\"ops\".\"beat2\"");
        for bad in ["", ".", "a.b.c", "a;drop table b", "a\"b", "Äa", "1a", "A", &"x".repeat(64)] {
            assert_eq!(quoted(bad).unwrap_err().class, FailureClass::Permanent, "{bad}");
        }
    }
}
