//! `postgres.query`: one statement, its rows as objects. Must run inside a read-only transaction unless
//! `write` is set, and must never build SQL from values.

use serde_json::{Value, json};
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use super::connection::{Server, Session, Unconnected};
use super::rows::{self, TextValue};
use super::sqlstate::Stake;
use super::{Outputs, permanent};
use crate::model::action::postgres::Query;
use crate::model::limits;
use crate::model::run::Failure;
use crate::ports::AttemptContext;

/// Most rows returned.
const ROWS: usize = 1_000;

/// Runs the statement.
pub(super) async fn run(query: &Query, context: &AttemptContext) -> Result<Outputs, Failure> {
    let server = Server::read(&query.connection, context)?;
    let mut session = server.connect().await.map_err(Unconnected::into_failure)?;
    let prepare = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'; \
                   SET extra_float_digits = 1";
    session.client.batch_execute(prepare).await.map_err(|error| session.failure(&error, Stake::Read))?;
    let sql = query.sql.trim().trim_end_matches(';').trim_end();
    // Preparing has no effect, so a failure here is harmless.
    let statement =
        session.client.prepare(sql).await.map_err(|error| session.failure(&error, Stake::Read))?;
    if statement.params().len() != query.values.len() {
        return Err(permanent(format!(
            "the statement takes {} values and `values` has {}; nothing was run",
            statement.params().len(),
            query.values.len()
        )));
    }
    let values: Vec<TextValue> = query.values.iter().map(TextValue::of).collect();
    let found = if query.write && statement.columns().is_empty() {
        change(&session, &statement, &values).await?
    } else {
        let statement = rows::with_shown_columns(&session.client, sql, statement).await;
        select(&mut session, &statement, &values, query.write).await?
    };
    Ok(outputs(found, context.sensitive))
}

/// What a statement returned.
#[derive(Default)]
struct Found {
    rows: Vec<Value>,
    count: u64,
    cut: bool,
}

fn outputs(found: Found, sensitive: bool) -> Outputs {
    let mut outputs = Outputs::new();
    if !sensitive {
        outputs.insert("rows".to_owned(), Value::Array(found.rows));
    }
    outputs.insert("row_count".to_owned(), json!(found.count));
    if found.cut {
        outputs.insert("drctl_note".to_owned(), json!("there are more rows; the rest is left out"));
    }
    outputs
}

/// Runs a statement that returns no rows; outside an explicit transaction, because some statements refuse to
/// run in one.
async fn change(session: &Session, statement: &Statement, values: &[TextValue]) -> Result<Found, Failure> {
    let done =
        session.client.execute_raw(statement, values.iter().map(|value| value as &(dyn ToSql + Sync))).await;
    let count = done.map_err(|error| session.failure(&error, Stake::Write))?;
    Ok(Found { count, ..Found::default() })
}

/// Runs a statement that returns rows, in a transaction, and reads no more of them than are kept.
async fn select(
    session: &mut Session,
    statement: &Statement,
    values: &[TextValue],
    write: bool,
) -> Result<Found, Failure> {
    let stake = if write { Stake::Write } else { Stake::Read };
    let place = session.place();
    let failed = |error: tokio_postgres::Error| place.failure(&error, stake);
    let transaction = session.client.build_transaction().read_only(!write).start().await.map_err(failed)?;
    let portal = transaction
        .bind_raw(statement, values.iter().map(|value| value as &(dyn ToSql + Sync)))
        .await
        .map_err(failed)?;
    let wanted = i32::try_from(ROWS + 1).unwrap_or(i32::MAX);
    let read = transaction.query_portal(&portal, wanted).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    let mut found = Found { cut: read.len() > ROWS, ..Found::default() };
    let mut bytes = 0;
    for row in read.iter().take(ROWS) {
        let object = rows::object(row);
        bytes += object.to_string().len();
        if bytes > limits::OUTPUT_BYTES {
            found.cut = true;
            break;
        }
        found.rows.push(object);
    }
    found.count = found.rows.len() as u64;
    Ok(found)
}
