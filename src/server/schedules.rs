//! Looks at the drill schedules of the configured runbooks again and again. What is due runs beside the
//! others; a schedule is looked at again when its last look is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::state::Server;
use super::unusable::Unusable;
use crate::app::launch::board::unscheduled::{self, Left};
use crate::app::launch::board::{Board, Entry};
use crate::app::launch::schedule::Launcher;
use crate::model::id::{RunId, ServiceName};
use crate::model::time::Duration;
use crate::ports::Clock as _;
use crate::runtime::{self, Behind, Scheduler, SystemClock, Turn};

/// How far back missed fires are looked for.
const WITHIN: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What came of a look at a schedule.
type Looked = (ServiceName, Result<Turn, runtime::Error>);

/// The schedules of which this server has an old version, as far as its log says so.
#[derive(Default)]
struct Told(BTreeMap<ServiceName, Behind>);

impl Told {
    /// Says what came of a look: of an old version once, until there is another.
    fn tell(&mut self, service: ServiceName, turn: Result<Turn, runtime::Error>) {
        let behind = match turn {
            Ok(turn) => turn.behind,
            Err(error) => return tracing::error!(%service, %error, "schedule not looked at"),
        };
        match behind {
            Some(behind) if self.0.get(&service) == Some(&behind) => {}
            Some(behind) => {
                let place = behind.place.as_ref().map(|place| format!("{}:{}", place.host, place.path));
                tracing::warn!(
                    %service, in_force = behind.schedule, place, until = %behind.until,
                    "this node has a version of the schedule that was replaced: it lets no fire through"
                );
                self.0.insert(service, behind);
            }
            None if self.0.remove(&service).is_some() => {
                tracing::info!(%service, "this node has the version of the schedule that is in force");
            }
            None => {}
        }
    }
}

/// The drills that are left lying because their schedule is not there any more, and whether the log says so.
#[derive(Default)]
struct Lying(BTreeMap<RunId, bool>);

impl Lying {
    /// Says so once, and only of what was so at the last look as well: a run whose driver is gone is taken
    /// over within moments where some server can do that.
    fn are(&mut self, left: Vec<Left>) {
        let mut before = std::mem::take(&mut self.0);
        for Left { service, run, status } in left {
            let told = before.remove(&run);
            if told == Some(false) {
                tracing::warn!(
                    %service, %run, %status,
                    "the schedule of this drill is not there any more, and nobody drives it: drctl resume {run}"
                );
            }
            self.0.insert(run, told.is_some());
        }
    }
}

/// Looks until the server lets go of its runs.
pub(super) async fn watch(server: Arc<Server>) {
    let (mut looks, mut busy, mut told) = (JoinSet::new(), BTreeSet::new(), Told::default());
    let (mut unusable, mut lying) = (Unusable::of("no drill of it runs"), Lying::default());
    while !server.keeper.is_draining() {
        begin(&server, &mut looks, &mut busy, (&mut unusable, &mut lying)).await;
        let pause = tokio::time::sleep(server.config().schedules_every.to_std());
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                Some(ended) = looks.join_next() => {
                    // A look that panicked keeps its name: it is not begun again and again.
                    if let Ok((service, turn)) = ended {
                        busy.remove::<ServiceName>(&service);
                        told.tell(service, turn);
                    }
                }
            }
        }
    }
}

async fn begin(
    server: &Arc<Server>,
    looks: &mut JoinSet<Looked>,
    busy: &mut BTreeSet<ServiceName>,
    (unusable, lying): (&mut Unusable, &mut Lying),
) {
    let session = Arc::new(server.session().clone());
    let board = match Board::read(&session.config) {
        Ok(board) => board,
        Err(error) => {
            tracing::error!(error = %error.message, "schedules cannot be read");
            return;
        }
    };
    match unscheduled::record(&session, &board, SystemClock::real().now()).await {
        Ok(taken_out) => taken_out.iter().for_each(|service| tracing::info!(%service, "schedule taken out")),
        Err(error) => tracing::error!(error = %error.message, "schedules taken out are not recorded"),
    }
    match unscheduled::left(&session, &board).await {
        Ok(left) => lying.are(left),
        Err(error) => {
            tracing::error!(error = %error.message, "drills of schedules taken out are not looked for");
        }
    }
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
            let turn = scheduler.turn(&scheduled).await;
            (service, turn)
        });
    }
}
