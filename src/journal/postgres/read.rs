//! Reads: each one statement, and so one snapshot. Never waits for those who write.

use tokio_postgres::Row;

use super::READS;
use super::lease::{signed, unsigned};
use super::link::{Link, Session};
use super::place::{Fault, Place};
use crate::engine::input::Request;
use crate::journal::record::{Hash, NO_HASH, Stored, check, digest, hex};
use crate::model::id::{RunId, ServiceName};
use crate::model::time::Timestamp;
use crate::ports::{Checkpoint, Head, JournalError, Record, RunFilter, RunSummary, StreamName};

/// Reads a part of a stream and checks its chain.
pub(super) async fn read(
    link: &Link,
    name: &StreamName,
    after: u64,
    limit: usize,
) -> Result<Vec<Record>, JournalError> {
    const READ: &str = "\
        select h.sequence as last, h.hash as end_hash, h.recorded_at as end_at, p.hash as previous, \
        e.position, h.name, e.sequence, e.token, e.recorded_at, e.kind, e.version, e.body, e.hash, e.pruned \
        from drctl.stream h \
        left join drctl.event p on p.stream = h.id and p.sequence = $2 \
        left join lateral (select * from drctl.event where stream = h.id and sequence > $2 \
        order by sequence limit $3) e on true where h.name = $1 order by e.sequence";
    let values = &(name.as_str(), signed(after), bound(limit));
    link.retry(READS, |session| {
        Box::pin(async move {
            let rows = session.query(READ, &[&values.0, &values.1, &values.2]).await?;
            part(&session, name, after, limit, &rows)
        })
    })
    .await
}

fn part(
    session: &Session,
    name: &StreamName,
    after: u64,
    limit: usize,
    rows: &[Row],
) -> Result<Vec<Record>, Fault> {
    let damaged = |what: String| Fault::from(session.place().damaged(&format!("{name}: {what}")));
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let head = Head {
        sequence: unsigned(session.get(first, "last")?),
        hash: hash(session, first, "end_hash")?.unwrap_or(NO_HASH),
        recorded_at: Timestamp::from_millis(session.get(first, "end_at")?),
    };
    if after >= head.sequence {
        return Ok(Vec::new());
    }
    let previous = match hash(session, first, "previous")? {
        Some(previous) => previous,
        None if after == 0 => NO_HASH,
        None => return Err(damaged(format!("record {after} is missing"))),
    };
    let there =
        |row: &&Row| row.try_get::<_, Option<i64>>("position").is_ok_and(|position| position.is_some());
    let rows = rows.iter().filter(there).map(|row| stored(session, row)).collect::<Result<Vec<_>, _>>()?;
    let end = (rows.len() < limit).then_some(&head);
    check(&rows, after, &previous, end).map_err(damaged)?;
    Ok(rows.into_iter().map(|row| row.record).collect())
}

/// Reads a row of events, joined with the name of its stream.
pub(super) fn stored(session: &Session, row: &Row) -> Result<Stored, Fault> {
    let name: Option<String> = session.get(row, "name")?;
    let record = Record {
        position: unsigned(session.get(row, "position")?),
        stream: StreamName::typed(name.unwrap_or_else(|| "(a stream without a name)".to_owned())),
        sequence: unsigned(session.get(row, "sequence")?),
        token: unsigned(session.get(row, "token")?),
        recorded_at: Timestamp::from_millis(session.get(row, "recorded_at")?),
        kind: session.get(row, "kind")?,
        version: u32::try_from(session.get::<i32>(row, "version")?).unwrap_or(0),
        body: session.get(row, "body")?,
        hash: hash(session, row, "hash")?.unwrap_or(NO_HASH),
    };
    Ok(Stored { record, pruned: hash(session, row, "pruned")? })
}

/// Reads a hash.
pub(super) fn hash(session: &Session, row: &Row, column: &str) -> Result<Option<Hash>, Fault> {
    let bytes: Option<&[u8]> = session.get(row, column)?;
    let broken = |_| session.place().damaged(&format!("a hash in column {column} is no SHA-256"));
    Ok(bytes.map(TryInto::try_into).transpose().map_err(broken)?)
}

/// Reads all streams after a position.
///
/// Positions are given while the one row of the journal's tip is locked, and the lock is held until they are
/// committed; so they become visible in order and without gaps, and a reader that has seen one never misses
/// an earlier one.
pub(super) async fn read_after(
    link: &Link,
    position: u64,
    limit: usize,
) -> Result<Vec<Record>, JournalError> {
    const READ: &str = "\
        select t.position as last, h.name, e.* from drctl.tip t \
        left join (select * from drctl.event where position > $1 order by position limit $2) e on true \
        left join drctl.stream h on h.id = e.stream order by e.position";
    link.retry(READS, |session| {
        Box::pin(async move {
            let rows = session.query(READ, &[&signed(position), &bound(limit)]).await?;
            let (mut at, mut end) = (position, position);
            let mut records = Vec::with_capacity(rows.len());
            for row in &rows {
                end = unsigned(session.get(row, "last")?);
                if session.get::<Option<i64>>(row, "position")?.is_none() {
                    continue;
                }
                let record = stored(&session, row)?.record;
                if record.position != at + 1 {
                    break;
                }
                at = record.position;
                records.push(record);
            }
            if records.len() < limit && end > at {
                return Err(session.place().damaged(&format!("position {} is missing", at + 1)).into());
            }
            Ok(records)
        })
    })
    .await
}

/// Newest checkpoint of a run.
pub(super) async fn checkpoint(link: &Link, run: &RunId) -> Result<Option<Checkpoint>, JournalError> {
    const READ: &str = "select sequence, engine, body from drctl.checkpoint where run = $1";
    link.retry(READS, |session| {
        Box::pin(async move {
            let rows = session.query(READ, &[&run.as_str()]).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let body: Vec<u8> = session.get(row, "body")?;
            let engine = u32::try_from(session.get::<i32>(row, "engine")?).unwrap_or(0);
            Ok(Some(Checkpoint {
                sequence: unsigned(session.get(row, "sequence")?),
                engine,
                body: body.into(),
            }))
        })
    })
    .await
}

/// Reads a blob and checks its digest.
pub(super) async fn blob(link: &Link, place: &Place, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
    const READ: &str = "select body from drctl.blob where digest = $1";
    let body: Option<Vec<u8>> = link
        .retry(READS, |session| {
            Box::pin(async move {
                let rows = session.query(READ, &[&name]).await?;
                rows.first().map(|row| session.get(row, "body")).transpose()
            })
        })
        .await?;
    match body {
        Some(body) if hex(&digest(&body)) != name => {
            Err(place.damaged(&format!("blob {name}: its content has another SHA-256")))
        }
        body => Ok(body),
    }
}

/// Unanswered requests, oldest first.
pub(super) async fn inbox(link: &Link, run: &RunId) -> Result<Vec<Request>, JournalError> {
    const READ: &str = "select body from drctl.inbox where run = $1 and body is not null order by number";
    link.retry(READS, |session| {
        Box::pin(async move {
            let rows = session.query(READ, &[&run.as_str()]).await?;
            let read = |row: &Row| {
                let text: String = session.get(row, "body")?;
                let damaged = |error| session.place().damaged(&format!("inbox of run {run}: {error}"));
                serde_json::from_str(&text).map_err(|error| damaged(error).into())
            };
            rows.iter().map(read).collect()
        })
    })
    .await
}

/// Runs, newest first.
pub(super) async fn runs(link: &Link, filter: &RunFilter) -> Result<Vec<RunSummary>, JournalError> {
    const READ: &str = "\
        select summary from drctl.run where ($1::text is null or starts_with(id, $1)) \
        and ($2::text is null or service = $2) and (not $3 or not terminal) and ($4 or not simulated) \
        and (not $6 or parent is null) order by created_at desc, id desc limit $5";
    let limit = (filter.limit > 0).then(|| bound(filter.limit));
    let service = filter.service.as_ref().map(ServiceName::as_str);
    link.retry(READS, |session| {
        Box::pin(async move {
            let (open, simulated, outermost) = (&filter.open, &filter.simulated, &filter.outermost);
            let rows =
                session.query(READ, &[&filter.prefix, &service, open, simulated, &limit, outermost]).await?;
            summaries(&session, &rows)
        })
    })
    .await
}

/// One line of the list of runs.
pub(super) async fn summary(link: &Link, run: &RunId) -> Result<Option<RunSummary>, JournalError> {
    const READ: &str = "select summary from drctl.run where id = $1";
    link.retry(READS, |session| {
        Box::pin(async move {
            let rows = session.query(READ, &[&run.as_str()]).await?;
            Ok(summaries(&session, &rows)?.pop())
        })
    })
    .await
}

/// Runs that are not over and that no live process drives, oldest first.
pub(super) async fn undriven(link: &Link, limit: usize) -> Result<Vec<RunSummary>, JournalError> {
    const READ: &str = "\
        select r.summary from drctl.run r left join drctl.lease l on l.run = r.id \
        left join drctl.holder o on o.id = l.holder and o.expires_at > clock_timestamp() \
        where not r.terminal and not r.simulated and o.id is null order by r.created_at, r.id limit $1";
    link.retry(READS, |session| {
        Box::pin(async move { summaries(&session, &session.query(READ, &[&bound(limit)]).await?) })
    })
    .await
}

/// Runs that are not over, that no other run began and that nobody drives, simulated ones as well.
pub(super) async fn free(link: &Link, limit: usize) -> Result<Vec<RunSummary>, JournalError> {
    const READ: &str = "\
        select r.summary from drctl.run r left join drctl.lease l on l.run = r.id \
        left join drctl.holder o on o.id = l.holder and o.expires_at > clock_timestamp() \
        where not r.terminal and r.parent is null and o.id is null order by r.created_at, r.id limit $1";
    link.retry(READS, |session| {
        Box::pin(async move { summaries(&session, &session.query(READ, &[&bound(limit)]).await?) })
    })
    .await
}

fn summaries(session: &Session, rows: &[Row]) -> Result<Vec<RunSummary>, Fault> {
    let read = |row: &Row| {
        let text: String = session.get(row, "summary")?;
        let damaged = |error| session.place().damaged(&format!("list of runs: {error}"));
        serde_json::from_str(&text).map_err(|error| damaged(error).into())
    };
    rows.iter().map(read).collect()
}

/// Names of the streams that begin with a text.
pub(super) async fn streams(link: &Link, prefix: &str) -> Result<Vec<StreamName>, JournalError> {
    const READ: &str = "select name from drctl.stream where starts_with(name, $1) order by name";
    link.retry(READS, |session| {
        Box::pin(async move {
            let rows = session.query(READ, &[&prefix]).await?;
            rows.iter().map(|row| Ok(StreamName::typed(session.get::<String>(row, "name")?))).collect()
        })
    })
    .await
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
