//! The journal in a SQLite file on a local disk. Writes go through one thread, reads through connections of
//! their own; several processes may share the file. Never touches a network file system.
//!
//! Beside `<journal>` lie SQLite's `-wal` and `-shm` (both stay after the last process) and the folder
//! `<journal>.holders` with one lock file per process that drives runs.

mod admin;
mod append;
mod copy;
mod fault;
mod format;
mod holder;
mod inbox;
mod journal;
mod known;
mod lease;
mod others;
mod read;
#[cfg(test)]
mod tests;
mod transaction;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::fault::Place;
use self::holder::{Holders, OwnHolder};
use self::others::Others;
use self::read::Readers;
use self::writer::Writer;
use super::changes::{Changes, Watcher};
use crate::ports::JournalError;

pub use self::holder::HolderFacts;

/// What a journal is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// To drive or control runs; creates the journal where there is none.
    ReadWrite,
    /// To look only; there must be one.
    ReadOnly,
}

/// A journal in a SQLite file. Two values on one file act like two processes.
#[derive(Debug)]
pub struct SqliteJournal {
    place: Place,
    // In this order: the last connection to close is the writer's, which tidies up.
    readers: Arc<Readers>,
    write: Option<Write>,
    holders: Holders,
    changes: Arc<Changes>,
    watcher: Watcher,
    others: Others,
}

#[derive(Debug)]
struct Write {
    writer: Writer,
    own: Arc<OwnHolder>,
}

impl SqliteJournal {
    /// Opens a journal; for [`OpenMode::ReadWrite`] creates the file (mode 0600) and its folders (0700).
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be created, read or written, or lies on a network file system;
    /// `TooNew` when a newer drctl wrote it; `Damaged` when it is no SQLite file.
    pub fn open(path: impl AsRef<Path>, facts: HolderFacts, mode: OpenMode) -> Result<Self, JournalError> {
        let place = format::locate(path.as_ref(), mode)?;
        let changes = Arc::new(Changes::new());
        let write = match mode {
            OpenMode::ReadOnly => None,
            OpenMode::ReadWrite => {
                let connection = format::open_writer(&place)?;
                let own = OwnHolder::new(place.path(), facts)
                    .map_err(|error| place.unavailable(&format!("no id could be drawn ({error})")))?;
                let writer = Writer::start(connection, place.clone(), Arc::clone(&changes))?;
                Some(Write { writer, own: Arc::new(own) })
            }
        };
        let readers = Arc::new(Readers::open(place.clone())?);
        Ok(Self {
            holders: Holders::of(place.path()),
            watcher: changes.watcher(),
            others: Others::new(),
            place,
            readers,
            write,
            changes,
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.place.path().to_owned()
    }

    /// Commits of this value so far; each is one sync of the write-ahead log. For benchmarks.
    #[must_use]
    pub fn sync_count(&self) -> u64 {
        self.write.as_ref().map_or(0, |write| write.writer.syncs())
    }

    fn writing(&self) -> Result<&Write, JournalError> {
        let refuse = || self.place.unavailable("it was opened for reading only, nothing was written");
        self.write.as_ref().ok_or_else(refuse)
    }
}
