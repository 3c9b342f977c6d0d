//! What a person does to a journal as a whole: verify and prune. Never changes a hash.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lease::unsigned;
use super::link::{Session, Target, open};
use super::place::Fault;
use super::read::{hash, stored};
use super::{Core, READS};
use crate::journal::OpenMode;
use crate::journal::audit::{Audit, Pruned};
use crate::journal::ownership::Grant;
use crate::journal::record::{NO_HASH, Tip};
use crate::journal::retention;
use crate::journal::rules::{self, Facts};
use crate::model::time::Timestamp;
use crate::ports::{Head, JournalError, Verification};

/// Records read at once.
const PAGE: i64 = 2_000;
/// Runs pruned in one call, so that live drivers wait for none of it long.
const PRUNE_RUNS: i64 = 50;
/// Records pruned at once.
const PRUNE_RECORDS: i64 = 2_000;

/// A session with one snapshot of everything.
pub(super) async fn snapshot(core: &Core) -> Result<Session, Fault> {
    let target = if core.mode == OpenMode::ReadOnly { Target::Any } else { Target::Primary };
    let (session, _) = open(&core.place, target).await?;
    session.batch("begin isolation level repeatable read read only").await?;
    Ok(session)
}

/// Checks everything, in one snapshot.
pub(super) async fn verify(core: &Arc<Core>) -> Result<Verification, JournalError> {
    let look = async {
        let session = snapshot(core).await?;
        audit(&session, &tip(&session).await?).await
    };
    look.await.map_err(|fault| core.place.explain(fault))
}

/// Checks everything in the snapshot of a session, against where the journal is to end.
pub(super) async fn audit(session: &Session, tip: &Tip) -> Result<Verification, Fault> {
    let mut audit = Audit::new();
    grants(session, &mut audit).await?;
    events(session, &mut audit).await?;
    blobs(session, &mut audit).await?;
    orphans(session, &mut audit).await?;
    Ok(audit.finish(&heads(session).await?, tip))
}

/// Who owned each run, and from which position on.
async fn grants(session: &Session, audit: &mut Audit) -> Result<(), Fault> {
    const READ: &str = "select run, token, position, holder from drctl.granted \
                        where (run, token) > ($1, $2) order by run, token limit $3";
    let mut after = (String::new(), 0_i64);
    loop {
        let rows = session.query(READ, &[&after.0, &after.1, &PAGE]).await?;
        for row in &rows {
            let (run, token): (String, i64) = (session.get(row, "run")?, session.get(row, "token")?);
            let (position, holder) = (unsigned(session.get(row, "position")?), session.get(row, "holder")?);
            audit.grant(Grant { run: run.clone(), token: unsigned(token), holder, position });
            after = (run, token);
        }
        if rows.is_empty() {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

async fn events(session: &Session, audit: &mut Audit) -> Result<(), Fault> {
    const READ: &str = "\
        select coalesce(h.name, '(stream ' || e.stream || ', which has no name)') as name, e.position, \
        e.sequence, e.token, e.recorded_at, e.kind, e.version, e.body, e.hash, e.pruned from drctl.event e \
        left join drctl.stream h on h.id = e.stream where e.position > $1 order by e.position limit $2";
    let mut after: i64 = -1;
    loop {
        let rows = session.query(READ, &[&after, &PAGE]).await?;
        for row in &rows {
            after = session.get(row, "position")?;
            audit.record(&stored(session, row)?);
        }
        if rows.is_empty() {
            return Ok(());
        }
        tokio::task::yield_now().await; // Leases are renewed on the same thread.
    }
}

async fn blobs(session: &Session, audit: &mut Audit) -> Result<(), Fault> {
    const READ: &str = "select digest, body from drctl.blob where digest > $1 order by digest limit 100";
    let mut after = String::new();
    loop {
        let rows = session.query(READ, &[&after]).await?;
        for row in &rows {
            after = session.get(row, "digest")?;
            audit.blob(&after, session.get(row, "body")?);
        }
        if rows.is_empty() {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// Rows that speak of a run without records.
async fn orphans(session: &Session, audit: &mut Audit) -> Result<(), Fault> {
    const READ: &str = "select 'list of runs' as what, id as run, 1::bigint as sequence from drctl.run \
                        union all select 'checkpoint', run, sequence from drctl.checkpoint \
                        union all select distinct 'inbox', run, 1 from drctl.inbox";
    for row in &session.query(READ, &[]).await? {
        let (what, run): (String, String) = (session.get(row, "what")?, session.get(row, "run")?);
        let sequence = unsigned(session.get(row, "sequence")?);
        let stream = format!("run/{run}");
        if !audit.has(&stream) {
            audit.damage(format!("{what}: run {run} has no records"));
        } else if audit.last(&stream) < sequence {
            audit.damage(format!("{what}: run {run} has no record {sequence}"));
        }
    }
    Ok(())
}

async fn heads(session: &Session) -> Result<BTreeMap<String, Head>, Fault> {
    let rows = session.query("select name, sequence, hash, recorded_at from drctl.stream", &[]).await?;
    rows.iter().map(|row| Ok((session.get(row, "name")?, head(session, row, "sequence", "hash")?))).collect()
}

pub(super) async fn tip(session: &Session) -> Result<Tip, Fault> {
    let row = session.one("select position, chain, recorded_at from drctl.tip", &[]).await?;
    let Head { sequence, hash, recorded_at } = head(session, &row, "position", "chain")?;
    Ok(Tip { position: sequence, chain: hash, recorded_at })
}

fn head(session: &Session, row: &tokio_postgres::Row, number: &str, column: &str) -> Result<Head, Fault> {
    let recorded_at = Timestamp::from_millis(session.get(row, "recorded_at")?);
    let hash = hash(session, row, column)?.unwrap_or(NO_HASH);
    Ok(Head { sequence: unsigned(session.get(row, number)?), hash, recorded_at })
}

/// Some runs that ended before a time and were not pruned yet.
pub(super) async fn over(core: &Core, before: Timestamp) -> Result<Vec<String>, JournalError> {
    const READ: &str = "select id from drctl.run where terminal and not pruned and ended_at < $1 \
                        order by ended_at limit $2";
    core.reading
        .retry(READS, |session| {
            Box::pin(async move {
                let rows = session.query(READ, &[&before.as_millis(), &PRUNE_RUNS]).await?;
                rows.iter().map(|row| session.get(row, "id")).collect()
            })
        })
        .await
}

/// The record that says which runs were pruned; it is written with what it tells of.
///
/// Blobs stay: other runs may refer to them, and what refers to a blob is not the store's business.
pub(super) fn pruned(before: Timestamp, at: Timestamp, runs: &[String]) -> Result<Vec<Facts>, JournalError> {
    rules::check(vec![Pruned::of_runs(before, at, runs.to_vec()).append()?])
}

/// Old records of streams that never end, and were not pruned yet: the last sequence of each stream, and the
/// positions.
pub(super) async fn endless(
    core: &Core,
    before: Timestamp,
) -> Result<(BTreeMap<String, u64>, Vec<i64>), JournalError> {
    const READ: &str = "select s.name, e.sequence, e.position from drctl.stream s \
                        join drctl.event e on e.stream = s.id \
                        where (s.name = $1 or exists (select from unnest($2::text[]) f \
                          where starts_with(s.name, f))) \
                        and e.pruned is null and e.recorded_at < $3 and e.sequence <= s.sequence - $4 \
                        order by s.id, e.sequence limit $5";
    core.reading
        .retry(READS, |session| {
            Box::pin(async move {
                let families: Vec<&str> = retention::ENDLESS.to_vec();
                let left = i64::try_from(retention::LEFT).unwrap_or(i64::MAX);
                let millis = before.as_millis();
                let rows = session
                    .query(READ, &[&retention::READINGS, &families, &millis, &left, &PRUNE_RECORDS])
                    .await?;
                let (mut streams, mut positions) = (BTreeMap::new(), Vec::new());
                for row in &rows {
                    streams.insert(session.get(row, "name")?, unsigned(session.get(row, "sequence")?));
                    positions.push(session.get(row, "position")?);
                }
                Ok((streams, positions))
            })
        })
        .await
}

/// The record that says which beginnings of streams are pruned; it is written before they are.
pub(super) fn pruned_streams(
    before: Timestamp,
    at: Timestamp,
    streams: BTreeMap<String, u64>,
) -> Result<Vec<Facts>, JournalError> {
    rules::check(vec![Pruned::of_streams(before, at, streams).append()?])
}

/// Drops the bodies of records, of which another record says so already. May be done twice.
pub(super) async fn blank(core: &Core, positions: Vec<i64>) -> Result<(), JournalError> {
    const BLANK: &str = "update drctl.event set body = '', pruned = sha256(convert_to(body, 'UTF8')) \
                         where position = any ($1) and pruned is null";
    core.writing
        .retry(READS, |session| {
            let positions = positions.clone();
            Box::pin(async move { session.query(BLANK, &[&positions]).await.map(|_| ()) })
        })
        .await
}

/// Microseconds that some commits take, in order; fewer of them where they are slow.
pub(super) async fn commit_times(core: &Core, count: usize) -> Result<Vec<u128>, JournalError> {
    // A row of this session: that of another one may be locked until a standby is back.
    const COMMIT: &str = "insert into drctl.writer as w (id, batch) values ('doctor ' || pg_backend_pid(), 1) \
                          on conflict (id) do update set batch = w.batch + 1, seen_at = clock_timestamp()";
    let measure = async {
        let session = core.writing.session().await?;
        let commit = async || {
            let late = |_| {
                let what = format!(
                    "a commit was not confirmed within {} s: is a synchronous standby away?",
                    READS.as_secs()
                );
                Fault::Refused(core.place.unavailable(&what))
            };
            tokio::time::timeout(READS, session.query(COMMIT, &[])).await.map_err(late).flatten()
        };
        let (mut times, first) = (Vec::with_capacity(count), std::time::Instant::now());
        commit().await?;
        while times.len() < count && (times.is_empty() || first.elapsed() < READS) {
            let began = std::time::Instant::now();
            commit().await?;
            times.push(began.elapsed().as_micros());
        }
        times.sort_unstable();
        Ok(times)
    };
    measure.await.map_err(|fault: Fault| core.place.explain(fault))
}
