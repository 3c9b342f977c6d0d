//! What all requests share: configuration, journal, the keeper of runs, and the hub of their events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tokio::sync::watch;

use super::auth::Gatekeeper;
use super::hub::Hub;
use super::limit::{Limits, Turns};
use super::supervisor::Pulse;
use super::verifying::Verifying;
use super::words::Words;
use crate::app::keeper::Keeper;
use crate::app::{self, Error, Hooks, Session, Voice, exit};
use crate::config::ServerSection;
use crate::engine::readings::Readings;
use crate::model::run::Identity;
use crate::ports::{IdentityProvider, JournalAdmin, JournalError, Node};
use crate::runtime::{self, HookUse, Intake};
use crate::telemetry::{Metrics, TimedJournal};

/// The server.
pub(crate) struct Server {
    base: Session,
    pub(super) keeper: Arc<Keeper>,
    pub(super) hub: Hub,
    gate: RwLock<Arc<Gatekeeper>>,
    identities: Arc<dyn IdentityProvider>,
    pub(super) limits: Limits,
    pub(super) turns: Turns,
    pub(super) pulse: Pulse,
    pub(super) metrics: Arc<Metrics>,
    pub(super) intake: Intake,
    /// What triggers use of webhooks, by name.
    pub(super) uses: BTreeMap<String, HookUse>,
    /// What this process itself has read of the recovery points of services.
    pub(super) readings: Mutex<Readings>,
    /// This process among those that serve on the journal, once it listens.
    pub(super) node: OnceLock<Node>,
    pub(super) verifying: Verifying,
    /// Turns true when no more is served.
    ended: watch::Sender<bool>,
}

impl Server {
    /// Makes it from a session of the process itself.
    ///
    /// # Errors
    /// When a token in the configuration cannot be one.
    pub(super) async fn new(base: Session) -> Result<Arc<Self>, Error> {
        let base = Session { from: format!("serve@{}", app::host_name()), voice: Arc::new(Log), ..base };
        let metrics = Arc::new(Metrics::new());
        let journal: Arc<dyn JournalAdmin> =
            Arc::new(TimedJournal::new(base.journal.clone(), Arc::clone(&metrics)));
        let base = Session { journal, ..base };
        let hooks = app::hooks(&base.config, base.journal.clone()).await;
        let Hooks { intake, uses } = hooks.map_err(|error| Error::new(exit::USAGE, error.to_string()))?;
        let identities = app::identity_provider();
        Ok(Arc::new(Self {
            keeper: Arc::new(Keeper::new(base.clone())),
            hub: Hub::new(base.journal.clone()),
            gate: RwLock::new(Arc::new(Gatekeeper::new(&base.config, &identities)?)),
            identities,
            limits: Limits::new(&base.config.server),
            turns: Turns::default(),
            pulse: Pulse::new(),
            metrics,
            intake,
            uses,
            readings: Mutex::default(),
            node: OnceLock::new(),
            verifying: Verifying::default(),
            ended: watch::Sender::new(false),
            base,
        }))
    }

    /// Who knows who may do what.
    pub(super) fn gate(&self) -> Arc<Gatekeeper> {
        Arc::clone(&self.gate.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads again who may use the server. Where that fails everything stays as it was.
    pub(super) fn read_auth(&self) -> Result<(), Error> {
        let mut config = self.base.config.clone();
        config.read_auth()?;
        let gate = Arc::new(Gatekeeper::new(&config, &self.identities)?);
        *self.gate.write().unwrap_or_else(PoisonError::into_inner) = gate;
        Ok(())
    }

    /// Tells those who follow runs that no more comes.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// What is known of the recovery points of services: what the journal keeps, and over it what this
    /// process has read itself.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) async fn known_readings(&self) -> Result<Readings, JournalError> {
        let stale = app::now().minus(self.config().readings_kept_every);
        let mut known = runtime::known_readings(self.base.journal.as_ref()).await?.readings;
        for (service, own) in &self.readings.lock().unwrap_or_else(PoisonError::into_inner).0 {
            let recorded = known.0.get(service);
            // What somebody else has read later counts more.
            if recorded.is_none_or(|recorded| own.outweighs(recorded, stale) && own.at() >= recorded.at()) {
                known.0.insert(service.clone(), own.clone());
            }
        }
        Ok(known)
    }

    /// Turns true when no more is served.
    pub(super) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    pub(super) fn config(&self) -> &ServerSection {
        &self.base.config.server
    }

    /// The session of the process itself.
    pub(super) fn session(&self) -> &Session {
        &self.base
    }

    /// The session of somebody who asks, and what will be said to them.
    pub(super) fn session_of(&self, identity: Identity, from: String, words: Words) -> (Session, Arc<Said>) {
        let said = Arc::new(Said { words, lines: Mutex::default() });
        (Session { identity, from, voice: said.clone(), ..self.base.clone() }, said)
    }
}

/// Says everything to the log.
pub(super) struct Log;

impl Voice for Log {
    fn say(&self, text: &str) {
        tracing::info!("{}", plain(text));
    }

    fn is_coloured(&self) -> bool {
        false
    }
}

/// Keeps what is said, for the answer.
pub(super) struct Said {
    words: Words,
    lines: Mutex<Vec<String>>,
}

impl Said {
    /// Everything that was said, in the words of who is told.
    pub(super) fn lines(&self) -> Vec<String> {
        self.as_said().iter().map(|line| self.words.say(line)).collect()
    }

    /// Says all of it to somebody else.
    pub(super) fn pass_on(&self, to: &dyn Voice) {
        for line in self.as_said() {
            to.say(&line);
        }
    }

    fn as_said(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Voice for Said {
    fn say(&self, text: &str) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(plain(text));
    }

    fn is_coloured(&self) -> bool {
        false
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}
