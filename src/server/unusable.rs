//! Runbooks that a server cannot use, told in its log when that changes and not at every look.

use std::collections::BTreeSet;

use crate::app::launch::source::Broken;

/// What could not be used at the last look.
pub(super) struct Unusable {
    /// What comes of it.
    then: &'static str,
    known: BTreeSet<Broken>,
}

impl Unusable {
    /// None so far. `then`: what comes of a runbook that cannot be used.
    pub(super) fn of(then: &'static str) -> Self {
        Self { then, known: BTreeSet::new() }
    }

    /// Tells what has changed since the last look.
    pub(super) fn are(&mut self, now: Vec<Broken>) {
        let now: BTreeSet<_> = now.into_iter().collect();
        for Broken { path, why } in now.difference(&self.known) {
            tracing::error!(path = %path.display(), why, "{}", self.then);
        }
        for Broken { path, .. } in self.known.difference(&now) {
            if !now.iter().any(|it| it.path == *path) {
                tracing::info!(path = %path.display(), "nothing keeps it from being used any more");
            }
        }
        self.known = now;
    }
}
