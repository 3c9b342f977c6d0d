//! Opens the file: creates it, checks that it is a journal this build understands, sets durability. Never
//! repairs.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::OpenMode;
use super::fault::{Fault, Place, has_no_room};
use crate::journal::{FORMAT, MISSING};
use crate::ports::JournalError;

/// Marks a SQLite file as a journal of drctl: `drcj`.
const APPLICATION: i32 = 0x6472_636a;
/// How long a writer waits for another process, in seconds.
pub(super) const BUSY_SECONDS: u64 = 5;
/// Size of the write-ahead log, in bytes; it is written out once, so that commits overwrite rather than
/// extend it.
pub(super) const WAL_BYTES: u64 = 4 * 1024 * 1024;
/// Frames after which SQLite copies the log back: three quarters of it.
const CHECKPOINT_FRAMES: i64 = 768;

/// Writes a page over itself after a full checkpoint, so that the log begins anew with one frame in it. Needs
/// no sync: the database holds everything the log did. (An `update` to the same values would not write.)
pub(super) const RESTART_LOG: &str = "pragma synchronous = off; pragma application_id = 0x6472636a; \
                                      pragma synchronous = full";

/// Schema changes, in order: the one at index `n` leads to format `n + 1`.
const MIGRATIONS: [&str; FORMAT as usize] = [include_str!("schema.sql")];

/// Finds the file, or creates it, and follows links to where it really lies: two processes that reach it by
/// different names must look for each other's locks in the same folder.
pub(super) fn locate(path: &Path, mode: OpenMode) -> Result<Place, JournalError> {
    let place = Place::new(path);
    if path.is_dir() {
        let what =
            format!("it is a folder; name a file in it, such as {}", path.join("journal.db").display());
        return Err(place.unavailable(&what));
    }
    match mode {
        OpenMode::ReadWrite => create_file(&place)?,
        OpenMode::ReadOnly if !path.exists() => return Err(place.unavailable(MISSING)),
        OpenMode::ReadOnly => {}
    }
    let real = std::fs::canonicalize(path);
    real.map(|real| Place::new(&real))
        .map_err(|error| place.unavailable(&format!("it cannot be found ({error})")))
}

/// Opens the only connection that writes, migrating the journal where it is new or older.
pub(super) fn open_writer(place: &Place) -> Result<Connection, JournalError> {
    refuse_network(place)?;
    refuse_read_only(place)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<Connection, Fault> {
        let mut connection = connect(place, flags)?;
        known(&connection)?;
        migrate(&mut connection)?;
        tune(&connection)?;
        Ok(connection)
    };
    open().map_err(|fault| place.explain(fault))
}

/// Opens a connection that only reads.
pub(super) fn open_reader(place: &Place) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<(Connection, u32), Fault> {
        let connection = connect(place, flags)?;
        keep_log(&connection)?;
        connection.set_prepared_statement_cache_capacity(32);
        let format = known(&connection)?;
        Ok((connection, format))
    };
    match open().map_err(|fault| place.explain(fault))? {
        (_, 0) => Err(place.unavailable("this file is empty, it is no journal yet")),
        (connection, _) => Ok(connection),
    }
}

fn connect(place: &Place, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let mut connection = Connection::open_with_flags(place.path(), flags)?;
    wait_for_others(&mut connection)?;
    // A plan that depends on what is bound is made anew each time, which costs more than most reads.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Path of something that lies beside the journal: `<journal><suffix>`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes a folder and those above it, for this user only.
pub(super) fn create_folder(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes what a folder lists durable.
pub(super) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn create_file(place: &Place) -> Result<(), JournalError> {
    let path = place.path();
    let create = || {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_folder(folder)?;
        }
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => sync_folder_of(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    };
    create().map_err(|error| place.unavailable(&format!("it cannot be created ({error})")))
}

/// Network file systems lose or fake the locks that SQLite and the leases stand on.
#[cfg(target_os = "linux")]
fn refuse_network(place: &Place) -> Result<(), JournalError> {
    const NETWORK: [(u64, &str); 8] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x5346_414f, "AFS"),
        (0x7375_7245, "Coda"),
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
    ];
    let found = rustix::fs::statfs(place.path())
        .map_err(|error| place.unavailable(&format!("its file system cannot be asked ({error})")))?;
    // The type is a 32-bit number that some platforms widen with its sign.
    #[expect(clippy::cast_sign_loss, reason = "only the low 32 bits carry the number")]
    let kind = found.f_type as u64 & 0xffff_ffff;
    match NETWORK.iter().find(|(magic, _)| *magic == kind) {
        Some((_, name)) => Err(place.unavailable(&format!(
            "it lies on a network file system ({name}), whose locks cannot be trusted; use a local disk"
        ))),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn refuse_network(_: &Place) -> Result<(), JournalError> {
    Ok(())
}

/// Asks the mode itself: the superuser could write a file somebody has made read-only on purpose.
fn refuse_read_only(place: &Place) -> Result<(), JournalError> {
    let file = std::fs::metadata(place.path())
        .map_err(|error| place.unavailable(&format!("it cannot be looked at ({error})")))?;
    if file.permissions().readonly()
        || rustix::fs::access(place.path(), rustix::fs::Access::WRITE_OK).is_err()
    {
        return Err(place.explain_sqlite(&rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
            None,
        )));
    }
    Ok(())
}

/// Waits in short steps: SQLite's own back-off sleeps up to 100 ms, long beside a commit of 0.2 ms.
pub(super) fn wait_for_others(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    const STEP: Duration = Duration::from_millis(1);
    connection.busy_handler(Some(|tries: i32| {
        std::thread::sleep(STEP);
        u64::try_from(tries).unwrap_or(u64::MAX) < BUSY_SECONDS * 1_000
    }))
}

/// Returns the format found, 0 for an empty file.
fn known(connection: &Connection) -> Result<u32, Fault> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, format) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && (tables > 0 || application != 0) {
        return Err(Fault::Refused(JournalError::Unavailable(format!(
            "{} is a SQLite database of another program, not a journal; choose another path",
            connection.path().unwrap_or_default()
        ))));
    }
    let found = u32::try_from(format).unwrap_or(u32::MAX);
    if found > FORMAT {
        return Err(Fault::Refused(JournalError::TooNew { found, known: FORMAT }));
    }
    Ok(found)
}

fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    if known(connection)? == FORMAT {
        return Ok(());
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Asked again under the lock: another process may have been faster.
    let found = known(&transaction)?;
    for migration in MIGRATIONS.iter().skip(found as usize) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    Ok(transaction.commit()?)
}

fn tune(connection: &Connection) -> Result<(), Fault> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_FRAMES)?;
    connection.set_prepared_statement_cache_capacity(64);
    keep_log(connection)?;
    match grow_wal(connection) {
        // A shorter log is only slower; what cannot be written will say so itself.
        Err(error) if has_no_room(&error) => Ok(()),
        grown => Ok(grown?),
    }
}

/// Closing the last connection would otherwise delete the log that was grown once.
fn keep_log(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(|_| ())
}

/// Writes the log out once. With a small cache SQLite spills the rows of a transaction into the log before
/// the commit; rolled back, they leave a longer log and an unchanged database.
fn grow_wal(connection: &Connection) -> Result<(), rusqlite::Error> {
    let wal = beside(Path::new(connection.path().unwrap_or_default()), "-wal");
    if std::fs::metadata(&wal).is_ok_and(|file| file.len() >= WAL_BYTES) {
        return Ok(());
    }
    let cache: i64 = connection.pragma_query_value(None, "cache_size", |row| row.get(0))?;
    connection.pragma_update(None, "cache_size", 16)?;
    let fill = format!(
        "begin immediate; create table scratch(b blob); insert into scratch values (zeroblob({})); rollback;",
        WAL_BYTES + WAL_BYTES / 32
    );
    let filled = connection.execute_batch(&fill);
    if filled.is_err() && !connection.is_autocommit() {
        connection.execute_batch("rollback")?;
    }
    connection.pragma_update(None, "cache_size", cache)?;
    filled
}
