//! Turns what SQLite says into what a person can act on. Never hides an error, never retries one.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::ports::JournalError;

/// Why a piece of work on the store came to nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// The journal's rules refuse it.
    Refused(JournalError),
    /// SQLite failed.
    Store(rusqlite::Error),
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

/// The file a message speaks of.
#[derive(Debug, Clone)]
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Says that the journal could not do something, and what to do about it.
    pub(super) fn unavailable(&self, what: &str) -> JournalError {
        JournalError::Unavailable(format!("{}: {what}", self.0.display()))
    }

    /// Names damage.
    pub(super) fn damaged(&self, what: &str) -> JournalError {
        let advice = "run `drctl journal verify`, and restore a backup if it confirms this";
        JournalError::Damaged(format!("{}: {what}; {advice}", self.0.display()))
    }

    /// Explains a fault.
    pub(super) fn explain(&self, fault: Fault) -> JournalError {
        match fault {
            Fault::Refused(error) => error,
            Fault::Store(error) => self.explain_sqlite(&error),
        }
    }

    /// Explains an error of SQLite.
    pub(super) fn explain_sqlite(&self, error: &rusqlite::Error) -> JournalError {
        let Some(code) = error.sqlite_error_code() else {
            return self.damaged(&format!("a stored value has the wrong form ({error})"));
        };
        match code {
            ErrorCode::DiskFull => self.unavailable(
                "the disk is full, nothing was written; free space on it, then run the command again",
            ),
            _ if has_no_room(error) => self.unavailable(
                "the disk is full for this user, or refuses to be written, nothing was written; free space, \
                 raise the quota or the limit on the size of files (`ulimit -f`), look for a fault of the \
                 disk in the kernel's log, then run the command again",
            ),
            ErrorCode::ReadOnly if is_cut_short(error) => self.unavailable(
                "the process that was creating it was killed, it is no journal yet; the next command that \
                 writes completes it",
            ),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => self.unavailable(
                "it cannot be written, nothing was written; make the file and its folder writable for this \
                 user, and the file system not read-only",
            ),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => self.unavailable(&format!(
                "another process has been writing to it for {} seconds, nothing was written; find that \
                 process (`fuser` on the file names it), then run the command again",
                super::format::BUSY_SECONDS
            )),
            ErrorCode::DatabaseCorrupt => self.damaged(&format!("SQLite finds it damaged ({error})")),
            ErrorCode::NotADatabase => self.damaged("it is not a SQLite database"),
            ErrorCode::CannotOpen => {
                let advice = "check that the path and its folder exist and this user may read and write them";
                self.unavailable(&format!("it cannot be opened ({error}); {advice}"))
            }
            _ => self.unavailable(&format!("nothing was written ({error})")),
        }
    }
}

/// Whether a write was refused before anything was synced: the disk is full, or a quota or a limit on the
/// size of files is reached, which SQLite tells from no other failed write.
pub(super) fn has_no_room(error: &rusqlite::Error) -> bool {
    // The second is the log's index, which grows beside it.
    let refusals = [rusqlite::ffi::SQLITE_IOERR_WRITE, rusqlite::ffi::SQLITE_IOERR_SHMSIZE];
    let refused = |found: &rusqlite::ffi::Error| refusals.contains(&found.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || error.sqlite_error().is_some_and(refused)
}

/// Whether a reader has met a transaction that only a writer may take back. There is one before the log only.
fn is_cut_short(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|found| found.extended_code);
    code == Some(rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}
