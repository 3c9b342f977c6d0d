//! A SQLite journal as the source or the target of a copy. Never changes a hash, a position or a token.

use rusqlite::{Connection, Row, params};
use tokio::sync::mpsc::Sender;

use super::append::{create_stream, signed, store_head, stream, tip, unsigned, write_summary};
use super::fault::{Fault, Place};
use super::read::{EVENT, stored};
use super::transaction::Ledger;
use crate::journal::copying::{PAGE, follow};
use crate::journal::record::{Hash, hex};
use crate::journal::rules::empty_head;
use crate::ports::{JournalError, Part, Record};

/// Sends everything, in one snapshot.
pub(super) fn dump(connection: &Connection, place: &Place, into: &Sender<Part>) -> Result<String, Fault> {
    let gone = |_| Fault::Refused(place.unavailable("the copy was given up"));
    let send = |part| into.blocking_send(part).map_err(gone);
    let mut select = connection.prepare(&format!("{EVENT} order by e.position"))?;
    let mut page = Vec::with_capacity(PAGE);
    for row in select.query_map([], stored)? {
        let row = row?;
        page.push((row.record, row.pruned));
        if page.len() == PAGE {
            send(Part::Records(std::mem::take(&mut page)))?;
        }
    }
    send(Part::Records(page))?;
    let mut select = connection.prepare("select digest, body from blob")?;
    for row in select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        send(Part::Blobs(vec![row?]))?;
    }
    let mut runs = Vec::new();
    let mut select = connection.prepare("select summary, pruned from run")?;
    for row in select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))? {
        let (text, pruned) = row?;
        let damaged = |error| place.damaged(&format!("list of runs: {error}"));
        runs.push((serde_json::from_str(&text).map_err(damaged)?, pruned));
    }
    send(Part::Runs(runs))?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let mut select = connection.prepare("select run, id, body from inbox order by number")?;
    send(Part::Requests(select.query_map([], read)?.collect::<Result<_, _>>()?))?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, unsigned(row.get(1)?)));
    let mut select = connection.prepare("select run, token from lease")?;
    send(Part::Tokens(select.query_map([], read)?.collect::<Result<_, _>>()?))?;
    Ok(hex(&tip(connection)?.chain))
}

/// Takes a part.
pub(super) fn fill(ledger: &mut Ledger<'_>, part: &Part) -> Result<(), Fault> {
    let connection = ledger.connection;
    match part {
        Part::Records(records) => {
            records.iter().try_for_each(|(record, pruned)| record_one(ledger, record, pruned.as_ref()))?;
            // Heads were written beside what the writer knows of them.
            let tip = ledger.known.tip.clone();
            ledger.known.forget();
            ledger.known.tip = tip;
        }
        Part::Blobs(blobs) => {
            const SQL: &str = "insert or ignore into blob(digest, body) values (?1, ?2)";
            for (digest, body) in blobs {
                connection.prepare_cached(SQL)?.execute(params![digest, body])?;
            }
        }
        Part::Runs(runs) => {
            for (summary, pruned) in runs {
                write_summary(connection, summary)?;
                let mark = params![summary.run.as_str(), pruned];
                connection.prepare_cached("update run set pruned = ?2 where id = ?1")?.execute(mark)?;
            }
        }
        Part::Requests(requests) => {
            const SQL: &str = "insert or ignore into inbox(run, id, body) values (?1, ?2, ?3)";
            for (run, id, body) in requests {
                connection.prepare_cached(SQL)?.execute(params![run, id, body])?;
            }
        }
        Part::Tokens(tokens) => {
            const SQL: &str = "insert into lease(run, token, holder) values (?1, ?2, null) \
                               on conflict(run) do update set token = max(token, ?2)";
            for (run, token) in tokens {
                connection.prepare_cached(SQL)?.execute(params![run, signed(*token)])?;
            }
        }
    }
    Ok(())
}

fn record_one(ledger: &mut Ledger<'_>, record: &Record, pruned: Option<&Hash>) -> Result<(), Fault> {
    const SQL: &str = "\
        insert into event(position, stream, sequence, token, recorded_at, kind, version, body, hash, pruned) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let connection = ledger.connection;
    let name = record.stream.as_str();
    let (id, mut head) = match stream(connection, name)? {
        Some((id, head)) => (id, head),
        None => (create_stream(connection, name, &empty_head())?, empty_head()),
    };
    follow(record, &mut head, &mut ledger.known.tip).map_err(|error: JournalError| Fault::from(error))?;
    store_head(connection, id, head.sequence, &head.hash, head.recorded_at)?;
    connection.prepare_cached(SQL)?.execute(params![
        signed(record.position),
        id,
        signed(record.sequence),
        signed(record.token),
        record.recorded_at.as_millis(),
        record.kind,
        record.version,
        record.body,
        record.hash,
        pruned,
    ])?;
    Ok(())
}
