//! The connection that writes, and the work done on it: some jobs, one transaction, one commit. Never retries
//! a commit that failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::fault::{Fault, Place, has_no_room};
use super::known::Known;
use super::{append, format};
use crate::journal::changes::Changes;
use crate::ports::JournalError;

/// A transaction under way.
pub(super) struct Ledger<'c> {
    pub(super) connection: &'c Connection,
    pub(super) place: &'c Place,
    /// Where everything ends, with what this transaction has added.
    pub(super) known: &'c mut Known,
}

/// What a piece of work has left in its transaction.
pub(super) enum Worked {
    /// All of it, or nothing.
    Done,
    /// A part: the transaction must be rolled back.
    Spoilt,
}

/// Why a transaction came to nothing.
enum Failed {
    /// One of its jobs spoilt it.
    Spoilt,
    /// The store failed.
    Store(JournalError),
}

/// What a piece of work is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// It survives a power cut once it is answered.
    Real,
    /// It is about a simulation: the next transaction of worth takes it to the disk.
    Simulated,
}

/// A piece of work in the queue.
pub(super) trait Job: Send {
    /// What it is worth.
    fn worth(&self) -> Worth;
    /// Does it, inside the transaction; keeps the outcome.
    fn work(&mut self, ledger: &mut Ledger<'_>) -> Worked;
    /// Tells the outcome, or why the transaction as a whole came to nothing.
    fn answer(self: Box<Self>, failure: Option<JournalError>);
}

/// A piece of work, and who waits for its outcome.
pub(super) struct Task<T, F> {
    worth: Worth,
    work: F,
    outcome: Option<Result<T, JournalError>>,
    reply: oneshot::Sender<Result<T, JournalError>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, F> Task<T, F> {
    /// `permit` is its place in the queue.
    pub(super) fn new(
        worth: Worth,
        work: F,
        reply: oneshot::Sender<Result<T, JournalError>>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { worth, work, outcome: None, reply, _permit: permit }
    }
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&mut Ledger<'_>) -> Result<T, Fault> + Send,
{
    fn worth(&self) -> Worth {
        self.worth
    }

    fn work(&mut self, ledger: &mut Ledger<'_>) -> Worked {
        let before = ledger.connection.total_changes();
        let outcome = (self.work)(ledger);
        let worked = match &outcome {
            Ok(_) => Worked::Done,
            Err(Fault::Refused(_)) if ledger.connection.total_changes() == before => Worked::Done,
            Err(_) => Worked::Spoilt,
        };
        self.outcome = Some(outcome.map_err(|fault| ledger.place.explain(fault)));
        worked
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

/// The connection that writes, with what it must remember.
pub(super) struct Writing {
    connection: Connection,
    place: Place,
    changes: Arc<Changes>,
    syncs: Arc<AtomicU64>,
    known: Known,
    /// Why nothing is written any more.
    stopped: Option<JournalError>,
    /// When something was last written that the log has not given back.
    dirty: Option<Instant>,
    /// Whether anything was written at all.
    written: bool,
    /// What the next commit takes to the disk.
    synced: Worth,
}

impl Writing {
    pub(super) fn new(
        connection: Connection,
        place: Place,
        changes: Arc<Changes>,
        syncs: Arc<AtomicU64>,
    ) -> Self {
        let (known, stopped) = (Known::nothing(), None);
        Self {
            connection,
            place,
            changes,
            syncs,
            known,
            stopped,
            dirty: None,
            written: false,
            synced: Worth::Real,
        }
    }

    /// Does some jobs in one transaction, waiting for other processes, and answers them.
    pub(super) fn batch(&mut self, jobs: Vec<Box<dyn Job>>) {
        let begun = match &self.stopped {
            Some(why) => Err(why.clone()),
            None => self.begin(&jobs).map_err(|error| self.place.explain_sqlite(&error)),
        };
        match begun {
            Ok(()) => self.finish(jobs),
            Err(why) => jobs.into_iter().for_each(|job| job.answer(Some(why.clone()))),
        }
    }

    /// Does one job and answers it, unless another process is writing just now: then gives it back.
    pub(super) fn at_once(&mut self, job: Box<dyn Job>) -> Option<Box<dyn Job>> {
        if self.stopped.is_some() || self.connection.busy_timeout(Duration::ZERO).is_err() {
            return Some(job);
        }
        let begun = self.begin(std::slice::from_ref(&job));
        // Without its patience the connection would fail where it need not: then it does not write at all.
        if let Err(error) = format::wait_for_others(&mut self.connection) {
            self.stop(&format!("the store could not be asked to wait for others ({error})"));
            return Some(job);
        }
        match begun {
            Ok(()) => {
                self.finish(vec![job]);
                None
            }
            Err(_) => Some(job),
        }
    }

    /// Whether the log holds what it has not given back.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.is_some()
    }

    /// Copies the log back when nothing was written for a while. Returns whether there is still something to
    /// copy.
    pub(super) fn tidy(&mut self, idle: Duration) -> bool {
        if self.dirty.is_some_and(|last| last.elapsed() >= idle) {
            self.checkpoint();
            self.dirty = None;
        }
        self.is_dirty()
    }

    /// Copies the whole log back and begins it anew, so that the next process to open the file has nothing to
    /// replay.
    pub(super) fn settle(&self) {
        // Whoever else is writing will settle the log; the end of this process does not wait for them.
        let at_once = self.connection.busy_timeout(Duration::ZERO);
        if self.written && at_once.is_ok() && self.checkpoint() {
            let _ = self.connection.execute_batch(format::RESTART_LOG);
        }
    }

    fn begin(&mut self, jobs: &[Box<dyn Job>]) -> Result<(), rusqlite::Error> {
        let simulated = jobs.iter().all(|job| job.worth() == Worth::Simulated);
        let worth = if simulated { Worth::Simulated } else { Worth::Real };
        if worth != self.synced {
            let pragma = match worth {
                Worth::Real => "pragma synchronous = full",
                Worth::Simulated => "pragma synchronous = normal",
            };
            self.connection.execute_batch(pragma)?;
            self.synced = worth;
        }
        self.connection.prepare_cached("begin immediate")?.execute([]).map(|_| ())
    }

    /// Does the jobs in the transaction that has begun.
    fn finish(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let outcome = self.transaction(&mut jobs);
        if outcome.is_err() {
            self.known.forget();
        }
        if !self.connection.is_autocommit() && self.connection.execute_batch("rollback").is_err() {
            self.stop("a transaction could not be rolled back");
        }
        if matches!(outcome, Err(Failed::Spoilt)) && jobs.len() > 1 {
            // Nobody shall fail for another's work: each once more, alone.
            return jobs.into_iter().for_each(|job| self.batch(vec![job]));
        }
        if matches!(outcome, Ok(true)) {
            self.syncs.fetch_add(1, Ordering::Relaxed);
            self.changes.bump();
            (self.dirty, self.written) = (Some(Instant::now()), true);
        }
        let failure = match &outcome {
            Err(Failed::Store(why)) => Some(why),
            Err(Failed::Spoilt) | Ok(_) => None,
        };
        for job in jobs {
            job.answer(failure.cloned());
        }
    }

    /// Returns whether something was written.
    fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<bool, Failed> {
        let explain = |error: rusqlite::Error| Failed::Store(self.place.explain_sqlite(&error));
        let before = self.connection.total_changes();
        self.known.refresh(&self.connection).map_err(explain)?;
        let tip = self.known.tip.clone();
        let mut ledger = Ledger { connection: &self.connection, place: &self.place, known: &mut self.known };
        for job in jobs {
            match job.work(&mut ledger) {
                Worked::Done => {}
                Worked::Spoilt => return Err(Failed::Spoilt),
            }
        }
        if self.known.tip != tip {
            append::store_tip(&self.connection, &self.known.tip).map_err(explain)?;
        }
        let wrote = self.connection.total_changes() != before;
        let commit = self.connection.prepare_cached("commit").and_then(|mut commit| commit.execute([]));
        match commit {
            Ok(_) => Ok(wrote),
            // Nothing was synced yet: the log simply could not be extended. Space may come back.
            Err(error) if has_no_room(&error) => Err(Failed::Store(self.place.explain_sqlite(&error))),
            Err(error) => Err(Failed::Store(self.stop(&format!("a commit failed ({error})")))),
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
}
