//! Notifications and traces beside what a command does: begun before it, ended within seconds after it.
//! Whatever is wrong with them is said, and keeps no command from its work.

use std::sync::Arc;
use std::time::Duration;

use super::output;
use super::session::Session;
use crate::app::{self, Beside};
use crate::model::id::RunId;
use crate::model::run::Intent;
use crate::notify::Unobserved;
use crate::ports::StreamName;
use crate::runtime::{Driver, SystemClock};
use crate::tail;

/// How long a command waits at its end for what is still to be sent.
const FLUSH: Duration = Duration::from_secs(5);

/// What goes on beside a command; nothing where nothing is configured.
#[derive(Debug, Default)]
pub(crate) struct Notices(Option<Beside>);

impl Notices {
    /// Tells of a run while this process drives it. Of simulated runs nobody is told.
    pub(crate) async fn of(session: &Session, driver: &Driver) -> Self {
        let created = &driver.state().created;
        if created.intent == Intent::Simulate {
            return Self::default();
        }
        // Targets that were never seen hear of this run from its beginning.
        Self::begin(session, begin_of(session, &created.run).await)
    }

    /// Tells of everything that happens from now on.
    pub(crate) async fn from_now(session: &Session) -> Self {
        let end = tail::end(session.journal.as_ref()).await.ok();
        Self::begin(session, end)
    }

    /// Tells of everything; targets that were never seen hear of what lies behind a position.
    fn begin(session: &Session, begin: Option<u64>) -> Self {
        let config = session.config.clone();
        let targets = app::configured_targets(&config).unwrap_or_else(|error| {
            output::say(&format!("\x1b[1;33mwarning\x1b[0m: nobody is notified: {}", error.message));
            Vec::new()
        });
        let traced = config.telemetry.traces_url.is_some();
        if targets.is_empty() && !traced {
            return Self::default();
        }
        let journal = session.journal.clone();
        let work = Beside::begin(move |ended| async move {
            let clock = Arc::new(SystemClock::real());
            let outbox = app::outbox(journal.clone(), clock, begin, Arc::new(Unobserved), targets);
            let sending = outbox.run(ended.clone());
            if traced {
                tokio::join!(sending, app::follow(config, journal, Arc::default(), begin, ended));
            } else {
                sending.await;
            }
        });
        match work {
            Ok(beside) => Self(Some(beside)),
            Err(error) => {
                output::say(&format!("\x1b[1;33mwarning\x1b[0m: nobody is notified: {error}"));
                Self::default()
            }
        }
    }

    /// Sends what can be sent within seconds. The rest stays in the journal, for the next process that
    /// sends from it.
    pub(crate) async fn end(self) {
        let Some(beside) = self.0 else { return };
        if !beside.end(FLUSH).await {
            output::say(
                "some notifications or traces are not sent yet; the next drctl on this journal tells the rest",
            );
        }
    }
}

/// The position before the first record of a run, which may not be recorded yet.
async fn begin_of(session: &Session, run: &RunId) -> Option<u64> {
    let first = session.journal.read(&StreamName::run(run), 0, 1).await.ok()?;
    match first.first() {
        Some(record) => Some(record.position.saturating_sub(1)),
        None => tail::end(session.journal.as_ref()).await.ok(),
    }
}
