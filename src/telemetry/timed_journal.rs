//! A journal that is measured: how long appends take, and how many wait. Adds nothing to what it says.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::metrics::Metrics;
use crate::engine::input::Request;
use crate::model::id::RunId;
use crate::model::time::{Duration, Timestamp};
use crate::ports::{
    Append, BoxFuture, Checkpoint, Head, Journal, JournalAdmin, JournalError, Lease, Node, NodeFacts, Part,
    Record, RunFilter, RunSummary, StreamName, Takeover, Verification,
};

/// A journal whose appends are measured.
pub struct TimedJournal {
    journal: Arc<dyn JournalAdmin>,
    metrics: Arc<Metrics>,
}

impl TimedJournal {
    /// Measures a journal.
    #[must_use]
    pub fn new(journal: Arc<dyn JournalAdmin>, metrics: Arc<Metrics>) -> Self {
        Self { journal, metrics }
    }
}

/// An append under way; one that is given up counts as refused.
struct UnderWay<'a> {
    metrics: &'a Metrics,
    began: Instant,
    ok: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.metrics.append_answered(self.began.elapsed(), self.ok);
    }
}

impl Journal for TimedJournal {
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<Vec<Head>, JournalError>> {
        Box::pin(async move {
            self.metrics.append_begun();
            let mut under_way = UnderWay { metrics: &self.metrics, began: Instant::now(), ok: false };
            let answer = self.journal.append(appends).await;
            under_way.ok = answer.is_ok();
            answer
        })
    }

    fn read<'a>(
        &'a self,
        stream: &'a StreamName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, JournalError>> {
        self.journal.read(stream, after, limit)
    }

    fn read_after(&self, position: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        self.journal.read_after(position, limit)
    }

    fn checkpoint<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Checkpoint>, JournalError>> {
        self.journal.checkpoint(run)
    }

    fn blob<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, JournalError>> {
        self.journal.blob(digest)
    }

    fn grant<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<u64, JournalError>> {
        self.journal.grant(run)
    }

    fn confirm<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        self.journal.confirm(run, token)
    }

    fn undriven(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
        self.journal.undriven(limit)
    }

    fn free(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
        self.journal.free(limit)
    }

    fn announce<'a>(&'a self, node: &'a NodeFacts) -> BoxFuture<'a, Result<(), JournalError>> {
        self.journal.announce(node)
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.journal.withdraw()
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<Node>, JournalError>> {
        self.journal.nodes()
    }

    fn takeovers(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Takeover>, JournalError>> {
        self.journal.takeovers(limit)
    }

    fn release<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        self.journal.release(run, token)
    }

    fn lease<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Lease>, JournalError>> {
        self.journal.lease(run)
    }

    fn submit<'a>(&'a self, run: &'a RunId, request: &'a Request) -> BoxFuture<'a, Result<(), JournalError>> {
        self.journal.submit(run, request)
    }

    fn inbox<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Vec<Request>, JournalError>> {
        self.journal.inbox(run)
    }

    fn summary<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<RunSummary>, JournalError>> {
        self.journal.summary(run)
    }

    fn runs<'a>(&'a self, filter: &'a RunFilter) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        self.journal.runs(filter)
    }

    fn changed(&self, within: Duration) -> BoxFuture<'_, ()> {
        self.journal.changed(within)
    }
}

impl JournalAdmin for TimedJournal {
    fn dump(&self, into: tokio::sync::mpsc::Sender<Part>) -> BoxFuture<'_, Result<String, JournalError>> {
        self.journal.dump(into)
    }

    fn fill(&self, part: Part) -> BoxFuture<'_, Result<(), JournalError>> {
        self.journal.fill(part)
    }

    fn verify(&self) -> BoxFuture<'_, Result<Verification, JournalError>> {
        self.journal.verify()
    }

    fn backup<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<(), JournalError>> {
        self.journal.backup(path)
    }

    fn streams<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<StreamName>, JournalError>> {
        self.journal.streams(prefix)
    }

    fn prune(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        self.journal.prune(before, now)
    }

    fn prune_streams(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        self.journal.prune_streams(before, now)
    }

    fn describe(&self) -> String {
        self.journal.describe()
    }
}
