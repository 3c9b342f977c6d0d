//! Keeps runs going for a process that stays: drives the runs it began, and goes on with every run whose
//! driver is gone. Never drives a run that somebody else drives, and lets all of them go when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::launch::takeover::take_over;
use super::{Error, Session, now};
use crate::engine::{IndexedPlan, RunState};
use crate::model::id::RunId;
use crate::model::run::{Intent, RunStatus};
use crate::model::time::{Duration, Timestamp};
use crate::plan::NodeIndex;
use crate::ports::{RunFilter, RunSummary};
use crate::runtime::{self, Driver, Follower, Recorded, Stop};

/// The longest pause between two looks for runs that nobody drives.
const LOOK: Duration = Duration::from_secs(1);
/// How long a run that could not be taken over is left alone.
const AGAIN: Duration = Duration::from_secs(30);
/// How often a drain looks whether all runs were let go.
const DRAIN_LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// Drives runs.
pub(crate) struct Keeper {
    session: Session,
    leave: Arc<AtomicBool>,
    book: Mutex<Book>,
}

/// What the keeper knows of runs.
#[derive(Default)]
struct Book {
    driven: BTreeMap<RunId, JoinHandle<()>>,
    /// Runs that could not be taken over, and when that is tried again.
    later: BTreeMap<RunId, Timestamp>,
    /// Simulated runs of somebody's terminal.
    others: BTreeSet<RunId>,
}

impl Keeper {
    /// Makes one that takes runs over in the name of a session.
    pub(crate) fn new(session: Session) -> Self {
        Self { session, leave: Arc::default(), book: Mutex::default() }
    }

    /// What lets a driver go when the keeper lets go.
    pub(crate) fn follower(&self) -> Arc<dyn Follower> {
        Arc::new(Leaves(Arc::clone(&self.leave)))
    }

    /// How many runs it drives.
    pub(crate) fn count(&self) -> usize {
        self.book().driven.len()
    }

    /// Says whether it is letting go of its runs.
    pub(crate) fn is_draining(&self) -> bool {
        self.leave.load(Ordering::SeqCst)
    }

    /// Drives a new run to its end. A staged one is nobody's until somebody asks something of it: then it can
    /// be withdrawn as well.
    pub(crate) fn drive(self: &Arc<Self>, driver: Driver) {
        let staged = driver.state().status == RunStatus::Staged;
        self.drive_until(driver, if staged { Stop::AtPerson } else { Stop::Never });
    }

    fn drive_until(self: &Arc<Self>, driver: Driver, stop: Stop) {
        let run = driver.state().created.run.clone();
        let (keeper, id) = (Arc::clone(self), run.clone());
        // Held until the task is in the book, so that it cannot be struck out before it was put in.
        let mut book = self.book();
        let task = tokio::spawn(async move {
            let follower = Leaves(Arc::clone(&keeper.leave));
            match driver.drive(&follower, stop).await {
                Ok((_, state)) => tracing::info!(run = %id, status = %state.status, "run let go"),
                Err(error) => {
                    tracing::error!(run = %id, %error, "run not driven on");
                    keeper.book().later.insert(id.clone(), now().plus(AGAIN));
                }
            }
            keeper.book().driven.remove(&id);
        });
        book.driven.insert(run, task);
    }

    /// Takes over whatever nobody drives, until told to let go.
    pub(crate) async fn watch(self: Arc<Self>) {
        while !self.is_draining() {
            if let Err(error) = self.sweep().await {
                tracing::error!(error = %error.message, "the list of runs cannot be read");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            self.session.journal.changed(LOOK).await;
        }
    }

    /// Takes over every open run that nobody drives.
    ///
    /// # Errors
    /// When the list of runs cannot be read.
    pub(crate) async fn sweep(self: &Arc<Self>) -> Result<(), Error> {
        let filter = RunFilter { open: true, outermost: true, simulated: true, ..RunFilter::default() };
        for summary in self.session.journal.runs(&filter).await? {
            if self.is_draining() {
                break;
            }
            let free = !self.is_known(&summary.run) && !self.is_driven(&summary.run).await?;
            if free && self.has_work(&summary).await? {
                self.adopt(&summary).await;
            }
        }
        Ok(())
    }

    fn is_known(&self, run: &RunId) -> bool {
        let book = self.book();
        let waits = book.later.get(run).is_some_and(|at| *at > now());
        waits || book.driven.contains_key(run) || book.others.contains(run)
    }

    async fn is_driven(&self, run: &RunId) -> Result<bool, Error> {
        let lease = self.session.journal.lease(run).await?;
        Ok(lease.is_some_and(|lease| lease.alive && lease.holder.is_some()))
    }

    /// Says whether a run needs a driver: a staged one does when something is asked of it, or its time is up.
    async fn has_work(&self, summary: &RunSummary) -> Result<bool, Error> {
        if summary.status != RunStatus::Staged || !self.session.journal.inbox(&summary.run).await?.is_empty()
        {
            return Ok(true);
        }
        let loaded = runtime::load(self.session.journal.as_ref(), &summary.run).await?;
        Ok(loaded.state.created.staged_until.is_none_or(|until| until <= now()))
    }

    async fn adopt(self: &Arc<Self>, summary: &RunSummary) {
        let run = &summary.run;
        if summary.intent == Intent::Simulate && self.is_of_a_terminal(run).await {
            self.book().others.insert(run.clone());
            return;
        }
        match take_over(&self.session, run, BTreeMap::new(), None).await {
            Ok(driver) => {
                tracing::info!(%run, "nobody drove it: taken over");
                self.drive_until(driver, Stop::Never);
            }
            Err(error) => {
                tracing::warn!(%run, error = %error.message, "cannot be taken over");
                self.book().later.insert(run.clone(), now().plus(AGAIN));
            }
        }
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

/// A follower that leaves its run to others when it is told to.
struct Leaves(Arc<AtomicBool>);

impl Follower for Leaves {
    fn recorded(&self, _: &IndexedPlan, _: &RunState, _: &[Recorded]) {}
    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}
    fn wants_to_leave(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
