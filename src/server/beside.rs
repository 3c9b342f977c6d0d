//! What goes on beside requests: notifications, metrics and traces of what the journal says. Keeps no run
//! from its work.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::state::Server;
use crate::app::{self, Counted};
use crate::ports::{CancelSwitch, JournalAdmin};
use crate::runtime::SystemClock;

/// How long the last notifications and traces may take.
const FLUSH: std::time::Duration = std::time::Duration::from_secs(5);

/// Tasks that end when they are told to.
pub(super) struct Beside {
    switch: CancelSwitch,
    tasks: Vec<JoinHandle<()>>,
}

impl Beside {
    /// Begins all of them. What happened before this server first saw the journal is told to nobody.
    pub(super) async fn begin(server: &Arc<Server>) -> Self {
        let session = server.session();
        let (config, journal) = (session.config.clone(), session.journal.clone());
        let (switch, ended) = CancelSwitch::new();
        let begin = crate::tail::end(journal.as_ref()).await.ok();
        let mut tasks = Vec::new();
        match app::configured_targets(&config) {
            Ok(targets) if targets.is_empty() => {}
            Ok(targets) => {
                let observer = Arc::new(Counted(Arc::clone(&server.metrics)));
                let clock = Arc::new(SystemClock::real());
                let outbox = app::outbox(journal.clone(), clock, begin, observer, targets);
                let ended = ended.clone();
                tasks.push(tokio::spawn(async move { outbox.run(ended).await }));
            }
            Err(error) => tracing::error!(error = %error.message, "nobody is notified"),
        }
        let metrics = Arc::clone(&server.metrics);
        tasks.push(tokio::spawn(app::follow(
            config,
            journal as Arc<dyn JournalAdmin>,
            metrics,
            begin,
            ended,
        )));
        Self { switch, tasks }
    }

    /// Tells them to end, and waits a little for what is still to be sent.
    pub(super) async fn end(self) {
        self.switch.cancel();
        let all = async {
            for task in self.tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(FLUSH, all).await.is_err() {
            tracing::warn!("some notifications or traces are not sent yet; the next start tells the rest");
        }
    }
}
