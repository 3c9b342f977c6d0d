//! Brings work to the connection that writes: to the only thread of a process that does so, which takes
//! everything that waits and commits once. Never delays a commit to gather more.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::fault::{Fault, Place};
use super::transaction::{Job, Ledger, Task, Worth, Writing};
use crate::journal::changes::Changes;
use crate::model::id::RunId;
use crate::ports::JournalError;

/// Most pieces of work in one transaction.
const BATCH: usize = 1_024;
/// Most pieces of work that wait; further callers wait before they may queue.
const QUEUE: usize = 4_096;
/// After this long without work the log is copied back.
const IDLE: Duration = Duration::from_millis(200);
/// A transaction that takes longer than this is not worth a caller's own time.
const QUICK: Duration = Duration::from_millis(1);

/// Hands work to the thread, or does it itself.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Message>>,
    permits: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    syncs: Arc<AtomicU64>,
    place: Place,
    /// Runs that this process drives.
    driven: Mutex<HashSet<RunId>>,
}

/// What the thread is told.
enum Message {
    Work(Box<dyn Job>),
    /// A caller has written, and the log will want to be copied back.
    Written,
}

/// What the thread and the callers share.
struct Shared {
    writing: Mutex<Writing>,
    /// The last transaction was for one caller, and quick.
    quick: AtomicBool,
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
        let writing = Writing::new(connection, place.clone(), changes, Arc::clone(&syncs));
        let shared = Arc::new(Shared { writing: Mutex::new(writing), quick: AtomicBool::new(true) });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || own.serve(&receiver))
            .map_err(|error| place.unavailable(&format!("its writer could not be started ({error})")))?;
        let permits = Arc::new(Semaphore::new(QUEUE));
        Ok(Self {
            queue: Some(sender),
            permits,
            thread: Some(thread),
            shared,
            syncs,
            place,
            driven: Mutex::default(),
        })
    }

    /// Does a piece of work, all or nothing, in a transaction shared with whatever else waits. Durable when
    /// it returns. It is done a second time, alone, when its transaction came to nothing.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnMut(&mut Ledger<'_>) -> Result<T, Fault> + Send + 'static,
    {
        self.run_for(Worth::Real, work).await
    }

    /// As [`Writer::run`], for work that may be worth less than a sync of the disk.
    pub(super) async fn run_for<T, F>(&self, worth: Worth, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnMut(&mut Ledger<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let gone = || self.place.unavailable("its writer has stopped; start drctl again");
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| gone())?;
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let job = Box::new(Task::new(worth, work, reply, permit));
        // With several runs the others go on while the thread commits, and what they bring meanwhile is
        // committed together.
        let done = if self.driven().len() > 1 { Done::Later(job) } else { self.shared.at_once(job) };
        let message = match done {
            Done::Later(job) => Some(Message::Work(job)),
            Done::First => Some(Message::Written),
            Done::Again => None,
        };
        if let Some(message) = message {
            queue.send(message).map_err(|_| gone())?;
        }
        answer.await.map_err(|_| gone())?
    }

    /// Runs that this process drives.
    pub(super) fn driven(&self) -> MutexGuard<'_, HashSet<RunId>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps everybody from the connection.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Drop + use<'_> {
        self.shared.writing()
    }

    /// Pieces of work that are not done yet.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        QUEUE - self.permits.available_permits()
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

/// What became of a caller's try to do its work itself.
enum Done {
    /// Nothing: the thread must do it.
    Later(Box<dyn Job>),
    /// Done, and the first to be written for a while.
    First,
    /// Done.
    Again,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("quick", &self.quick).finish_non_exhaustive()
    }
}

impl Shared {
    /// Does the work on the caller's thread when nobody else needs the connection and the disk is quick: to
    /// wake the thread and to be woken by it would take as long as the commit.
    fn at_once(&self, job: Box<dyn Job>) -> Done {
        if !self.quick.load(Ordering::Relaxed) {
            return Done::Later(job);
        }
        let mut writing = match self.writing.try_lock() {
            Ok(writing) => writing,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Done::Later(job),
        };
        let (start, dirty) = (Instant::now(), writing.is_dirty());
        let left = writing.at_once(job);
        self.quick.store(left.is_none() && start.elapsed() < QUICK, Ordering::Relaxed);
        match left {
            Some(job) => Done::Later(job),
            None if writing.is_dirty() && !dirty => Done::First,
            None => Done::Again,
        }
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn serve(&self, queue: &mpsc::Receiver<Message>) {
        let mut dirty = false;
        loop {
            match next(queue, dirty) {
                Ok(first) => {
                    let jobs: Vec<_> =
                        std::iter::once(first).chain(queue.try_iter()).take(BATCH).filter_map(job).collect();
                    dirty = self.batch(jobs);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => dirty = self.writing().tidy(IDLE),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        self.writing().settle();
    }

    /// Returns whether the log has something to copy back.
    fn batch(&self, jobs: Vec<Box<dyn Job>>) -> bool {
        let mut writing = self.writing();
        if !jobs.is_empty() {
            let (start, alone) = (Instant::now(), jobs.len() == 1);
            writing.batch(jobs);
            self.quick.store(alone && start.elapsed() < QUICK, Ordering::Relaxed);
        }
        writing.is_dirty()
    }
}

/// Waits for the next message; while the log has something to copy back, not for ever.
fn next(queue: &mpsc::Receiver<Message>, dirty: bool) -> Result<Message, mpsc::RecvTimeoutError> {
    if dirty {
        queue.recv_timeout(IDLE)
    } else {
        queue.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
    }
}

fn job(message: Message) -> Option<Box<dyn Job>> {
    match message {
        Message::Work(job) => Some(job),
        Message::Written => None,
    }
}
