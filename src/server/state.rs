//! What all requests share: configuration, journal, the keeper of runs, and the hub of their events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::auth::Gatekeeper;
use super::hub::Hub;
use super::limit::Limits;
use crate::app::keeper::Keeper;
use crate::app::{self, Error, Hooks, Session, Voice, exit};
use crate::config::ServerSection;
use crate::model::run::Identity;
use crate::ports::JournalAdmin;
use crate::runtime::{HookUse, Intake};
use crate::telemetry::{Metrics, TimedJournal};

/// The server.
pub(crate) struct Server {
    base: Session,
    pub(super) keeper: Arc<Keeper>,
    pub(super) hub: Hub,
    pub(super) gate: Gatekeeper,
    pub(super) limits: Limits,
    pub(super) metrics: Arc<Metrics>,
    pub(super) intake: Intake,
    /// What triggers use of webhooks, by name.
    pub(super) uses: BTreeMap<String, HookUse>,
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
        Ok(Arc::new(Self {
            keeper: Arc::new(Keeper::new(base.clone())),
            hub: Hub::new(base.journal.clone()),
            gate: Gatekeeper::new(&base.config)?,
            limits: Limits::new(&base.config.server),
            metrics,
            intake,
            uses,
            ended: watch::Sender::new(false),
            base,
        }))
    }

    /// Tells those who follow runs that no more comes.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
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
    pub(super) fn session_of(&self, identity: Identity, from: String) -> (Session, Arc<Said>) {
        let said = Arc::new(Said::default());
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
#[derive(Default)]
pub(super) struct Said(Mutex<Vec<String>>);

impl Said {
    /// Everything that was said.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Voice for Said {
    fn say(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(plain(text));
    }

    fn is_coloured(&self) -> bool {
        false
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}
