//! The request inbox of runs: what other processes ask of a driver. Never answers a request.

use rusqlite::{Connection, params};

use super::append::{signed, stream};
use super::fault::{Fault, Place};
use super::transaction::Ledger;
use crate::engine::input::Request;
use crate::model::id::RunId;
use crate::model::limits;
use crate::ports::{JournalError, StreamName};

/// Puts a request into the inbox. A known id, answered or not, changes nothing.
pub(super) fn submit(ledger: &mut Ledger<'_>, run: &RunId, request: &Request) -> Result<(), Fault> {
    const KNOWN: &str = "select 1 from inbox where run = ?1 and id = ?2";
    const WAITING: &str = "select count(*) from inbox where run = ?1 and body is not null";
    const SUBMIT: &str = "insert into inbox(run, id, body) values (?1, ?2, ?3)";
    let connection = ledger.connection;
    if stream(connection, StreamName::run(run).as_str())?.is_none() {
        return Err(JournalError::UnknownRun(run.to_string()).into());
    }
    if connection.prepare_cached(KNOWN)?.exists([run.as_str(), &request.id])? {
        return Ok(());
    }
    let waiting: i64 = connection.prepare_cached(WAITING)?.query_row([run.as_str()], |row| row.get(0))?;
    if waiting >= signed(limits::INBOX as u64) {
        return Err(JournalError::InboxFull(run.clone()).into());
    }
    let body = serde_json::to_string(request)
        .map_err(|error| JournalError::Unavailable(format!("a request cannot be written ({error})")))?;
    connection.prepare_cached(SUBMIT)?.execute(params![run.as_str(), request.id, body])?;
    Ok(())
}

/// Unanswered requests, oldest first.
pub(super) fn inbox(connection: &Connection, place: &Place, run: &RunId) -> Result<Vec<Request>, Fault> {
    const SQL: &str = "select body from inbox where run = ?1 and body is not null order by number";
    let mut select = connection.prepare_cached(SQL)?;
    let rows = select.query_map([run.as_str()], |row| row.get::<_, String>(0))?;
    let mut requests = Vec::new();
    for text in rows {
        let request = serde_json::from_str(&text?)
            .map_err(|error| place.damaged(&format!("inbox of run {run}: {error}")))?;
        requests.push(request);
    }
    Ok(requests)
}
