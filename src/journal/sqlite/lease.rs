//! Leases of runs. Grants and releases run on the writer's thread, so that two processes never decide at
//! once.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::append::{signed, unsigned};
use super::fault::{Fault, Place};
use super::holder::{Holders, OwnHolder};
use super::writer::Ledger;
use crate::model::id::RunId;
use crate::ports::{Holder, JournalError, Lease, StreamName};

const LEASE: &str = "\
    select l.token, l.holder, h.pid, h.host, h.name from lease l left join holder h on h.id = l.holder \
    where l.run = ?1";

/// Grants the lease: to this process again, or from nobody, or from the dead.
pub(super) fn grant(ledger: &mut Ledger<'_>, run: &RunId, own: &OwnHolder) -> Result<u64, Fault> {
    const HOLDER: &str = "insert or ignore into holder(id, pid, host, name) values (?1, ?2, ?3, ?4)";
    const GRANT: &str = "insert into lease(run, token, holder) values (?1, ?2, ?3) \
                         on conflict(run) do update set token = ?2, holder = ?3";
    let (token, holder) = find(ledger.connection, run)?.unwrap_or((0, None));
    if let Some(holder) = holder.filter(|holder| holder.id != own.facts().id) {
        if own.holders().alive(&holder.id) {
            return Err(JournalError::Held { run: run.clone(), holder }.into());
        }
        own.holders().forget(&holder.id);
    }
    own.ensure().map_err(|error| no_lock_file(ledger.place, &error))?;
    let me = own.facts();
    ledger.connection.prepare_cached(HOLDER)?.execute(params![me.id, me.pid, me.host, me.name])?;
    let token = token + 1;
    ledger.connection.prepare_cached(GRANT)?.execute(params![run.as_str(), signed(token), me.id])?;
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
    Ok(find(connection, run)?.map(|(token, holder)| {
        let alive = holder.as_ref().is_some_and(|holder| holders.alive(&holder.id));
        Lease { token, holder, alive }
    }))
}

fn find(connection: &Connection, run: &RunId) -> Result<Option<(u64, Option<Holder>)>, rusqlite::Error> {
    let read = |row: &Row<'_>| {
        let id: Option<String> = row.get(1)?;
        let text =
            |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(column)?.unwrap_or_default());
        let pid = row.get::<_, Option<u32>>(2)?.unwrap_or(0);
        let (host, name) = (text(3)?, text(4)?);
        Ok((unsigned(row.get(0)?), id.map(|id| Holder { id, pid, host, name })))
    };
    connection.prepare_cached(LEASE)?.query_row([run.as_str()], read).optional()
}
