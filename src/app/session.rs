//! What most work needs: configuration, journal, who speaks, and to whom is spoken. Reads no flags and no
//! request.

use std::path::Path;
use std::sync::Arc;

use super::{Error, exit, open_journal, open_remote};
use crate::config::{Config, JournalPlace};
use crate::journal::{OpenMode, RemoteJournal};
use crate::model::run::Identity;
use crate::model::time::Timestamp;
use crate::ports::{Clock, JournalAdmin};
use crate::runtime::SystemClock;

/// To whom is said what matters beside the result: warnings, what is going on, what is recorded.
pub trait Voice: Send + Sync {
    /// Says a line or block; it may hold ANSI colours.
    fn say(&self, text: &str);
    /// Says whether colours reach a person.
    fn is_coloured(&self) -> bool;
}

/// An opened journal with the configuration it came from.
#[derive(Clone)]
pub struct Session {
    /// The configuration in force.
    pub config: Config,
    /// The journal.
    pub journal: Arc<dyn JournalAdmin>,
    /// The server that keeps the journal and drives the runs, where one does.
    pub server: Option<Arc<RemoteJournal>>,
    /// Who speaks; of a server, who asks is told by the token.
    pub identity: Identity,
    /// From where, such as `cli@host`.
    pub from: String,
    /// To whom is spoken.
    pub voice: Arc<dyn Voice>,
}

impl Session {
    /// Opens the journal of a configuration in a mode.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn new(
        config: Config,
        mode: OpenMode,
        identity: Identity,
        from: String,
        voice: Arc<dyn Voice>,
    ) -> Result<Self, Error> {
        let (journal, server): (Arc<dyn JournalAdmin>, _) = match &config.journal {
            JournalPlace::Server(place) => {
                let server = Arc::new(open_remote(place)?);
                (server.clone(), Some(server))
            }
            JournalPlace::Sqlite(_) | JournalPlace::Memory | JournalPlace::Postgres(_) => {
                (open_journal(&config, mode)?, None)
            }
        };
        Ok(Self { config, journal, server, identity, from, voice })
    }

    /// Says a line or block to whom is spoken.
    pub fn say(&self, text: &str) {
        self.voice.say(text);
    }
}

/// Path of the journal, when opening it for writing would make a new one.
#[must_use]
pub fn new_journal(config: &Config) -> Option<&Path> {
    match &config.journal {
        JournalPlace::Sqlite(path) => Some(path.as_path()).filter(|path| !path.exists()),
        // A database is there, or opening it says that it is not; so with a server.
        JournalPlace::Memory | JournalPlace::Postgres(_) | JournalPlace::Server(_) => None,
    }
}

/// Says whether there is a journal to read.
#[must_use]
pub fn has_journal(config: &Config) -> bool {
    match &config.journal {
        JournalPlace::Sqlite(path) => path.exists(),
        JournalPlace::Memory => false,
        JournalPlace::Postgres(_) | JournalPlace::Server(_) => true,
    }
}

/// The time now, by the system's clock.
#[must_use]
pub fn now() -> Timestamp {
    SystemClock::real().now()
}

/// The reason of a request that needs one.
///
/// # Errors
/// When there is none, or it is too long.
pub fn reason(verb: &str, given: Option<&str>) -> Result<String, Error> {
    let reason = given.map(str::trim).filter(|reason| !reason.is_empty()).ok_or_else(|| {
        Error::new(exit::USAGE, format!("{verb} needs a reason"))
            .help("add --reason \"…\"; it stands in the journal")
    })?;
    if reason.chars().count() > crate::model::limits::REASON_CHARS {
        return Err(Error::new(exit::USAGE, "the reason is longer than 1,000 characters"));
    }
    Ok(reason.to_owned())
}
