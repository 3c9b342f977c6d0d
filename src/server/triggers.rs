//! Has what webhooks deliver looked at by the triggers of the configured runbooks.

use std::sync::Arc;

use tokio::sync::watch;

use super::state::Server;
use super::unusable::Unusable;
use crate::app::launch::source;
use crate::app::launch::trigger::Starter;
use crate::engine::trigger::Watch;
use crate::runtime::{Processor, SystemClock};

/// Looks until no more is served.
pub(super) async fn watch(server: Arc<Server>) {
    if server.uses.is_empty() {
        return;
    }
    let session = server.session().clone();
    let keeper = Arc::clone(&server.keeper);
    let act = Arc::new(Starter { session: session.clone(), keeper });
    let clock = Arc::new(SystemClock::real());
    let processor = Arc::new(Processor::new(session.journal.clone(), clock, act, server.uses.clone()));
    let mut unusable = Unusable::of("its triggers listen to nothing");
    let (sender, watches) = watch::channel(Arc::new(read(&server, &mut unusable)));
    let mut ended = server.ended();
    let stop = async move {
        let _ = ended.wait_for(|ended| *ended).await;
    };
    let refreshing = async {
        loop {
            tokio::time::sleep(server.config().schedules_every.to_std()).await;
            let now = Arc::new(read(&server, &mut unusable));
            sender.send_if_modified(|known| {
                let changed = *known != now;
                *known = now;
                changed
            });
        }
    };
    tokio::select! {
        () = processor.run(watches, stop) => {}
        () = refreshing => {}
    }
}

/// The triggers there are now. A runbook that does not compile any more, or cannot be read, is said: it
/// listens to nothing.
fn read(server: &Server, unusable: &mut Unusable) -> Vec<Watch> {
    match source::with_triggers(&server.session().config) {
        Ok((runbooks, broken)) => {
            unusable.are(broken);
            crate::app::watches(&runbooks)
        }
        Err(error) => {
            tracing::error!(error = %error.message, "triggers cannot be read");
            Vec::new()
        }
    }
}
