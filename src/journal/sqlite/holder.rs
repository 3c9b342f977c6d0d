//! Says whether the process that holds a lease still lives: each holds a lock on a file of its own, which the
//! kernel frees when the process dies, however it dies. Never trusts a process id or a clock.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

use super::format::{beside, create_folder};
use crate::ports::Holder;

/// Who this process is, for the eyes of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderFacts {
    /// Person or service account.
    pub name: String,
    /// Host name.
    pub host: String,
}

impl HolderFacts {
    /// Facts of a person or service account on this machine.
    #[must_use]
    pub fn here(name: impl Into<String>) -> Self {
        let read = |path| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let host = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname"));
        Self {
            name: name.into(),
            host: host.filter(|host| !host.is_empty()).unwrap_or_else(|| "localhost".into()),
        }
    }
}

/// The folder of lock files of one journal: `<journal>.holders`.
#[derive(Debug, Clone)]
pub(super) struct Holders(PathBuf);

impl Holders {
    pub(super) fn of(journal: &Path) -> Self {
        Self(beside(journal, ".holders"))
    }

    fn file(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.lock"))
    }

    /// Says whether a holder lives. A file that cannot be asked counts as alive: nobody proved it dead.
    ///
    /// Asks with a shared lock, so that two who ask at the same time do not take each other for the holder.
    pub(super) fn alive(&self, id: &str) -> bool {
        match File::open(self.file(id)) {
            Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_err(),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// Removes the file of a holder that was found dead.
    pub(super) fn forget(&self, id: &str) {
        // A file left behind does no harm: it can be locked, so its holder stays dead.
        let _ = std::fs::remove_file(self.file(id));
    }
}

/// This process as a holder. Its file is made at the first lease, and removed at the end.
#[derive(Debug)]
pub(super) struct OwnHolder {
    holder: Holder,
    holders: Holders,
    /// Held for its lock; `std` opens files so that children do not inherit them.
    lock: Mutex<Option<File>>,
}

impl OwnHolder {
    /// Draws an id nobody ever had: a process id comes again, and would inherit the leases of a dead process.
    pub(super) fn new(journal: &Path, facts: HolderFacts) -> Result<Self, getrandom::Error> {
        let id = format!("{:016x}", getrandom::u64()?);
        let holder = Holder { id, pid: std::process::id(), host: facts.host, name: facts.name };
        Ok(Self { holder, holders: Holders::of(journal), lock: Mutex::new(None) })
    }

    pub(super) fn facts(&self) -> &Holder {
        &self.holder
    }

    pub(super) fn holders(&self) -> &Holders {
        &self.holders
    }

    /// Makes and locks the file, once. To be called before anybody can learn the id.
    pub(super) fn ensure(&self) -> std::io::Result<()> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            create_folder(&self.holders.0)?;
            let path = self.holders.file(&self.holder.id);
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            *lock = Some(file);
        }
        Ok(())
    }
}

impl Drop for OwnHolder {
    fn drop(&mut self) {
        if self.lock.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            self.holders.forget(&self.holder.id);
        }
    }
}
