//! Writes an append: stream heads, events, and the projections that travel with them. Runs on the writer's
//! thread only, inside its transaction.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::Fault;
use super::known::Ends;
use super::transaction::Ledger;
use crate::journal::record::{Hash, Tip};
use crate::journal::rules::{self, Facts, Placed, run_of};
use crate::model::id::RunId;
use crate::model::run::Intent;
use crate::model::time::Timestamp;
use crate::ports::{Head, JournalError, RunSummary};

/// SQLite's integers are signed; ours never reach that far.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A negative number is never written; read back it is 0, and the hash does not fit it.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Where the journal ends.
pub(super) fn tip(connection: &Connection) -> Result<Tip, rusqlite::Error> {
    let read = |row: &Row<'_>| {
        let Head { sequence, hash, recorded_at } = head(row, 0)?;
        Ok(Tip { position: sequence, chain: hash, recorded_at })
    };
    connection
        .prepare_cached("select sequence, hash, recorded_at from stream where id = 0")?
        .query_row([], read)
}

/// Stores where the journal ends.
pub(super) fn store_tip(connection: &Connection, tip: &Tip) -> Result<(), rusqlite::Error> {
    store_head(connection, 0, tip.position, &tip.chain, tip.recorded_at)
}

/// Id and head of a stream.
pub(super) fn stream(connection: &Connection, name: &str) -> Result<Option<(i64, Head)>, rusqlite::Error> {
    const SQL: &str = "select id, sequence, hash, recorded_at from stream where name = ?1 and id > 0";
    connection.prepare_cached(SQL)?.query_row([name], |row| Ok((row.get(0)?, head(row, 1)?))).optional()
}

/// Appends to one or more streams.
pub(super) fn append(ledger: &mut Ledger<'_>, appends: &[Facts]) -> Result<Vec<Head>, Fault> {
    appends.iter().map(|facts| append_one(ledger, facts)).collect()
}

fn append_one(ledger: &mut Ledger<'_>, facts: &Facts) -> Result<Head, Fault> {
    let connection = ledger.connection;
    let name = facts.stream.as_str();
    let Ends { id, mut head, token } = ledger.known.ends(connection, name, run_of(&facts.stream))?;
    rules::fence(facts, token)?;
    rules::expect(facts, head.sequence)?;
    if let Some(summary) = &facts.summary {
        admit(connection, summary)?;
    }
    let only_expects = facts.records.is_empty() && facts.blobs.is_empty();
    if id.is_none() && only_expects && run_of(&facts.stream).is_none() {
        return Ok(head); // Only an expectation was checked.
    }
    let placed = rules::place(facts, &mut head, &mut ledger.known.tip);
    let id = match id {
        Some(id) if placed.is_empty() => id,
        Some(id) => {
            store_head(connection, id, head.sequence, &head.hash, head.recorded_at)?;
            id
        }
        None => create_stream(connection, name, &head)?,
    };
    write_events(connection, id, facts, &placed)?;
    write_rest(connection, facts)?;
    ledger.known.end(name, Ends { id: Some(id), head: head.clone(), token });
    Ok(head)
}

/// Reads a head from three columns.
pub(super) fn head(row: &Row<'_>, first: usize) -> Result<Head, rusqlite::Error> {
    let recorded_at = Timestamp::from_millis(row.get(first + 2)?);
    Ok(Head { sequence: unsigned(row.get(first)?), hash: row.get(first + 1)?, recorded_at })
}

/// Checks the idempotency key and the lock of the service.
fn admit(connection: &Connection, summary: &RunSummary) -> Result<(), Fault> {
    const SAME_KEY: &str = "select id from run where idempotency_key = ?2 \
                            and not exists (select 1 from run where id = ?1)";
    const OWNER: &str = "select id from run where service = ?2 and locking = 1 and id <> ?1";
    let find = |sql, value: &str| -> Result<Option<RunId>, Fault> {
        let mut select = connection.prepare_cached(sql)?;
        let id: Option<String> =
            select.query_row([summary.run.as_str(), value], |row| row.get(0)).optional()?;
        let typed =
            |id| RunId::new(id).map_err(|error| JournalError::Damaged(format!("list of runs: {error}")));
        Ok(id.map(typed).transpose()?)
    };
    if let Some(key) = &summary.idempotency_key
        && let Some(run) = find(SAME_KEY, key)?
    {
        return Err(JournalError::DuplicateStart { run }.into());
    }
    if summary.intent == Intent::Drill
        && let Some(run) = kept_out_by(connection, summary)?
    {
        return Err(JournalError::ServiceLocked { service: summary.service.clone(), run }.into());
    }
    if rules::locks(summary)
        && let Some(run) = find(OWNER, summary.service.as_str())?
    {
        return Err(JournalError::ServiceLocked { service: summary.service.clone(), run }.into());
    }
    Ok(())
}

/// The run that keeps a new drill out.
fn kept_out_by(connection: &Connection, new: &RunSummary) -> Result<Option<RunId>, Fault> {
    const UNDER_WAY: &str = "select summary from run where service = ?2 and terminal = 0 and id <> ?1 \
                             and not exists (select 1 from run where id = ?1)";
    let mut select = connection.prepare_cached(UNDER_WAY)?;
    let mut rows = select.query([new.run.as_str(), new.service.as_str()])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        let other: RunSummary = serde_json::from_str(&text)
            .map_err(|error| JournalError::Damaged(format!("list of runs: {error}")))?;
        if rules::keeps_out(&other, new) {
            return Ok(Some(other.run));
        }
    }
    Ok(None)
}

pub(super) fn create_stream(
    connection: &Connection,
    name: &str,
    head: &Head,
) -> Result<i64, rusqlite::Error> {
    const SQL: &str = "insert into stream(name, sequence, hash, recorded_at) values (?1, ?2, ?3, ?4)";
    let values = params![name, signed(head.sequence), head.hash, head.recorded_at.as_millis()];
    connection.prepare_cached(SQL)?.insert(values)
}

pub(super) fn store_head(
    connection: &Connection,
    id: i64,
    sequence: u64,
    hash: &Hash,
    recorded_at: Timestamp,
) -> Result<(), rusqlite::Error> {
    const SQL: &str = "update stream set sequence = ?2, hash = ?3, recorded_at = ?4 where id = ?1";
    let values = params![id, signed(sequence), hash, recorded_at.as_millis()];
    connection.prepare_cached(SQL)?.execute(values).map(|_| ())
}

fn write_events(
    connection: &Connection,
    id: i64,
    facts: &Facts,
    placed: &[Placed],
) -> Result<(), rusqlite::Error> {
    const SQL: &str = "\
        insert into event(position, stream, sequence, token, recorded_at, kind, version, body, hash) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut insert = connection.prepare_cached(SQL)?;
    for (fact, place) in facts.records.iter().zip(placed) {
        insert.execute(params![
            signed(place.position),
            id,
            signed(place.sequence),
            signed(facts.token.unwrap_or(0)),
            place.recorded_at.as_millis(),
            fact.kind,
            fact.version,
            fact.body,
            place.hash,
        ])?;
    }
    Ok(())
}

fn write_rest(connection: &Connection, facts: &Facts) -> Result<(), Fault> {
    const BLOB: &str = "insert or ignore into blob(digest, body) values (?1, ?2)";
    const ANSWER: &str = "update inbox set body = null where run = ?1 and id = ?2";
    const CHECKPOINT: &str =
        "insert or replace into checkpoint(run, sequence, engine, body) values (?1, ?2, ?3, ?4)";
    for (name, body) in &facts.blobs {
        connection.prepare_cached(BLOB)?.execute(params![name, &**body])?;
    }
    let run = run_of(&facts.stream).unwrap_or_default();
    for id in &facts.answers {
        connection.prepare_cached(ANSWER)?.execute([run, id])?;
    }
    if let Some(checkpoint) = &facts.checkpoint {
        let values = params![run, signed(checkpoint.sequence), checkpoint.engine, &*checkpoint.body];
        connection.prepare_cached(CHECKPOINT)?.execute(values)?;
    }
    facts.summary.as_ref().map_or(Ok(()), |summary| write_summary(connection, summary))
}

pub(super) fn write_summary(connection: &Connection, summary: &RunSummary) -> Result<(), Fault> {
    const SQL: &str = "\
        insert into run(id, service, simulated, terminal, locking, created_at, ended_at, idempotency_key, \
        summary) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
        on conflict(id) do update set service = ?2, simulated = ?3, terminal = ?4, locking = ?5, \
        created_at = ?6, ended_at = ?7, idempotency_key = ?8, summary = ?9";
    let text = serde_json::to_string(summary)
        .map_err(|error| JournalError::Unavailable(format!("a summary cannot be written ({error})")))?;
    connection.prepare_cached(SQL)?.execute(params![
        summary.run.as_str(),
        summary.service.as_str(),
        summary.intent == Intent::Simulate,
        summary.status.is_terminal(),
        rules::locks(summary),
        summary.created_at.as_millis(),
        summary.ended_at.map(Timestamp::as_millis),
        summary.idempotency_key,
        text,
    ])?;
    Ok(())
}
