//! What most commands need: configuration, journal, identity, an async runtime.

use std::future::Future;
use std::sync::Arc;

use super::output::Terminal;
use super::{Error, Global, exit};
use crate::app::{self, Borrowed, FindRunError};
pub(crate) use crate::app::{Session, has_journal, new_journal, now, reason};
use crate::config::{Config, Flags, JournalPlace};
use crate::journal::OpenMode;
use crate::model::id::RunId;
use crate::model::run::Identity;

/// Reads the configuration.
///
/// # Errors
/// When it cannot be used.
pub(crate) fn config(global: &Global) -> Result<Config, Error> {
    Ok(Config::load(&flags(global))?)
}

/// Reads the configuration of a command that looks at runbooks: where a server is named, they are the
/// server's, for as long as what is returned beside it lives.
///
/// # Errors
/// When it cannot be used, or the server refuses or cannot be asked.
pub(crate) fn config_and_runbooks(global: &Global) -> Result<(Config, Option<Borrowed>), Error> {
    let mut config = config(global)?;
    if !matches!(config.journal, JournalPlace::Server(_)) {
        return Ok((config, None));
    }
    refuse_another_name(global)?;
    let borrowed = block_on(app::borrow(&mut config))?;
    Ok((config, borrowed))
}

/// Of a server, the token says who asks.
fn refuse_another_name(global: &Global) -> Result<(), Error> {
    if global.identity.is_none() {
        return Ok(());
    }
    Err(Error::new(exit::USAGE, "--as cannot be used with a server")
        .help("the token proves who asks; a token of somebody else is given in DRCTL_TOKEN")
        .reason("not_through_a_server"))
}

/// What the command line says about the configuration.
#[must_use]
pub(crate) fn flags(global: &Global) -> Flags {
    let Global { config, journal, local, server, .. } = global.clone();
    Flags { config, journal, local, server }
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
        if matches!(config.journal, JournalPlace::Server(_)) {
            refuse_another_name(global)?;
        }
        let identity = identity(global, &config);
        let from = format!("cli@{}", app::host_name());
        Self::new(config, mode, identity, from, Arc::new(Terminal))
    }

    /// Finds the run a text names.
    ///
    /// # Errors
    /// When nothing or more than one run fits.
    pub(crate) async fn find_run(&self, text: &str, changes: bool) -> Result<RunId, Error> {
        match app::find_run(self.journal.as_ref(), text, changes).await {
            Ok(run) => Ok(run),
            Err(FindRunError::Journal(error)) => Err(error.into()),
            Err(error @ FindRunError::Empty) => Err(Error::new(exit::USAGE, error.to_string())
                .help(
                    "nothing was done; a variable of the shell may be unset: name the run by its id, a unique \
                     beginning of one, or `latest`; `drctl runs list` shows them",
                )
                .reason("unknown_run")),
            Err(error @ FindRunError::None(_)) => Err(Error::new(exit::USAGE, error.to_string()).help(format!(
                "`drctl runs list --simulated` shows all runs in {}; for a run of another journal, give its \
                 --journal, --local or --server as well",
                self.config.journal
            ))),
            Err(error @ FindRunError::Several(_)) => Err(Error::new(exit::USAGE, error.to_string())
                .help("`drctl runs list --simulated` shows them all")),
        }
    }
}

/// Who speaks, with the roles that the configuration gives that name: `--as`, else the person at this
/// terminal.
#[must_use]
pub(crate) fn identity(global: &Global, config: &Config) -> Identity {
    let name = global.identity.clone().unwrap_or_else(|| config.user.clone());
    Identity { roles: config.roles_of(&name), ..Identity::asserted(name) }
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
