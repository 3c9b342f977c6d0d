//! What a keeper knows of runs: which it drives, and which it leaves alone. Drives nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::app::now;
use crate::model::id::RunId;
use crate::model::time::{Duration, Timestamp};
use crate::ports::RunSummary;

/// What the keeper knows of runs.
#[derive(Default)]
pub(super) struct Book {
    /// With what tells the driver to leave.
    driven: BTreeMap<RunId, Arc<AtomicBool>>,
    /// Runs that are about to be taken over.
    adopting: BTreeSet<RunId>,
    /// Runs that could not be taken over, and when that is tried again.
    later: BTreeMap<RunId, Timestamp>,
    /// Simulated runs of somebody's terminal.
    others: BTreeSet<RunId>,
    /// Until when staged runs wait.
    staged: BTreeMap<RunId, Timestamp>,
    /// Since when a run is free that was left to other nodes.
    left: BTreeMap<RunId, Instant>,
}

impl Book {
    /// How many runs are driven, or about to be.
    pub(super) fn count(&self) -> usize {
        self.adopting.iter().filter(|run| !self.driven.contains_key(*run)).count() + self.driven.len()
    }

    /// A run is driven; the flag tells its driver to leave.
    pub(super) fn drives(&mut self, run: RunId) -> Arc<AtomicBool> {
        let leave = Arc::new(AtomicBool::new(false));
        self.driven.insert(run, Arc::clone(&leave));
        leave
    }

    pub(super) fn ended(&mut self, run: &RunId) {
        self.driven.remove(run);
    }

    pub(super) fn adopts(&mut self, run: &RunId) {
        self.adopting.insert(run.clone());
    }

    pub(super) fn adopted(&mut self, run: &RunId) {
        self.adopting.remove(run);
    }

    /// A run is left alone for a while.
    pub(super) fn later(&mut self, run: &RunId, after: Duration) {
        if after > Duration::ZERO {
            self.later.insert(run.clone(), now().plus(after));
        }
    }

    /// A run is left alone for ever.
    pub(super) fn leave_to_others(&mut self, run: &RunId) {
        self.others.insert(run.clone());
    }

    /// Says whether a run is driven here or left alone.
    pub(super) fn is_known(&self, run: &RunId) -> bool {
        let waits = self.later.get(run).is_some_and(|at| *at > now());
        let mine = self.driven.contains_key(run) || self.adopting.contains(run);
        waits || mine || self.others.contains(run)
    }

    pub(super) fn staged(&mut self, run: &RunId, until: Timestamp) {
        self.staged.insert(run.clone(), until);
    }

    /// Until when a staged run waits; absent: not known.
    pub(super) fn staged_until(&self, run: &RunId) -> Option<Timestamp> {
        self.staged.get(run).copied()
    }

    /// How long a run has been free since it was first left to other nodes.
    pub(super) fn waits(&mut self, run: &RunId) -> std::time::Duration {
        self.left.entry(run.clone()).or_insert_with(Instant::now).elapsed()
    }

    /// Forgets what it knew of free runs that are free no longer. A driver whose run is free has lost its
    /// lease: one that waits for a person would not notice before it has something to record.
    pub(super) fn keep_only(&mut self, free: &[RunSummary]) {
        let free: BTreeSet<&RunId> = free.iter().map(|summary| &summary.run).collect();
        for (_, leave) in self.driven.iter().filter(|(run, _)| free.contains(run)) {
            leave.store(true, Ordering::SeqCst);
        }
        self.left.retain(|run, _| free.contains(run));
        self.staged.retain(|run, _| free.contains(run));
        self.others.retain(|run| free.contains(run));
        self.later.retain(|_, at| *at > now());
    }
}
