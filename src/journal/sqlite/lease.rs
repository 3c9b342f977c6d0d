//! Leases of runs. Grants and releases run on the writer's thread, so that two processes never decide at
//! once.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::append::{signed, unsigned};
use super::fault::{Fault, Place};
use super::holder::{Holders, OwnHolder};
use super::transaction::Ledger;
use crate::model::id::RunId;
use crate::ports::{Holder, JournalError, Lease, StreamName};

/// Grants the lease: to this process again, or from nobody, or from the dead.
pub(super) fn grant(ledger: &mut Ledger<'_>, run: &RunId, own: &OwnHolder) -> Result<u64, Fault> {
    const HOLDER: &str = "insert or ignore into holder(id, pid, host, name) values (?1, ?2, ?3, ?4)";
    const GRANT: &str = "insert into lease(run, token, holder) values (?1, ?2, ?3) \
                         on conflict(run) do update set token = ?2, holder = ?3";
    let (token, holder) = find(ledger.connection, run)?.unwrap_or((0, None));
    if let Some(id) = holder.filter(|id| *id != own.facts().id) {
        if own.holders().alive(&id) {
            let holder = named(ledger.connection, id)?;
            return Err(JournalError::Held { run: run.clone(), holder }.into());
        }
        own.holders().forget(&id);
    }
    own.ensure().map_err(|error| no_lock_file(ledger.place, &error))?;
    let me = own.facts();
    ledger.connection.prepare_cached(HOLDER)?.execute(params![me.id, me.pid, me.host, me.name])?;
    let token = token + 1;
    ledger.connection.prepare_cached(GRANT)?.execute(params![run.as_str(), signed(token), me.id])?;
    ledger.known.grant(StreamName::run(run).as_str(), token);
    Ok(token)
}

fn no_lock_file(place: &Place, error: &std::io::Error) -> JournalError {
    place.unavailable(&format!("no lock file could be made in the folder of holders beside it ({error})"))
}

/// Gives a lease back. Once more changes nothing.
pub(super) fn release(ledger: &mut Ledger<'_>, run: &RunId, token: u64) -> Result<(), Fault> {
    let Some((current, holder)) = find(ledger.connection, run)? else {
        return Err(JournalError::UnknownRun(run.to_string()).into());
    };
    if current != token {
        return Err(JournalError::Fenced { stream: StreamName::run(run), held: token, current }.into());
    }
    if holder.is_some() {
        ledger
            .connection
            .prepare_cached("update lease set holder = null where run = ?1")?
            .execute([run.as_str()])?;
    }
    Ok(())
}

/// Who holds a lease.
pub(super) fn lease(connection: &Connection, run: &RunId, holders: &Holders) -> Result<Option<Lease>, Fault> {
    let Some((token, holder)) = find(connection, run)? else { return Ok(None) };
    let alive = holder.as_ref().is_some_and(|id| holders.alive(id));
    let holder = holder.map(|id| named(connection, id)).transpose()?;
    Ok(Some(Lease { token, holder, alive }))
}

/// Token and id of the holder.
fn find(connection: &Connection, run: &RunId) -> Result<Option<(u64, Option<String>)>, rusqlite::Error> {
    let mut select = connection.prepare_cached("select token, holder from lease where run = ?1")?;
    select.query_row([run.as_str()], |row| Ok((unsigned(row.get(0)?), row.get(1)?))).optional()
}

/// What is known of a holder.
fn named(connection: &Connection, id: String) -> Result<Holder, rusqlite::Error> {
    let mut select = connection.prepare_cached("select pid, host, name from holder where id = ?1")?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (pid, host, name) = select.query_row([&id], read).optional()?.unwrap_or_default();
    Ok(Holder { id, pid, host, name })
}
