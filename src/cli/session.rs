//! What most commands need: configuration, journal, identity, an async runtime.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use super::{Error, Global, exit};
use crate::app::{self, FindRunError};
use crate::config::{Config, Flags, JournalPlace};
use crate::journal::OpenMode;
use crate::model::id::RunId;
use crate::model::run::Identity;
use crate::model::time::Timestamp;
use crate::ports::{Clock, JournalAdmin};
use crate::runtime::SystemClock;

/// An opened journal with the configuration it came from.
pub(crate) struct Session {
    /// The configuration in force.
    pub config: Config,
    /// The journal.
    pub journal: Arc<dyn JournalAdmin>,
    /// Who speaks.
    pub identity: Identity,
}

/// Reads the configuration.
///
/// # Errors
/// When it cannot be used.
pub(crate) fn config(global: &Global) -> Result<Config, Error> {
    let flags = Flags { config: global.config.clone(), journal: global.journal.clone(), local: global.local };
    Ok(Config::load(&flags)?)
}

impl Session {
    /// Opens the journal for reading and writing.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(global: &Global) -> Result<Self, Error> {
        Self::open_as(global, OpenMode::ReadWrite)
    }

    /// Opens the journal for steering what stands in it: there must be one.
    ///
    /// # Errors
    /// When it cannot be opened, or is not there.
    pub(crate) fn open_existing(global: &Global) -> Result<Self, Error> {
        // Reading says that there is none; writing would make one.
        let mode =
            if new_journal(&config(global)?).is_some() { OpenMode::ReadOnly } else { OpenMode::ReadWrite };
        Self::open_as(global, mode)
    }

    /// Opens the journal in a mode.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open_as(global: &Global, mode: OpenMode) -> Result<Self, Error> {
        let config = config(global)?;
        let journal = app::open_journal(&config, mode)?;
        let identity = identity(global, &config);
        Ok(Self { config, journal, identity })
    }

    /// Finds the run a text names.
    ///
    /// # Errors
    /// When nothing or more than one run fits.
    pub(crate) async fn find_run(&self, text: &str, changes: bool) -> Result<RunId, Error> {
        match app::find_run(self.journal.as_ref(), text, changes).await {
            Ok(run) => Ok(run),
            Err(FindRunError::Journal(error)) => Err(error.into()),
            Err(error @ (FindRunError::None(_) | FindRunError::Several(_))) => {
                Err(Error::new(exit::USAGE, error.to_string())
                    .help("`drctl runs list --simulated` shows them all"))
            }
        }
    }
}

/// Path of the journal, when opening it for writing would make a new one.
#[must_use]
pub(crate) fn new_journal(config: &Config) -> Option<&Path> {
    match &config.journal {
        JournalPlace::Sqlite(path) => Some(path.as_path()).filter(|path| !path.exists()),
        // A database is there, or opening it says that it is not.
        JournalPlace::Memory | JournalPlace::Postgres(_) => None,
    }
}

/// Says whether there is a journal to read.
#[must_use]
pub(crate) fn has_journal(config: &Config) -> bool {
    match &config.journal {
        JournalPlace::Sqlite(path) => path.exists(),
        JournalPlace::Memory => false,
        JournalPlace::Postgres(_) => true,
    }
}

/// Who speaks, with the roles that the configuration gives that name: `--as`, else the person at this
/// terminal.
#[must_use]
pub(crate) fn identity(global: &Global, config: &Config) -> Identity {
    let name = global.identity.clone().unwrap_or_else(|| config.user.clone());
    Identity { roles: config.roles_of(&name), ..Identity::asserted(name) }
}

/// The time now, by the system's clock.
#[must_use]
pub(crate) fn now() -> Timestamp {
    SystemClock::real().now()
}

/// The reason of a command that needs one.
///
/// # Errors
/// When there is none, or it is too long.
pub(crate) fn reason(command: &str, given: Option<&str>) -> Result<String, Error> {
    let reason = given.map(str::trim).filter(|reason| !reason.is_empty()).ok_or_else(|| {
        Error::new(exit::USAGE, format!("{command} needs a reason"))
            .help("add --reason \"…\"; it stands in the journal")
    })?;
    if reason.chars().count() > crate::model::limits::REASON_CHARS {
        return Err(Error::new(exit::USAGE, "the reason is longer than 1,000 characters"));
    }
    Ok(reason.to_owned())
}

/// Lets a write beyond a limit on the size of files (`ulimit -f`) fail, as on a full disk, so that the
/// journal can say so: by default its signal ends the process without a word. Caught, not ignored: programs
/// that drctl starts keep the default.
pub(crate) fn let_writes_fail() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
    let _entered = runtime.enter();
    // The handler stays for the life of the process, whatever becomes of this stream. Without it a limit is a
    // crash, which loses nothing either.
    let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
}

/// Runs a future to its end on a runtime of its own.
///
/// # Errors
/// When the runtime cannot be made, or as the future.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    // One run is one thread: a step that ends and the next one need no hand-over between threads. What
    // blocks, the journal's writer and its readers, has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    // A child that is being adopted by another process must not be waited for.
    runtime.shutdown_background();
    result
}
