//! Looks at the drill schedules of the configured runbooks again and again. What is due runs beside the
//! others; a schedule is looked at again when its last look is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::state::Server;
use super::unusable::Unusable;
use crate::app::launch::board::{Board, Entry};
use crate::app::launch::schedule::Launcher;
use crate::model::id::ServiceName;
use crate::model::time::Duration;
use crate::runtime::{Scheduler, SystemClock};

/// How far back missed fires are looked for.
const WITHIN: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Looks until the server lets go of its runs.
pub(super) async fn watch(server: Arc<Server>) {
    let (mut looks, mut busy) = (JoinSet::new(), BTreeSet::new());
    let mut unusable = Unusable::of("no drill of it runs");
    while !server.keeper.is_draining() {
        begin(&server, &mut looks, &mut busy, &mut unusable);
        let pause = tokio::time::sleep(server.config().schedules_every.to_std());
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                Some(ended) = looks.join_next() => {
                    // A look that panicked keeps its name: it is not begun again and again.
                    if let Ok(service) = ended {
                        busy.remove::<ServiceName>(&service);
                    }
                }
            }
        }
    }
}

fn begin(
    server: &Arc<Server>,
    looks: &mut JoinSet<ServiceName>,
    busy: &mut BTreeSet<ServiceName>,
    unusable: &mut Unusable,
) {
    let session = Arc::new(server.session().clone());
    let board = match Board::read(&session.config) {
        Ok(board) => board,
        Err(error) => {
            tracing::error!(error = %error.message, "schedules cannot be read");
            return;
        }
    };
    unusable.are(board.broken);
    for (service, Entry { source, scheduled }) in board.entries {
        if !busy.insert(service.clone()) {
            continue;
        }
        let launcher = Launcher {
            session: Arc::clone(&session),
            follower: server.keeper.follower(),
            sources: BTreeMap::from([(service.clone(), source)]),
        };
        let scheduler = Scheduler {
            journal: session.journal.clone(),
            clock: Arc::new(SystemClock::real()),
            launch: Arc::new(launcher),
            within: WITHIN,
        };
        looks.spawn(async move {
            if let Err(error) = scheduler.turn(&scheduled).await {
                tracing::error!(%service, %error, "schedule not looked at");
            }
            service
        });
    }
}
