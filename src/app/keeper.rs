//! Keeps runs going for a process that stays: drives the runs it began, and goes on with every run whose
//! driver is gone. Never drives a run that somebody else drives, and lets all of them go when it is told to.

mod book;
mod share;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use self::book::Book;
use super::launch::takeover;
use super::{Error, RandomIds, Session, now};
use crate::engine::{IndexedPlan, RunState};
use crate::model::id::RunId;
use crate::model::run::{Intent, RunStatus};
use crate::model::time::{Duration, Timestamp};
use crate::plan::NodeIndex;
use crate::ports::{IdSource, JournalError, RunSummary};
use crate::runtime::{self, Driver, Follower, Recorded, Stop};

/// The longest pause between two looks for runs that nobody drives: nobody tells when a lease has run out.
const LOOK: Duration = Duration::from_millis(150);
/// The shortest pause between two looks: where hundreds of runs are driven, something changes all the time.
const REST: std::time::Duration = std::time::Duration::from_millis(75);
/// How long a run that could not be taken over, for a reason of its own, is left alone.
const AGAIN: Duration = Duration::from_secs(30);
/// As [`AGAIN`], when the reason was the journal.
const SOON: Duration = Duration::from_secs(1);
/// Runs that are looked at in one turn.
const TURN: usize = 1_000;
/// Runs that are taken over side by side.
const SIDE_BY_SIDE: usize = 16;
/// How often a drain looks whether all runs were let go.
const DRAIN_LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// Drives runs.
pub(crate) struct Keeper {
    session: Session,
    leave: Arc<AtomicBool>,
    /// Most runs that are driven at once.
    most: usize,
    /// Makes this process look at free runs in an order of its own.
    order: String,
    adopting: Arc<Semaphore>,
    book: Mutex<Book>,
}

impl Keeper {
    /// Makes one that takes runs over in the name of a session.
    pub(crate) fn new(session: Session) -> Self {
        Self {
            leave: Arc::default(),
            most: session.config.server.max_runs,
            order: RandomIds.suffix(),
            adopting: Arc::new(Semaphore::new(SIDE_BY_SIDE)),
            book: Mutex::default(),
            session,
        }
    }

    /// What lets a driver go when the keeper lets go.
    pub(crate) fn follower(&self) -> Arc<dyn Follower> {
        Arc::new(Leaves { all: Arc::clone(&self.leave), this: Arc::default() })
    }

    /// How many runs it drives, or is about to.
    pub(crate) fn count(&self) -> usize {
        self.book().count()
    }

    /// Says whether it is letting go of its runs.
    pub(crate) fn is_draining(&self) -> bool {
        self.leave.load(Ordering::SeqCst)
    }

    /// Drives a new run to its end. A staged one is nobody's until somebody asks something of it: then it can
    /// be withdrawn as well. Where this process drives enough already, the run is left to whoever is free.
    pub(crate) fn drive(self: &Arc<Self>, driver: Driver) {
        if self.count() >= self.most {
            let run = driver.state().created.run.clone();
            tracing::info!(%run, most = self.most, "drives enough: left to whoever is free");
            tokio::spawn(async move {
                if let Err(error) = driver.let_go().await {
                    tracing::warn!(%run, %error, "not given back");
                }
            });
            return;
        }
        let staged = driver.state().status == RunStatus::Staged;
        self.drive_until(driver, if staged { Stop::AtPerson } else { Stop::Never });
    }

    fn drive_until(self: &Arc<Self>, driver: Driver, stop: Stop) {
        let run = driver.state().created.run.clone();
        let (keeper, id) = (Arc::clone(self), run.clone());
        let follower = Leaves { all: Arc::clone(&self.leave), this: self.book().drives(run) };
        tokio::spawn(async move {
            match driver.drive(&follower, stop).await {
                Ok((_, state)) => tracing::info!(run = %id, status = %state.status, "run let go"),
                Err(error) => {
                    tracing::error!(run = %id, %error, "run not driven on");
                    keeper.book().later(&id, patience(&error));
                }
            }
            keeper.book().ended(&id);
        });
    }

    /// Takes over whatever nobody drives, until told to let go.
    pub(crate) async fn watch(self: Arc<Self>) {
        while !self.is_draining() {
            if let Err(error) = self.sweep().await {
                tracing::error!(error = %error.message, "the list of runs cannot be read");
                tokio::time::sleep(SOON.to_std()).await;
            }
            tokio::time::sleep(REST).await;
            self.session.journal.changed(LOOK).await;
        }
    }

    /// Takes over open runs that nobody drives: as many as this process has room for, and no more than its
    /// share where other nodes are there to take the rest.
    ///
    /// # Errors
    /// When the list of runs cannot be read.
    pub(crate) async fn sweep(self: &Arc<Self>) -> Result<(), Error> {
        let found = self.session.journal.free(TURN).await?;
        self.book().keep_only(&found);
        let mut free = Vec::new();
        for summary in found {
            if !self.book().is_known(&summary.run) && self.has_work(&summary).await? {
                free.push(summary);
            }
        }
        if free.is_empty() {
            return Ok(());
        }
        let nodes = self.session.journal.nodes().await?;
        let drives = share::Drives { mine: self.count(), most: self.most };
        let waited = |run: &RunId| self.book().waits(run);
        for summary in share::mine(free, &nodes, drives, &self.order, waited) {
            if self.is_draining() {
                break;
            }
            self.adopt(summary);
        }
        Ok(())
    }

    /// Says whether a run needs a driver: a staged one does when something is asked of it, or its time is up.
    async fn has_work(&self, summary: &RunSummary) -> Result<bool, Error> {
        let run = &summary.run;
        if summary.status != RunStatus::Staged || !self.session.journal.inbox(run).await?.is_empty() {
            return Ok(true);
        }
        let known = self.book().staged_until(run);
        let until = if let Some(until) = known {
            until
        } else {
            let loaded = runtime::load(self.session.journal.as_ref(), run).await?;
            let until = loaded.state.created.staged_until.unwrap_or(Timestamp::from_millis(0));
            self.book().staged(run, until);
            until
        };
        Ok(until <= now())
    }

    fn adopt(self: &Arc<Self>, summary: RunSummary) {
        self.book().adopts(&summary.run);
        let keeper = Arc::clone(self);
        tokio::spawn(async move {
            keeper.taken(&summary).await;
            keeper.book().adopted(&summary.run);
        });
    }

    async fn taken(self: &Arc<Self>, summary: &RunSummary) {
        let run = &summary.run;
        if self.is_draining() {
            return;
        }
        if summary.intent == Intent::Simulate && self.is_of_a_terminal(run).await {
            self.book().leave_to_others(run);
            return;
        }
        match self.take_over(run).await {
            Ok(driver) if self.is_draining() => drop(driver.let_go().await),
            Ok(driver) => {
                tracing::info!(%run, "nobody drove it: taken over");
                self.drive_until(driver, Stop::Never);
            }
            Err(error) if error.reason == Some("run_held") => {
                tracing::debug!(%run, "another process was quicker");
            }
            Err(error) => {
                tracing::warn!(%run, error = %error.message, "cannot be taken over");
                let journal = matches!(error.reason, Some("journal_unavailable" | "lease_lapsed" | "fenced"));
                self.book().later(run, if journal { SOON } else { AGAIN });
            }
        }
    }

    /// Leases are taken at once, all that it wants; what takes longer is done for some runs at a time.
    async fn take_over(&self, run: &RunId) -> Result<Driver, Error> {
        let token = self.session.journal.grant(run).await?;
        let _turn = self.adopting.acquire().await;
        takeover::granted(&self.session, run, token, BTreeMap::new(), None).await
    }

    /// A simulation at a terminal is that terminal's own, whether or not it goes on.
    async fn is_of_a_terminal(&self, run: &RunId) -> bool {
        let loaded = runtime::load(self.session.journal.as_ref(), run).await;
        loaded.is_ok_and(|loaded| loaded.state.created.trigger == "cli")
    }

    /// Lets every run go, and waits for that at most so long. Steps that are under way are found again by
    /// whoever goes on.
    pub(crate) async fn drain(&self, within: Duration) -> usize {
        self.leave.store(true, Ordering::SeqCst);
        let until = tokio::time::Instant::now() + within.to_std();
        while self.count() > 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
        self.count()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a run is left alone after its driver could not go on. One whose lease was lost is free for
/// everybody, this process as well.
fn patience(error: &runtime::Error) -> Duration {
    match error {
        runtime::Error::Journal(JournalError::Fenced { .. } | JournalError::Lapsed { .. }) => Duration::ZERO,
        runtime::Error::Journal(JournalError::Unavailable(_) | JournalError::Conflict { .. }) => SOON,
        _ => AGAIN,
    }
}

/// A follower that leaves its run to others when it is told to.
struct Leaves {
    all: Arc<AtomicBool>,
    this: Arc<AtomicBool>,
}

impl Follower for Leaves {
    fn recorded(&self, _: &IndexedPlan, _: &RunState, _: &[Recorded]) {}
    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}
    fn wants_to_leave(&self) -> bool {
        self.all.load(Ordering::SeqCst) || self.this.load(Ordering::SeqCst)
    }
}
