//! The ports `Journal` and `JournalAdmin` on PostgreSQL: hands each call to the journal's thread. Holds no
//! SQL.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::batch::Submission;
use super::link::Target;
use super::thread::Purpose;
use super::writer::Waiting;
use super::{Core, PostgresJournal, PostgresUrl, admin, copy, inbox, lease, listen, nodes, read};
use crate::engine::input::Request;
use crate::journal::retention;
use crate::journal::rules::{self, Facts};
use crate::journal::{HolderFacts, OpenMode, postgres::schema};
use crate::model::id::RunId;
use crate::model::time::{Duration, Timestamp};
use crate::ports::{
    Append, BoxFuture, Checkpoint, Head, Journal, JournalAdmin, JournalError, Lease, Node, NodeFacts, Part,
    Record, RunFilter, RunSummary, StreamName, Takeover, Verification,
};

impl PostgresJournal {
    /// Microseconds that commits take here, in order; each is as durable as an append. Leaves no record.
    ///
    /// # Errors
    /// When the journal was opened for reading only, or the database cannot be reached.
    pub async fn commit_times(&self, count: usize) -> Result<Vec<u128>, JournalError> {
        self.change(move |core| async move { admin::commit_times(&core, count).await }).await
    }

    /// Opens an empty database for a copy, or one that a copy has left unfinished, which is emptied.
    /// Nobody else can use it until [`Self::end_filling`]. One that holds a journal is not filled.
    ///
    /// # Errors
    /// As [`Self::open`], and when another copy fills it.
    pub fn open_to_fill(url: &PostgresUrl, facts: HolderFacts) -> Result<Self, JournalError> {
        Self::begin(url, facts, Purpose::Fill)
    }

    /// Whether a copy fills it.
    pub async fn is_being_filled(&self) -> bool {
        self.core.filling.lock().await.is_some()
    }

    /// Says that what was filled into it is whole and verified: from now on it is a journal.
    ///
    /// # Errors
    /// When that cannot be written; the message says so where nobody knows.
    pub async fn end_filling(&self) -> Result<(), JournalError> {
        let ended = async |core: Arc<Core>| {
            let mut filling = core.filling.lock().await;
            if let Some(filling) = filling.as_ref() {
                filling.end().await?;
            }
            *filling = None;
            Ok(())
        };
        self.change(ended).await
    }

    /// The journal, if it was opened for writing.
    pub(super) fn writing(&self) -> Result<(), JournalError> {
        match self.core.mode {
            OpenMode::ReadWrite => Ok(()),
            OpenMode::ReadOnly => {
                let what = "it was opened for reading only, nothing was written";
                Err(self.core.place.unavailable(what))
            }
        }
    }

    /// Queues an append, and waits until it is written.
    pub(super) async fn write(
        &self,
        facts: Vec<Facts>,
        pruned: Vec<String>,
        simulated: bool,
    ) -> Result<Vec<Head>, JournalError> {
        self.writing()?;
        let gone = || self.core.place.unavailable("its writer has stopped; start drctl again");
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| gone())?;
        let (reply, answer) = oneshot::channel();
        let submission = Submission { facts, pruned, simulated };
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Waiting { submission, reply, permit }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Begins to listen to what other processes change, once.
    fn listen(&self) {
        let core = &self.core;
        core.listening.get_or_init(|| {
            let target = if core.mode == OpenMode::ReadOnly { Target::Any } else { Target::Primary };
            let (changes, quiet) = (Arc::clone(&core.changes), Arc::clone(&core.quiet));
            core.handle.spawn(listen::listen(Arc::clone(&core.place), target, changes, quiet));
        });
    }

    /// Does some work that changes something on the journal's thread.
    async fn change<T, W>(&self, work: impl FnOnce(Arc<Core>) -> W) -> Result<T, JournalError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, JournalError>> + Send + 'static,
    {
        self.writing()?;
        let done = self.on_thread(work).await;
        self.core.changes.bump();
        done
    }
}

impl Journal for PostgresJournal {
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<Vec<Head>, JournalError>> {
        Box::pin(async move {
            let simulated = appends.iter().all(|append| append.simulated);
            let facts = rules::check(appends)?;
            if facts.is_empty() {
                return Ok(Vec::new());
            }
            self.write(facts, Vec::new(), simulated).await
        })
    }

    fn read<'a>(
        &'a self,
        stream: &'a StreamName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, JournalError>> {
        let stream = stream.clone();
        Box::pin(
            self.on_thread(move |core| async move { read::read(&core.reading, &stream, after, limit).await }),
        )
    }

    fn read_after(&self, position: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        Box::pin(
            self.on_thread(move |core| async move { read::read_after(&core.reading, position, limit).await }),
        )
    }

    fn checkpoint<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Checkpoint>, JournalError>> {
        let run = run.clone();
        Box::pin(self.on_thread(move |core| async move { read::checkpoint(&core.reading, &run).await }))
    }

    fn blob<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, JournalError>> {
        let digest = digest.to_owned();
        Box::pin(
            self.on_thread(move |core| async move { read::blob(&core.reading, &core.place, &digest).await }),
        )
    }

    fn grant<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<u64, JournalError>> {
        let run = run.clone();
        Box::pin(self.change(move |core| async move { lease::grant(&core.writing, &core.own, &run).await }))
    }

    fn confirm<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        if self.core.own.is_good(run, token) {
            return Box::pin(std::future::ready(Ok(())));
        }
        let run = run.clone();
        Box::pin(self.on_thread(move |core| async move {
            lease::confirm(&core.writing, &core.own, &run, token).await
        }))
    }

    fn release<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        let run = run.clone();
        Box::pin(
            self.change(
                move |core| async move { lease::release(&core.writing, &core.own, &run, token).await },
            ),
        )
    }

    fn lease<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Lease>, JournalError>> {
        let run = run.clone();
        Box::pin(self.on_thread(move |core| async move { lease::lease(&core.reading, &run).await }))
    }

    fn undriven(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
        Box::pin(self.on_thread(move |core| async move { read::undriven(&core.reading, limit).await }))
    }

    fn free(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
        Box::pin(self.on_thread(move |core| async move { read::free(&core.reading, limit).await }))
    }

    fn announce<'a>(&'a self, node: &'a NodeFacts) -> BoxFuture<'a, Result<(), JournalError>> {
        let node = node.clone();
        Box::pin(self.change(move |core| async move { nodes::begin(&core.writing, &core.own, node).await }))
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(self.change(|core| async move { nodes::end(&core.writing, &core.own).await }))
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<Node>, JournalError>> {
        Box::pin(self.on_thread(|core| async move { nodes::list(&core.reading).await }))
    }

    fn takeovers(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Takeover>, JournalError>> {
        Box::pin(self.on_thread(move |core| async move { nodes::takeovers(&core.reading, limit).await }))
    }

    fn submit<'a>(&'a self, run: &'a RunId, request: &'a Request) -> BoxFuture<'a, Result<(), JournalError>> {
        let (run, request) = (run.clone(), request.clone());
        Box::pin(self.change(move |core| async move {
            let submitted = inbox::submit(&core.writing, &run, &request).await;
            core.quiet.heard(run.as_str());
            submitted
        }))
    }

    fn inbox<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Vec<Request>, JournalError>> {
        self.listen();
        if self.core.quiet.is_quiet(run) {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        let (run, mark) = (run.clone(), self.core.quiet.mark());
        Box::pin(self.on_thread(move |core| async move {
            let requests = read::inbox(&core.reading, &run).await?;
            if requests.is_empty() {
                core.quiet.was_empty(&run, mark);
            }
            Ok(requests)
        }))
    }

    fn summary<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<RunSummary>, JournalError>> {
        let run = run.clone();
        Box::pin(self.on_thread(move |core| async move { read::summary(&core.reading, &run).await }))
    }

    fn runs<'a>(&'a self, filter: &'a RunFilter) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        let filter = filter.clone();
        Box::pin(self.on_thread(move |core| async move { read::runs(&core.reading, &filter).await }))
    }

    fn changed(&self, within: Duration) -> BoxFuture<'_, ()> {
        self.listen();
        Box::pin(async move {
            let _ = tokio::time::timeout(within.to_std(), self.watcher.next()).await;
        })
    }
}

impl JournalAdmin for PostgresJournal {
    fn dump(&self, into: tokio::sync::mpsc::Sender<Part>) -> BoxFuture<'_, Result<String, JournalError>> {
        Box::pin(self.on_thread(move |core| async move { copy::dump(&core, &into).await }))
    }

    fn fill(&self, part: Part) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(self.change(move |core| async move {
            match core.filling.lock().await.as_mut() {
                Some(filling) => filling.fill(&part).await,
                None => Err(core.place.unavailable("it was not opened to be filled; nothing was written")),
            }
        }))
    }

    fn verify(&self) -> BoxFuture<'_, Result<Verification, JournalError>> {
        Box::pin(self.on_thread(|core| async move {
            match core.filling.lock().await.as_ref() {
                Some(filling) => filling.verify().await,
                None => admin::verify(&core).await,
            }
        }))
    }

    fn backup<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            let what = "a journal in PostgreSQL is backed up by copying it: `drctl journal copy`";
            Err(self.core.place.unavailable(&format!("{what}; nothing was written to {}", path.display())))
        })
    }

    fn streams<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<StreamName>, JournalError>> {
        let prefix = prefix.to_owned();
        Box::pin(self.on_thread(move |core| async move { read::streams(&core.reading, &prefix).await }))
    }

    fn prune(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        Box::pin(async move {
            self.writing()?;
            let mut total = 0;
            loop {
                let runs =
                    self.on_thread(move |core| async move { admin::over(&core, before).await }).await?;
                if runs.is_empty() {
                    return Ok(total);
                }
                total += u64::try_from(runs.len()).unwrap_or(u64::MAX);
                self.write(admin::pruned(before, now, &runs)?, runs, false).await?;
            }
        })
    }

    fn prune_streams(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        Box::pin(async move {
            self.writing()?;
            let cut = retention::cut(before, now);
            let mut total = 0;
            loop {
                let (streams, positions) =
                    self.on_thread(move |core| async move { admin::endless(&core, cut).await }).await?;
                if positions.is_empty() {
                    return Ok(total);
                }
                total += u64::try_from(positions.len()).unwrap_or(u64::MAX);
                // Said first: bodies that are gone without a word would be damage.
                self.write(admin::pruned_streams(cut, now, streams)?, Vec::new(), false).await?;
                self.on_thread(move |core| async move { admin::blank(&core, positions).await }).await?;
            }
        })
    }

    fn describe(&self) -> String {
        let mode = if self.core.mode == OpenMode::ReadOnly { ", opened to read only" } else { "" };
        let Core { place, described, .. } = &*self.core;
        let lease = place.lease.as_secs_f32();
        format!("postgres {place}: {described}{mode}; leases of {lease} s, format {}", schema::FORMAT)
    }
}
