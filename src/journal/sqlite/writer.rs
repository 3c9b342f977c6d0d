//! The only thread of a process that writes: takes everything that waits, makes one transaction of it,
//! commits once, then answers all. Never delays a commit to gather more, and never retries one that failed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::fault::{Fault, Place, has_no_room};
use super::{append, format};
use crate::journal::changes::Changes;
use crate::journal::record::Tip;
use crate::ports::JournalError;

/// Most pieces of work in one transaction.
const BATCH: usize = 1_024;
/// Most pieces of work that wait; further callers wait before they may queue.
const QUEUE: usize = 4_096;
/// After this long without work the log is copied back.
const IDLE: Duration = Duration::from_millis(200);
/// How long the thread stays awake for the next job.
const ALERT: Duration = Duration::from_micros(60);

/// A transaction under way.
pub(super) struct Ledger<'c> {
    pub(super) connection: &'c Connection,
    pub(super) place: &'c Place,
    /// Where the journal ends, with what this transaction has added.
    pub(super) tip: Tip,
}

/// Hands work to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    permits: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
    syncs: Arc<AtomicU64>,
    place: Place,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        place: Place,
        changes: Arc<Changes>,
    ) -> Result<Self, JournalError> {
        let (sender, receiver) = mpsc::channel();
        let syncs = Arc::new(AtomicU64::new(0));
        let writing =
            Writing { connection, place: place.clone(), changes, syncs: Arc::clone(&syncs), stopped: None };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writing.run(&receiver))
            .map_err(|error| place.unavailable(&format!("its writer could not be started ({error})")))?;
        let permits = Arc::new(Semaphore::new(QUEUE));
        Ok(Self { queue: Some(sender), permits, thread: Some(thread), syncs, place })
    }

    /// Does a piece of work, all or nothing, in a transaction shared with whatever else waits. Durable when
    /// it returns.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Ledger<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let gone = || self.place.unavailable("its writer has stopped; start drctl again");
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| gone())?;
        let (reply, answer) = oneshot::channel();
        let task = Task { work: Some(work), outcome: None, reply, _permit: permit };
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Box::new(task)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Commits so far; each is one sync of the log.
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    /// Lets the thread finish what is queued, so that nothing of this journal goes on behind its back.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A piece of work in the queue.
trait Job: Send {
    /// Does it, inside the transaction; keeps the outcome. Returns why when it came to nothing.
    fn work(&mut self, ledger: &mut Ledger<'_>) -> Option<JournalError>;
    /// Tells the outcome, or why the transaction as a whole came to nothing.
    fn answer(self: Box<Self>, failure: Option<JournalError>);
}

struct Task<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, JournalError>>,
    reply: oneshot::Sender<Result<T, JournalError>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Ledger<'_>) -> Result<T, Fault> + Send,
{
    fn work(&mut self, ledger: &mut Ledger<'_>) -> Option<JournalError> {
        let work = self.work.take()?;
        let outcome = ledger.guarded(work).map_err(|fault| ledger.place.explain(fault));
        let failure = outcome.as_ref().err().cloned();
        self.outcome = Some(outcome);
        failure
    }

    fn answer(self: Box<Self>, failure: Option<JournalError>) {
        let outcome = match (self.outcome, failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => return,
        };
        // Nobody waits any more: the caller has given up, the work is done all the same.
        let _ = self.reply.send(outcome);
    }
}

impl Ledger<'_> {
    /// Runs a cached statement without parameters.
    fn run(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    /// Does a piece of work so that it leaves nothing behind when it fails.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let tip = self.tip.clone();
        self.run("savepoint job")?;
        let outcome = work(self);
        if outcome.is_err() {
            self.tip = tip;
            if self.connection.is_autocommit() {
                return outcome;
            }
            self.run("rollback to job")?;
        }
        self.run("release job")?;
        outcome
    }
}

/// Waits for the next job. `None`: there will be no more; `Some(None)`: nothing came for a while, and the log
/// has something to copy back.
#[expect(clippy::option_option, reason = "the end of the queue, and nothing to do for now")]
fn next(queue: &mpsc::Receiver<Box<dyn Job>>, dirty: bool) -> Option<Option<Box<dyn Job>>> {
    if !dirty {
        return queue.recv().ok().map(Some);
    }
    // The last answer most likely leads to the next job: falling asleep and being woken takes longer than a
    // run needs to decide what follows.
    let start = Instant::now();
    while start.elapsed() < ALERT {
        if let Ok(job) = queue.try_recv() {
            return Some(Some(job));
        }
        std::hint::spin_loop();
    }
    match queue.recv_timeout(IDLE) {
        Ok(job) => Some(Some(job)),
        Err(mpsc::RecvTimeoutError::Timeout) => Some(None),
        Err(mpsc::RecvTimeoutError::Disconnected) => None,
    }
}

struct Writing {
    connection: Connection,
    place: Place,
    changes: Arc<Changes>,
    syncs: Arc<AtomicU64>,
    /// Why nothing is written any more.
    stopped: Option<JournalError>,
}

impl Writing {
    fn run(mut self, queue: &mpsc::Receiver<Box<dyn Job>>) {
        let (mut dirty, mut written) = (false, false);
        while let Some(next) = next(queue, dirty) {
            let Some(first) = next else {
                self.checkpoint();
                dirty = false;
                continue;
            };
            let mut jobs = vec![first];
            jobs.extend(queue.try_iter().take(BATCH - 1));
            dirty |= self.batch(jobs);
            written |= dirty;
        }
        if written {
            self.settle();
        }
    }

    /// Returns whether something was written.
    fn batch(&mut self, mut jobs: Vec<Box<dyn Job>>) -> bool {
        let outcome = match &self.stopped {
            Some(why) => Err(why.clone()),
            None => self.transaction(&mut jobs),
        };
        if !self.connection.is_autocommit() && self.connection.execute_batch("rollback").is_err() {
            self.stop("a transaction could not be rolled back");
        }
        if matches!(outcome, Ok(true)) {
            self.syncs.fetch_add(1, Ordering::Relaxed);
            self.changes.bump();
        }
        let failure = outcome.as_ref().err();
        for job in jobs {
            job.answer(failure.cloned());
        }
        matches!(outcome, Ok(true))
    }

    fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<bool, JournalError> {
        let explain = |error: rusqlite::Error| self.place.explain_sqlite(&error);
        let before = self.connection.total_changes();
        let begin = self.connection.prepare_cached("begin immediate");
        begin.and_then(|mut begin| begin.execute([])).map_err(explain)?;
        let tip = append::tip(&self.connection).map_err(explain)?;
        let mut ledger = Ledger { connection: &self.connection, place: &self.place, tip: tip.clone() };
        for job in jobs {
            let failure = job.work(&mut ledger);
            // SQLite itself has rolled everything back, as it may when the disk is full.
            if self.connection.is_autocommit() {
                let why = || self.place.unavailable("the transaction was rolled back, nothing was written");
                return Err(failure.unwrap_or_else(why));
            }
        }
        if ledger.tip != tip {
            append::store_tip(&self.connection, &ledger.tip).map_err(explain)?;
        }
        let wrote = self.connection.total_changes() != before;
        let commit = self.connection.prepare_cached("commit").and_then(|mut commit| commit.execute([]));
        match commit {
            Ok(_) => Ok(wrote),
            // Nothing was synced yet: the log simply could not be extended. Space may come back.
            Err(error) if has_no_room(&error) => Err(self.place.explain_sqlite(&error)),
            Err(error) => Err(self.stop(&format!("a commit failed ({error})"))),
        }
    }

    /// After a failed sync nobody knows what the disk holds, and asking again would lie: the kernel has
    /// dropped the pages. Only opening the file anew tells.
    fn stop(&mut self, what: &str) -> JournalError {
        let why = self.place.unavailable(&format!(
            "{what}; this process writes nothing any more, whether the last facts are stored shows when the \
             journal is opened again: check the disk, then start drctl again"
        ));
        self.stopped = Some(why.clone());
        why
    }

    fn checkpoint(&self) -> bool {
        // A checkpoint is housekeeping: what hinders it will hinder a commit, and that one speaks up.
        self.stopped.is_none()
            && self.connection.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(())).is_ok()
    }

    /// Copies the whole log back and begins it anew, so that the next process to open the file has nothing to
    /// replay.
    fn settle(&self) {
        // Whoever else is writing will settle the log; the end of this process does not wait for them.
        let patience = self.connection.busy_timeout(Duration::ZERO);
        if patience.is_ok() && self.checkpoint() {
            let _ = self.connection.execute_batch(format::RESTART_LOG);
        }
    }
}
