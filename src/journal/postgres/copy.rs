//! A journal in PostgreSQL as the source or the target of a copy. Never changes a hash, a position or a
//! token.

use std::collections::BTreeMap;

use tokio::sync::mpsc::Sender;

use super::Core;
use super::admin::{self, snapshot};
use super::batch::line;
use super::lease::{signed, unsigned};
use super::link::Session;
use super::place::Fault;
use super::read::{hash, stored};
use crate::journal::copying::{PAGE, follow};
use crate::journal::record::{Hash, Tip, hex};
use crate::journal::rules::empty_head;
use crate::model::time::Timestamp;
use crate::ports::{Head, JournalError, Part, Record, RunSummary};

/// Sends everything, in one snapshot.
pub(super) async fn dump(core: &Core, into: &Sender<Part>) -> Result<String, JournalError> {
    let sent = async {
        let session = snapshot(core).await?;
        records(&session, into).await?;
        blobs(&session, into).await?;
        let mut runs = Vec::new();
        for row in &session.query("select summary, pruned from drctl.run", &[]).await? {
            let text: String = session.get(row, "summary")?;
            let damaged = |error| core.place.damaged(&format!("list of runs: {error}"));
            runs.push((serde_json::from_str(&text).map_err(damaged)?, session.get(row, "pruned")?));
        }
        send(&session, into, Part::Runs(runs)).await?;
        let mut requests = Vec::new();
        for row in &session.query("select run, id, body from drctl.inbox order by number", &[]).await? {
            requests.push((session.get(row, "run")?, session.get(row, "id")?, session.get(row, "body")?));
        }
        send(&session, into, Part::Requests(requests)).await?;
        let mut tokens = Vec::new();
        for row in &session.query("select run, token from drctl.lease", &[]).await? {
            tokens.push((session.get(row, "run")?, unsigned(session.get(row, "token")?)));
        }
        send(&session, into, Part::Tokens(tokens)).await?;
        Ok(hex(&admin::tip(&session).await?.chain))
    };
    sent.await.map_err(|fault: Fault| core.place.explain(fault))
}

async fn send(session: &Session, into: &Sender<Part>, part: Part) -> Result<(), Fault> {
    let gone = |_| session.place().unavailable("the copy was given up").into();
    into.send(part).await.map_err(gone)
}

async fn records(session: &Session, into: &Sender<Part>) -> Result<(), Fault> {
    const READ: &str = "select h.name, e.* from drctl.event e left join drctl.stream h on h.id = e.stream \
                        where e.position > $1 order by e.position limit $2";
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let mut after: i64 = -1;
    loop {
        let rows = session.query(READ, &[&after, &limit]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = session.get(last, "position")?;
        let read = |row| stored(session, row).map(|row| (row.record, row.pruned));
        let page = rows.iter().map(read).collect::<Result<_, _>>()?;
        send(session, into, Part::Records(page)).await?;
    }
}

async fn blobs(session: &Session, into: &Sender<Part>) -> Result<(), Fault> {
    const READ: &str = "select digest, body from drctl.blob where digest > $1 order by digest limit 1";
    let mut after = String::new();
    loop {
        let rows = session.query(READ, &[&after]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        after = session.get(row, "digest")?;
        send(session, into, Part::Blobs(vec![(after.clone(), session.get(row, "body")?)])).await?;
    }
}

/// Takes a part, in the transaction that is open. Returns where the journal ends then.
pub(super) async fn fill(session: &Session, tip: Tip, part: &Part) -> Result<Tip, Fault> {
    match part {
        Part::Records(all) => return fill_records(session, tip, all).await,
        Part::Blobs(all) => {
            const SQL: &str = "insert into drctl.blob(digest, body) values ($1, $2) on conflict do nothing";
            for (digest, body) in all {
                session.query(SQL, &[digest, body]).await?;
            }
        }
        Part::Runs(all) => fill_runs(session, all).await?,
        Part::Requests(all) => {
            const SQL: &str =
                "insert into drctl.inbox(run, id, body) values ($1, $2, $3) on conflict do nothing";
            for (run, id, body) in all {
                session.query(SQL, &[run, id, body]).await?;
            }
        }
        Part::Tokens(all) => {
            const SQL: &str = "insert into drctl.lease as l (run, token, generation) \
                               select $1, $2, drctl.arrive(interval '0') \
                               on conflict (run) do update set token = greatest(l.token, excluded.token)";
            for (run, token) in all {
                session.query(SQL, &[run, &signed(*token)]).await?;
            }
        }
    }
    Ok(tip)
}

async fn fill_runs(session: &Session, all: &[(RunSummary, bool)]) -> Result<(), Fault> {
    let unwritable = |error| session.place().unavailable(&format!("a summary cannot be written ({error})"));
    let lines = all.iter().map(|(summary, _)| line(summary)).collect::<Result<Vec<_>, _>>();
    let text = serde_json::to_string(&lines.map_err(unwritable)?).map_err(unwritable)?;
    session.query("select drctl.list_runs($1)", &[&text]).await?;
    let pruned: Vec<&str> = all.iter().filter(|run| run.1).map(|(summary, _)| summary.run.as_str()).collect();
    session.query("update drctl.run set pruned = true where id = any ($1)", &[&pruned]).await?;
    Ok(())
}

async fn fill_records(session: &Session, mut tip: Tip, all: &[(Record, Option<Hash>)]) -> Result<Tip, Fault> {
    const HEAD: &str = "\
        insert into drctl.stream as h (name, sequence, hash, recorded_at) values ($1, $2, $3, $4) \
        on conflict (name) do update set sequence = excluded.sequence, hash = excluded.hash, \
        recorded_at = excluded.recorded_at";
    const EVENTS: &str = "\
        insert into drctl.event(position, stream, sequence, token, recorded_at, kind, version, body, hash, \
        pruned) \
        select e.position, h.id, e.sequence, e.token, e.at, e.kind, e.version, e.body, e.hash, e.pruned \
        from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], \
        $7::integer[], $8::text[], $9::bytea[], $10::bytea[]) \
        as e(position, stream, sequence, token, at, kind, version, body, hash, pruned) \
        join drctl.stream h on h.name = e.stream";
    let mut heads = heads(session, all).await?;
    for (record, _) in all {
        let head = heads.entry(record.stream.as_str()).or_insert_with(empty_head);
        follow(record, head, &mut tip)?;
    }
    for (name, head) in &heads {
        let (hash, at) = (head.hash.as_slice(), head.recorded_at.as_millis());
        session.query(HEAD, &[name, &signed(head.sequence), &hash, &at]).await?;
    }
    let columns = |number: fn(&Record) -> u64| -> Vec<i64> {
        all.iter().map(|(record, _)| signed(number(record))).collect()
    };
    let texts = |text: for<'r> fn(&'r Record) -> &'r str| -> Vec<&str> {
        all.iter().map(|(record, _)| text(record)).collect()
    };
    let times: Vec<i64> = all.iter().map(|(record, _)| record.recorded_at.as_millis()).collect();
    let version = |record: &Record| i32::try_from(record.version).unwrap_or(i32::MAX);
    let versions: Vec<i32> = all.iter().map(|(record, _)| version(record)).collect();
    let hashes: Vec<&[u8]> = all.iter().map(|(record, _)| record.hash.as_slice()).collect();
    let pruned: Vec<Option<&[u8]>> =
        all.iter().map(|(_, pruned)| pruned.as_ref().map(|it| &it[..])).collect();
    session
        .query(
            EVENTS,
            &[
                &columns(|record| record.position),
                &texts(|record| record.stream.as_str()),
                &columns(|record| record.sequence),
                &columns(|record| record.token),
                &times,
                &texts(|record| &record.kind),
                &versions,
                &texts(|record| &record.body),
                &hashes,
                &pruned,
            ],
        )
        .await?;
    Ok(tip)
}

/// Where the streams of some records end now.
async fn heads<'r>(
    session: &Session,
    all: &'r [(Record, Option<Hash>)],
) -> Result<BTreeMap<&'r str, Head>, Fault> {
    const READ: &str = "select sequence, hash, recorded_at from drctl.stream where name = $1";
    let mut heads = BTreeMap::new();
    for (record, _) in all {
        let name = record.stream.as_str();
        if heads.contains_key(name) {
            continue;
        }
        let rows = session.query(READ, &[&name]).await?;
        let Some(row) = rows.first() else { continue };
        let recorded_at = Timestamp::from_millis(session.get(row, "recorded_at")?);
        let hash = hash(session, row, "hash")?.unwrap_or(empty_head().hash);
        heads.insert(name, Head { sequence: unsigned(session.get(row, "sequence")?), hash, recorded_at });
    }
    Ok(heads)
}
