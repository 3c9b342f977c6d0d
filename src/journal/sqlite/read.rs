//! Reads: on connections of their own that cannot write, each read in one snapshot. Never waits for the
//! writer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, params};
use tokio::sync::Semaphore;

use super::append::{signed, stream, tip, unsigned};
use super::fault::{Fault, Place};
use super::format;
use crate::journal::record::{NO_HASH, Stored, check, digest, hex};
use crate::model::id::{RunId, ServiceName};
use crate::model::time::Timestamp;
use crate::ports::{Checkpoint, JournalError, Record, RunFilter, RunSummary, StreamName};

/// Connections that read at the same time.
const READERS: usize = 4;
/// A read that takes longer than this is not worth a caller's own time.
const QUICK: Duration = Duration::from_millis(1);

/// Columns of an event, joined with its stream; [`stored`] reads them.
pub(super) const EVENT: &str = "\
    select e.position, s.name, e.sequence, e.token, e.recorded_at, e.kind, e.version, e.body, e.hash, \
    e.pruned, e.stream from event e left join stream s on s.id = e.stream";

/// A few connections that only read.
#[derive(Debug)]
pub(super) struct Readers {
    place: Place,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    /// The last read of little was quick.
    quick: AtomicBool,
}

impl Readers {
    /// Opens the first connection, so that a file that cannot be read is found now.
    pub(super) fn open(place: Place) -> Result<Self, JournalError> {
        let first = format::open_reader(&place)?;
        Ok(Self {
            place,
            idle: Mutex::new(vec![first]),
            permits: Semaphore::new(READERS),
            quick: AtomicBool::new(true),
        })
    }

    /// Reads little, in one snapshot: on the caller's thread while that is quick, because to wake a thread
    /// and to be woken by it takes longer than such a read.
    pub(super) async fn glance<T, F>(self: &Arc<Self>, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: Fn(&Connection, &Place) -> Result<T, Fault> + Send + 'static,
    {
        if let Some(answer) = self.at_once(&work) {
            return answer;
        }
        let readers = Arc::clone(self);
        self.read(move |connection, place| {
            let start = Instant::now();
            let answer = work(connection, place);
            readers.took(start);
            answer
        })
        .await
    }

    /// Reads on this thread, unless that may take a while: nothing is waited for, nor opened.
    fn at_once<T>(
        &self,
        work: &impl Fn(&Connection, &Place) -> Result<T, Fault>,
    ) -> Option<Result<T, JournalError>> {
        if !self.quick.load(Ordering::Relaxed) {
            return None;
        }
        let _permit = self.permits.try_acquire().ok()?;
        let mut connection = self.idle().pop()?;
        connection.busy_timeout(Duration::ZERO).ok()?;
        let start = Instant::now();
        let answer = self.snapshot(&connection, work);
        self.took(start);
        // Without its patience a connection would fail where it need not.
        if format::wait_for_others(&mut connection).is_ok() {
            self.idle().push(connection);
        }
        match answer {
            Err(Fault::Store(error)) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => None,
            answer => Some(answer.map_err(|fault| self.place.explain(fault))),
        }
    }

    /// Notes how long a read of little took.
    fn took(&self, start: Instant) {
        self.quick.store(start.elapsed() < QUICK, Ordering::Relaxed);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot<T>(
        &self,
        connection: &Connection,
        work: impl FnOnce(&Connection, &Place) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let transaction = connection.unchecked_transaction()?;
        work(&transaction, &self.place)
    }

    /// Reads something, in one snapshot, on a thread that may block.
    pub(super) async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &Place) -> Result<T, Fault> + Send + 'static,
    {
        let gone = |_| self.place.unavailable("its readers have stopped");
        let permit = self.permits.acquire().await.map_err(gone)?;
        let readers = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || readers.read_now(work)).await;
        drop(permit);
        answer.map_err(|error| self.place.unavailable(&format!("a read did not end ({error})")))?
    }

    /// Reads something on this thread.
    pub(super) fn read_now<T>(
        &self,
        work: impl FnOnce(&Connection, &Place) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => format::open_reader(&self.place)?,
        };
        let answer = self.snapshot(&connection, work).map_err(|fault| self.place.explain(fault));
        self.idle().push(connection);
        answer
    }
}

/// Reads a row of [`EVENT`].
pub(super) fn stored(row: &Row<'_>) -> Result<Stored, rusqlite::Error> {
    let (name, id): (Option<String>, i64) = (row.get(1)?, row.get(10)?);
    let record = Record {
        position: unsigned(row.get(0)?),
        stream: StreamName::typed(name.unwrap_or_else(|| format!("(stream {id}, which has no name)"))),
        sequence: unsigned(row.get(2)?),
        token: unsigned(row.get(3)?),
        recorded_at: Timestamp::from_millis(row.get(4)?),
        kind: row.get(5)?,
        version: row.get(6)?,
        body: row.get(7)?,
        hash: row.get(8)?,
    };
    Ok(Stored { record, pruned: row.get(9)? })
}

/// Reads a part of a stream and checks its chain.
pub(super) fn read(
    connection: &Connection,
    place: &Place,
    name: &StreamName,
    after: u64,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    let Some((id, head)) = stream(connection, name.as_str())? else {
        return Ok(Vec::new());
    };
    if after >= head.sequence {
        return Ok(Vec::new());
    }
    let damaged = |what: String| place.damaged(&format!("{name}: {what}"));
    let previous = if after == 0 {
        NO_HASH
    } else {
        let mut select =
            connection.prepare_cached("select hash from event where stream = ?1 and sequence = ?2")?;
        let hash = select.query_row(params![id, signed(after)], |row| row.get(0)).optional()?;
        hash.ok_or_else(|| damaged(format!("record {after} is missing")))?
    };
    let sql = format!("{EVENT} where e.stream = ?1 and e.sequence > ?2 order by e.sequence limit ?3");
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params![id, signed(after), bound(limit)], stored)?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let end = (rows.len() < limit).then_some(&head);
    check(&rows, after, &previous, end).map_err(damaged)?;
    Ok(rows.into_iter().map(|row| row.record).collect())
}

/// Reads all streams after a position.
///
/// Positions are given inside the one write transaction SQLite allows at a time, whichever process has it; so
/// they become visible in order and without gaps, and a reader that has seen one never misses an earlier one.
pub(super) fn read_after(
    connection: &Connection,
    place: &Place,
    position: u64,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    let sql = format!("{EVENT} where e.position > ?1 order by e.position limit ?2");
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params![signed(position), bound(limit)], stored)?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let mut last = position;
    for row in &rows {
        if row.record.position != last + 1 {
            return Err(place.damaged(&format!("position {} is missing", last + 1)).into());
        }
        last = row.record.position;
    }
    if rows.len() < limit && tip(connection)?.position > last {
        return Err(place.damaged(&format!("position {} is missing", last + 1)).into());
    }
    Ok(rows.into_iter().map(|row| row.record).collect())
}

/// Newest checkpoint of a run.
pub(super) fn checkpoint(connection: &Connection, run: &RunId) -> Result<Option<Checkpoint>, Fault> {
    let mut select =
        connection.prepare_cached("select sequence, engine, body from checkpoint where run = ?1")?;
    let read = |row: &Row<'_>| {
        let body: Vec<u8> = row.get(2)?;
        Ok(Checkpoint { sequence: unsigned(row.get(0)?), engine: row.get(1)?, body: body.into() })
    };
    Ok(select.query_row([run.as_str()], read).optional()?)
}

/// Reads a blob and checks its digest.
pub(super) fn blob(connection: &Connection, place: &Place, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    let mut select = connection.prepare_cached("select body from blob where digest = ?1")?;
    let body: Option<Vec<u8>> = select.query_row([name], |row| row.get(0)).optional()?;
    match body {
        Some(body) if hex(&digest(&body)) != name => {
            Err(place.damaged(&format!("blob {name}: its content has another SHA-256")).into())
        }
        body => Ok(body),
    }
}

/// One line of the list of runs.
pub(super) fn summary(
    connection: &Connection,
    place: &Place,
    run: &RunId,
) -> Result<Option<RunSummary>, Fault> {
    let mut select = connection.prepare_cached("select summary from run where id = ?1")?;
    let text: Option<String> = select.query_row([run.as_str()], |row| row.get(0)).optional()?;
    text.map(|text| listed(place, &text)).transpose()
}

fn listed(place: &Place, text: &str) -> Result<RunSummary, Fault> {
    Ok(serde_json::from_str(text).map_err(|error| place.damaged(&format!("list of runs: {error}")))?)
}

/// Runs, newest first.
pub(super) fn runs(
    connection: &Connection,
    place: &Place,
    filter: &RunFilter,
) -> Result<Vec<RunSummary>, Fault> {
    // A range, where there is a beginning: the index knows where it lies.
    const WITH: &str = "id >= ?1 and id < ?1 || char(1114111)";
    const WITHOUT: &str = "?1 is null";
    const REST: &str = "\
        and (?2 is null or service = ?2) and (?3 = 0 or terminal = 0) and (?4 = 1 or simulated = 0) \
        and (?6 = 0 or json_extract(summary, '$.parent') is null) \
        order by created_at desc, id desc limit ?5";
    let limit = if filter.limit == 0 { -1 } else { bound(filter.limit) };
    let service = filter.service.as_ref().map(ServiceName::as_str);
    let begins = if filter.prefix.is_some() { WITH } else { WITHOUT };
    let mut select = connection.prepare_cached(&format!("select summary from run where {begins} {REST}"))?;
    let values = params![filter.prefix, service, filter.open, filter.simulated, limit, filter.outermost];
    let rows = select.query_map(values, |row| row.get::<_, String>(0))?;
    let mut runs = Vec::new();
    for text in rows {
        runs.push(listed(place, &text?)?);
    }
    Ok(runs)
}

/// Names of the streams that begin with a text.
pub(super) fn streams(connection: &Connection, prefix: &str) -> Result<Vec<StreamName>, Fault> {
    const SQL: &str = "\
        select name from stream where name <> '' and substr(name, 1, length(?1)) = ?1 order by name";
    let mut select = connection.prepare_cached(SQL)?;
    let rows = select.query_map([prefix], |row| row.get::<_, String>(0))?;
    Ok(rows.map(|name| name.map(StreamName::typed)).collect::<Result<_, _>>()?)
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
