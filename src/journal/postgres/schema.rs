//! The schema `drctl` of the database: made where there is none, refused where a newer drctl has made it.
//! Never repairs.

use super::filling;
use super::link::Session;
use super::place::Fault;
use crate::journal::{MISSING, OLDER, OpenMode};
use crate::ports::JournalError;

/// Version of the schema that this build writes.
pub(super) const FORMAT: u32 = 3;

/// Schema changes, in order: the one at index `n` leads to format `n + 1`.
const MIGRATIONS: [[&str; 2]; FORMAT as usize] = [
    [include_str!("schema.sql"), include_str!("functions.sql")],
    [include_str!("schema2.sql"), include_str!("functions2.sql")],
    [include_str!("schema3.sql"), include_str!("functions3.sql")],
];

/// Keeps two processes from making the schema together: `drctl` in bytes.
pub(super) const LOCK: &str = "select pg_advisory_xact_lock(431298536556)";

/// What is in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// A journal of this format.
    Journal(u32),
    /// What a copy that goes on, or was not finished, has filled so far.
    Part(u32),
}

/// Checks the format, and makes the schema where it is missing or older.
pub(super) async fn prepare(session: &Session, mode: OpenMode) -> Result<(), Fault> {
    match (found(session).await?, mode) {
        (Found::Journal(FORMAT), _) => Ok(()),
        (Found::Part(_), _) => Err(filling::refusal(session).await?.into()),
        (Found::Nothing, OpenMode::ReadOnly) => Err(session.place().unavailable(MISSING).into()),
        (Found::Journal(_), OpenMode::ReadOnly) => Err(session.place().unavailable(OLDER).into()),
        (Found::Nothing | Found::Journal(_), OpenMode::ReadWrite) => {
            let migrated = migrate(session).await;
            if migrated.is_err() {
                session.batch("rollback").await?;
            }
            migrated
        }
    }
}

async fn migrate(session: &Session) -> Result<(), Fault> {
    session.batch("begin").await?;
    session.batch(LOCK).await?;
    // Asked again under the lock: another process may have been faster.
    match found(session).await? {
        Found::Nothing => make(session, 0).await?,
        Found::Journal(format) => make(session, format).await?,
        Found::Part(_) => return Err(filling::refusal(session).await?.into()),
    }
    session.batch("commit").await
}

/// Brings a format up to this build's, in the transaction that is open; 0 where there is none.
pub(super) async fn make(session: &Session, format: u32) -> Result<(), Fault> {
    let encoding = session.one("select current_setting('server_encoding') as encoding", &[]).await?;
    let encoding: String = session.get(&encoding, "encoding")?;
    if encoding != "UTF8" {
        let what = format!("its database is encoded in {encoding}; a journal needs one in UTF8");
        return Err(session.place().unavailable(&what).into());
    }
    if format == 0 {
        session.batch("create schema if not exists drctl").await?;
    }
    for migration in MIGRATIONS.iter().skip(format as usize).flatten() {
        session.batch(migration).await?;
    }
    let set = format!(
        "insert into drctl.format(version) values ({FORMAT}) on conflict (one) do update \
         set version = excluded.version"
    );
    session.batch(&set).await
}

/// What is there; a format that this build does not know is refused.
pub(super) async fn found(session: &Session) -> Result<Found, Fault> {
    // Of the tables themselves: a name that was looked up in vain (`to_regclass`) is remembered as missing
    // by the session, also behind the lock under which another process has just made it.
    const ASK: &str = "\
        select count(*) > 0 as anything, \
        coalesce(bool_or(c.relname = 'format' and exists (select from pg_attribute a \
          where a.attrelid = c.oid and a.attname = 'version' and a.atttypid = 'int4'::regtype)), \
          false) as ours \
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'drctl'";
    let row = session.one(ASK, &[]).await?;
    let is = |name| session.get::<bool>(&row, name);
    if !is("anything")? {
        return Ok(Found::Nothing);
    }
    if !is("ours")? {
        let what = "its schema `drctl` is no journal's, but of something else: name another database";
        return Err(session.place().unavailable(what).into());
    }
    let row = session.query("select version from drctl.format", &[]).await?;
    let Some(row) = row.first() else { return Ok(Found::Nothing) };
    // Negative while a copy fills it, see `filling.rs`.
    let version: i32 = session.get(row, "version")?;
    let format = version.unsigned_abs();
    if format > FORMAT {
        return Err(JournalError::TooNew { found: format, known: FORMAT }.into());
    }
    Ok(match version {
        0 => Found::Nothing,
        1.. => Found::Journal(format),
        ..0 => Found::Part(format),
    })
}

/// What the server promises about what it has acknowledged, in words.
pub(super) async fn describe(session: &Session) -> Result<String, Fault> {
    const ASK: &str = "\
        select current_setting('server_version') as version, current_setting('fsync') as fsync, \
        current_setting('synchronous_standby_names', true) as standbys, \
        current_setting('synchronous_commit') as commit, pg_is_in_recovery() as standby";
    let row = session.one(ASK, &[]).await?;
    let text = |name| session.get::<Option<String>>(&row, name).map(Option::unwrap_or_default);
    let promise = if session.get::<bool>(&row, "standby")? {
        "a standby, read only: it may be behind"
    } else if text("fsync")? != "on" {
        "NOT DURABLE: the server runs with fsync off"
    } else if matches!(text("commit")?.as_str(), "off" | "local" | "remote_write") {
        "survives a power cut; the loss of the server takes what no standby has"
    } else if text("standbys")?.is_empty() {
        "survives a power cut; no synchronous standby, so that the loss of the server takes what none has yet"
    } else {
        "survives a power cut and the loss of the server (synchronous standby)"
    };
    Ok(format!("PostgreSQL {}, {promise}", text("version")?))
}
