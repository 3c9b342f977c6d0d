//! The ports `Journal` and `JournalAdmin` on SQLite: hands each call to the writer or to a reader. Holds no
//! SQL.

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use super::others::POLL;
use super::transaction::Worth;
use super::{SqliteJournal, admin, append, copy, inbox, lease, read};
use crate::engine::input::Request;
use crate::journal::looking::alone;
use crate::journal::{FORMAT, rules};
use crate::model::id::RunId;
use crate::model::time::{Duration, Timestamp};
use crate::ports::{
    Append, BoxFuture, Checkpoint, Head, Journal, JournalAdmin, JournalError, Lease, Part, Record, RunFilter,
    RunSummary, StreamName, Verification,
};

impl Journal for SqliteJournal {
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<Vec<Head>, JournalError>> {
        Box::pin(async move {
            let simulated = appends.iter().all(|append| append.simulated);
            let facts = rules::check(appends)?;
            if facts.is_empty() {
                return Ok(Vec::new());
            }
            let worth = if simulated { Worth::Simulated } else { Worth::Real };
            self.writing()?.writer.run_for(worth, move |ledger| append::append(ledger, &facts)).await
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
            self.readers
                .glance(move |connection, place| read::read(connection, place, &stream, after, limit)),
        )
    }

    fn read_after(&self, position: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        Box::pin(
            self.readers.read(move |connection, place| read::read_after(connection, place, position, limit)),
        )
    }

    fn checkpoint<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Checkpoint>, JournalError>> {
        let run = run.clone();
        Box::pin(self.readers.glance(move |connection, _| read::checkpoint(connection, &run)))
    }

    fn blob<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, JournalError>> {
        let digest = digest.to_owned();
        Box::pin(self.readers.glance(move |connection, place| read::blob(connection, place, &digest)))
    }

    fn grant<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<u64, JournalError>> {
        Box::pin(async move {
            let write = self.writing()?;
            let (granted, own) = (run.clone(), Arc::clone(&write.own));
            let token = write.writer.run(move |ledger| lease::grant(ledger, &granted, &own)).await?;
            write.writer.driven().insert(run.clone());
            Ok(token)
        })
    }

    /// As long as the process lives its leases are good: the operating system frees them.
    fn confirm<'a>(&'a self, _: &'a RunId, _: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn release<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            let (writer, released) = (&self.writing()?.writer, run.clone());
            writer.run(move |ledger| lease::release(ledger, &released, token)).await?;
            writer.driven().remove(run);
            Ok(())
        })
    }

    fn lease<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Lease>, JournalError>> {
        let (run, holders) = (run.clone(), self.holders.clone());
        Box::pin(self.readers.read(move |connection, _| lease::lease(connection, &run, &holders)))
    }

    alone!();

    fn submit<'a>(&'a self, run: &'a RunId, request: &'a Request) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            let (run, request) = (run.clone(), request.clone());
            self.writing()?.writer.run(move |ledger| inbox::submit(ledger, &run, &request)).await
        })
    }

    fn inbox<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Vec<Request>, JournalError>> {
        let run = run.clone();
        Box::pin(self.readers.glance(move |connection, place| inbox::inbox(connection, place, &run)))
    }

    fn summary<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<RunSummary>, JournalError>> {
        let run = run.clone();
        Box::pin(self.readers.glance(move |connection, place| read::summary(connection, place, &run)))
    }

    fn runs<'a>(&'a self, filter: &'a RunFilter) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        let filter = filter.clone();
        Box::pin(self.readers.read(move |connection, place| read::runs(connection, place, &filter)))
    }

    fn changed(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let end = Instant::now() + within.to_std();
            loop {
                let tick = end.min(Instant::now() + POLL);
                tokio::select! {
                    () = self.watcher.next() => return,
                    () = tokio::time::sleep_until(tick) => {}
                }
                if Instant::now() >= end {
                    return;
                }
                self.others.look(&self.place, &self.changes).await;
            }
        })
    }
}

impl JournalAdmin for SqliteJournal {
    fn dump(&self, into: tokio::sync::mpsc::Sender<Part>) -> BoxFuture<'_, Result<String, JournalError>> {
        Box::pin(self.readers.read(move |connection, place| copy::dump(connection, place, &into)))
    }

    fn fill(&self, part: Part) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move { self.writing()?.writer.run(move |ledger| copy::fill(ledger, &part)).await })
    }

    fn verify(&self) -> BoxFuture<'_, Result<Verification, JournalError>> {
        Box::pin(self.readers.read(admin::verify))
    }

    fn backup<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<(), JournalError>> {
        let path = path.to_owned();
        Box::pin(self.readers.read(move |connection, place| admin::backup(connection, place, &path)))
    }

    fn streams<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<StreamName>, JournalError>> {
        let prefix = prefix.to_owned();
        Box::pin(self.readers.read(move |connection, _| read::streams(connection, &prefix)))
    }

    fn prune(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        Box::pin(async move {
            let writer = &self.writing()?.writer;
            let mut total = 0;
            loop {
                match writer.run(move |ledger| admin::prune(ledger, before, now)).await? {
                    0 => return Ok(total),
                    some => total += some,
                }
            }
        })
    }

    fn prune_streams(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        Box::pin(async move {
            let writer = &self.writing()?.writer;
            let mut total = 0;
            loop {
                match writer.run(move |ledger| admin::prune_streams(ledger, before, now)).await? {
                    0 => return Ok(total),
                    some => total += some,
                }
            }
        })
    }

    fn describe(&self) -> String {
        let mode =
            if self.write.is_some() { "survives a power cut (WAL, synchronous=FULL)" } else { "read only" };
        format!("sqlite {}: {mode}, format {FORMAT}", self.place.path().display())
    }
}
