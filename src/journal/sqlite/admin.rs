//! What a person does to a journal as a whole: verify, back up, prune. Never changes a hash.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, params};

use super::SqliteJournal;
use super::append::{self, signed, tip, unsigned};
use super::fault::{Fault, Place};
use super::format::{open_reader, sync_folder_of};
use super::read::{EVENT, stored};
use super::transaction::Ledger;
use crate::journal::audit::{Audit, Pruned};
use crate::journal::record::digest;
use crate::journal::{retention, rules};
use crate::model::time::Timestamp;
use crate::ports::{Head, JournalError, Verification};

/// Runs pruned in one transaction, so that live drivers wait for none of it long.
const PRUNE_RUNS: i64 = 50;
/// Records pruned in one transaction.
const PRUNE_RECORDS: i64 = 2_000;

/// Checks everything, in one snapshot.
pub(super) fn verify(connection: &Connection, place: &Place) -> Result<Verification, Fault> {
    let mut audit = Audit::new();
    // Damage may be such that SQLite cannot go on reading: that is a finding as well.
    let found = |audit: &mut Audit, step: Result<(), rusqlite::Error>| {
        if let Err(error) = step {
            audit.damage(format!("{}: SQLite cannot read on ({error})", place.path().display()));
        }
    };
    let step = quick_check(connection, &mut audit);
    found(&mut audit, step);
    let step = events(connection, &mut audit);
    found(&mut audit, step);
    let step = blobs(connection, &mut audit);
    found(&mut audit, step);
    let step = orphans(connection, &mut audit);
    found(&mut audit, step);
    Ok(audit.finish(&heads(connection)?, &tip(connection)?))
}

fn quick_check(connection: &Connection, audit: &mut Audit) -> Result<(), rusqlite::Error> {
    let mut check = connection.prepare("pragma quick_check")?;
    for line in check.query_map([], |row| row.get::<_, String>(0))? {
        let line = line?;
        if line != "ok" {
            audit.damage(format!("SQLite: {}", line.replace('\n', "; ")));
        }
    }
    Ok(())
}

fn events(connection: &Connection, audit: &mut Audit) -> Result<(), rusqlite::Error> {
    let mut select = connection.prepare(&format!("{EVENT} order by e.position"))?;
    for row in select.query_map([], stored)? {
        audit.record(&row?);
    }
    Ok(())
}

fn blobs(connection: &Connection, audit: &mut Audit) -> Result<(), rusqlite::Error> {
    let mut select = connection.prepare("select digest, body from blob")?;
    for row in select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))? {
        let (name, body) = row?;
        audit.blob(&name, &body);
    }
    Ok(())
}

/// Rows that speak of a run without records.
fn orphans(connection: &Connection, audit: &mut Audit) -> Result<(), rusqlite::Error> {
    const SQL: &str = "select 'list of runs', id, 1 from run union all \
                       select 'checkpoint', run, sequence from checkpoint union all \
                       select distinct 'inbox', run, 1 from inbox";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, unsigned(row.get(2)?)));
    let rows: Vec<(String, String, u64)> =
        connection.prepare(SQL)?.query_map([], read)?.collect::<Result<_, _>>()?;
    for (what, run, sequence) in rows {
        let stream = format!("run/{run}");
        if !audit.has(&stream) {
            audit.damage(format!("{what}: run {run} has no records"));
        } else if audit.last(&stream) < sequence {
            audit.damage(format!("{what}: run {run} has no record {sequence}"));
        }
    }
    Ok(())
}

fn heads(connection: &Connection) -> Result<BTreeMap<String, Head>, rusqlite::Error> {
    let mut select =
        connection.prepare("select name, sequence, hash, recorded_at from stream where id > 0")?;
    select.query_map([], |row| Ok((row.get(0)?, append::head(row, 1)?)))?.collect()
}

/// Copies the journal to a path that must not exist, makes the copy durable, and verifies it.
pub(super) fn backup(source: &Connection, place: &Place, target: &Path) -> Result<(), Fault> {
    let copy = Place::new(target);
    let failed = |error: std::io::Error| copy.unavailable(&format!("the backup cannot be written ({error})"));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)
        .map_err(failed)?;
    let written = write_copy(source, place, &copy).and_then(|()| {
        file.sync_all().map_err(failed)?;
        sync_folder_of(target).map_err(failed)?;
        let reader = open_reader(&copy)?;
        let found = verify(&reader, &copy)?;
        match found.damage.first() {
            Some(first) => Err(place.damaged(&format!("its backup does not verify: {first}")).into()),
            None => Ok(()),
        }
    });
    if written.is_err() {
        // A copy nobody can trust must not lie around under the name of a backup.
        let _ = std::fs::remove_file(target);
    }
    written
}

/// Tenths of a second for a copy to be closed by whoever wrote it.
const CLOSINGS: u32 = 50;

impl SqliteJournal {
    /// Makes a whole copy durable and gives it its name, which must be free.
    ///
    /// # Errors
    /// `Unavailable` when there is a file of this name, or the copy cannot be written or renamed.
    pub fn put_in_place(part: &Path, file: &Path) -> Result<(), JournalError> {
        let copy = Place::new(part);
        let failed = |error: std::io::Error| {
            copy.unavailable(&format!("it cannot be given the name {} ({error})", file.display()))
        };
        // One file, complete in itself: nothing of it lies in a log beside it. Whoever wrote it may be about
        // to close it still.
        let alone = || {
            Connection::open(part)
                .and_then(|connection| connection.pragma_update(None, "journal_mode", "delete"))
        };
        let mut whole = alone();
        for _ in 0..CLOSINGS {
            if whole.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            whole = alone();
        }
        whole.map_err(|error| copy.explain_sqlite(&error))?;
        File::open(part).and_then(|file| file.sync_all()).map_err(failed)?;
        if file.exists() {
            return Err(Place::new(file).unavailable("it was made meanwhile, and a copy overwrites nothing"));
        }
        std::fs::rename(part, file).and_then(|()| sync_folder_of(file)).map_err(failed)
    }
}

fn write_copy(source: &Connection, place: &Place, copy: &Place) -> Result<(), Fault> {
    /// Pauses of a tenth of a second while another process blocks the copy.
    const PATIENCE: u32 = 100;
    let mut target = Connection::open(copy.path()).map_err(|error| copy.explain_sqlite(&error))?;
    {
        let backup = Backup::new(source, &mut target)?;
        let mut waited = 0;
        // All pages in one step: a reader's snapshot does not hold up the writer, and the copy never starts
        // over.
        while !matches!(backup.step(-1).map_err(|error| copy.explain_sqlite(&error))?, StepResult::Done) {
            if waited >= PATIENCE {
                return Err(place
                    .unavailable("other processes kept the backup waiting for 10 s; try again")
                    .into());
            }
            waited += 1;
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    // One file, complete in itself; it becomes a write-ahead journal again when it is opened for writing.
    target.pragma_update(None, "journal_mode", "delete").map_err(|error| copy.explain_sqlite(&error).into())
}

/// Prunes some runs that ended before a time. Returns how many; 0 when none is left.
///
/// The record in the stream `journal` and the blanked bodies are one transaction. Blobs stay: other runs may
/// refer to them, and what refers to a blob is not the store's business.
pub(super) fn prune(ledger: &mut Ledger<'_>, before: Timestamp, now: Timestamp) -> Result<u64, Fault> {
    const OVER: &str =
        "select id from run where terminal = 1 and pruned = 0 and ended_at < ?1 order by ended_at limit ?2";
    let connection = ledger.connection;
    let values = params![before.as_millis(), PRUNE_RUNS];
    let runs: Vec<String> =
        connection.prepare_cached(OVER)?.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?;
    if runs.is_empty() {
        return Ok(0);
    }
    // What is blanked shall be gone from the file, not only from the tables.
    connection.pragma_update(None, "secure_delete", true)?;
    let blanked = runs.iter().try_for_each(|run| prune_run(connection, run));
    connection.pragma_update(None, "secure_delete", false)?;
    blanked?;
    let count = u64::try_from(runs.len()).unwrap_or(u64::MAX);
    append::append(ledger, &rules::check(vec![Pruned::of_runs(before, now, runs).append()?])?)?;
    Ok(count)
}

/// Prunes some old records of streams that never end. Returns how many; 0 when none is left.
pub(super) fn prune_streams(
    ledger: &mut Ledger<'_>,
    before: Timestamp,
    now: Timestamp,
) -> Result<u64, Fault> {
    const OLD: &str = "select s.name, e.sequence, e.position, e.body from stream s join event e on e.stream = s.id \
                       where (s.name = ?1 or s.name glob ?2 or s.name glob ?3 or s.name glob ?4) \
                       and e.pruned is null and e.recorded_at < ?5 and e.sequence <= s.sequence - ?6 \
                       order by s.id, e.sequence limit ?7";
    let connection = ledger.connection;
    let before = retention::cut(before, now);
    let [one, two, three] = retention::ENDLESS.map(|family| format!("{family}*"));
    let left = signed(retention::LEFT);
    let values = params![retention::READINGS, one, two, three, before.as_millis(), left, PRUNE_RECORDS];
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, unsigned(row.get(1)?), unsigned(row.get(2)?), row.get::<_, String>(3)?))
    };
    let rows: Vec<(String, u64, u64, String)> =
        connection.prepare_cached(OLD)?.query_map(values, read)?.collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Ok(0);
    }
    connection.pragma_update(None, "secure_delete", true)?;
    let blanked = rows.iter().try_for_each(|(_, _, position, body)| blank(connection, *position, body));
    connection.pragma_update(None, "secure_delete", false)?;
    blanked?;
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let streams = rows.into_iter().map(|(name, sequence, ..)| (name, sequence)).collect();
    append::append(ledger, &rules::check(vec![Pruned::of_streams(before, now, streams).append()?])?)?;
    Ok(count)
}

fn blank(connection: &Connection, position: u64, body: &str) -> Result<(), rusqlite::Error> {
    const SQL: &str = "update event set body = '', pruned = ?2 where position = ?1";
    connection.prepare_cached(SQL)?.execute(params![signed(position), digest(body.as_bytes())]).map(|_| ())
}

fn prune_run(connection: &Connection, run: &str) -> Result<(), Fault> {
    let Some((stream, _)) = append::stream(connection, &format!("run/{run}"))? else {
        return Err(JournalError::Damaged(format!("run {run} is listed, but has no records")).into());
    };
    let mut select =
        connection.prepare_cached("select position, body from event where stream = ?1 and pruned is null")?;
    let read = |row: &rusqlite::Row<'_>| Ok((unsigned(row.get(0)?), row.get::<_, String>(1)?));
    let rows: Vec<(u64, String)> = select.query_map([stream], read)?.collect::<Result<_, _>>()?;
    for (position, body) in rows {
        blank(connection, position, &body)?;
    }
    connection.prepare_cached("delete from checkpoint where run = ?1")?.execute([run])?;
    connection.prepare_cached("delete from inbox where run = ?1")?.execute([run])?;
    connection.prepare_cached("update run set pruned = 1 where id = ?1")?.execute([run])?;
    Ok(())
}
