//! The `Journal` port over HTTP: its reading half and the inbox. What only a driver of runs does is refused:
//! runs are driven at the server.

use std::sync::PoisonError;

use super::link::Ask;
use super::{RemoteJournal, chain, wire};
use crate::engine::input::Request;
use crate::journal::looking;
use crate::journal::record::{digest, hex};
use crate::model::id::RunId;
use crate::model::time::Duration;
use crate::ports::{
    Append, BoxFuture, Checkpoint, Head, Journal, JournalError, Lease, Node, NodeFacts, Record, Refusal,
    RefusalKind, RunFilter, RunSummary, StreamName, Takeover,
};

/// Records asked for at once.
const RECORDS: usize = 1_000;
/// Runs asked for at once.
const RUNS: usize = 500;

pub(super) fn refused(refusal: Refusal) -> JournalError {
    JournalError::Afar(Box::new(refusal))
}

/// What cannot be done from here.
pub(super) fn elsewhere<T>(what: &str) -> Result<T, JournalError> {
    let message = format!("{what} is not done through a server");
    Err(refused(
        Refusal::new(RefusalKind::Wrong, message)
            .help("run drctl where it reaches the journal itself (`--journal`)")
            .reason("not_through_a_server"),
    ))
}

impl RemoteJournal {
    async fn page(
        &self,
        stream: Option<&StreamName>,
        after: u64,
        limit: usize,
    ) -> Result<wire::Records, Refusal> {
        let ask = Ask::get("journal/records").with("after", &after).with("limit", &limit.min(RECORDS));
        let ask = match stream {
            Some(stream) => ask.with("stream", stream),
            None => ask,
        };
        match self.link.read(ask).await {
            // Behind the end of a journal there is nothing; who looks for the end looks there.
            Err(refusal) if refusal.reason.as_deref() == Some("invalid_cursor") => {
                Ok(wire::Records::default())
            }
            read => read,
        }
    }

    async fn records(
        &self,
        stream: Option<&StreamName>,
        mut after: u64,
        limit: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let mut records = Vec::new();
        while records.len() < limit {
            let page = self.page(stream, after, limit - records.len()).await.map_err(refused)?;
            let more = page.more;
            let checked = match stream {
                Some(stream) => self.seen.lock().unwrap_or_else(PoisonError::into_inner).of_stream(
                    stream,
                    after,
                    page.records,
                ),
                None => chain::of_all(after, page.records),
            };
            let checked = checked.map_err(JournalError::Damaged)?;
            let Some(last) = checked.last() else { break };
            after = if stream.is_some() { last.sequence } else { last.position };
            records.extend(checked);
            if !more {
                break;
            }
        }
        records.truncate(limit);
        Ok(records)
    }

    async fn serving(&self) -> Result<wire::Serving, JournalError> {
        self.link.read(Ask::get("nodes")).await.map_err(refused)
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, Refusal> {
        let limit = if filter.limit == 0 { usize::MAX } else { filter.limit };
        let (mut runs, mut cursor) = (Vec::<RunSummary>::new(), None::<RunId>);
        while runs.len() < limit {
            // Those of a service come with the runs that others began.
            let mut ask = Ask::get("runs")
                .with("open", &filter.open)
                .with("simulated", &filter.simulated)
                .with("children", &!filter.outermost)
                .with("limit", &RUNS.min(limit));
            if let Some(service) = &filter.service {
                ask = ask.with("service", service);
            }
            if let Some(prefix) = &filter.prefix {
                ask = ask.with("prefix", prefix);
            }
            if let Some(cursor) = &cursor {
                ask = ask.with("cursor", cursor);
            }
            let page: wire::Runs = self.link.read(ask).await?;
            if page.next.is_some() && page.next == cursor {
                return Err(self.link.garbled("the list of runs goes round in a circle"));
            }
            let last = page.runs.is_empty() || page.next.is_none();
            runs.extend(page.runs.into_iter().filter(|run| !filter.outermost || run.parent.is_none()));
            cursor = page.next;
            if last {
                break;
            }
        }
        runs.truncate(limit);
        Ok(runs)
    }
}

impl Journal for RemoteJournal {
    fn append(&self, _: Vec<Append>) -> BoxFuture<'_, Result<Vec<Head>, JournalError>> {
        Box::pin(std::future::ready(elsewhere("this")))
    }

    fn read<'a>(
        &'a self,
        stream: &'a StreamName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, JournalError>> {
        Box::pin(self.records(Some(stream), after, limit))
    }

    fn read_after(&self, position: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        Box::pin(self.records(None, position, limit))
    }

    /// None: a checkpoint is a cache, and of no use to another version.
    fn checkpoint<'a>(&'a self, _: &'a RunId) -> BoxFuture<'a, Result<Option<Checkpoint>, JournalError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn blob<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, JournalError>> {
        Box::pin(async move {
            if name.len() != 64 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Ok(None);
            }
            match self.link.bytes(Ask::get(format!("journal/blobs/{name}"))).await {
                Ok(bytes) if hex(&digest(&bytes)) == name => Ok(Some(bytes)),
                Ok(_) => Err(JournalError::Damaged(format!("blob {name} is not what its name says"))),
                Err(refusal) if refusal.reason.as_deref() == Some("unknown_blob") => Ok(None),
                Err(refusal) => Err(refused(refusal)),
            }
        })
    }

    fn grant<'a>(&'a self, _: &'a RunId) -> BoxFuture<'a, Result<u64, JournalError>> {
        Box::pin(std::future::ready(elsewhere("driving a run")))
    }

    fn confirm<'a>(&'a self, _: &'a RunId, _: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(std::future::ready(elsewhere("driving a run")))
    }

    fn release<'a>(&'a self, _: &'a RunId, _: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(std::future::ready(elsewhere("driving a run")))
    }

    fn undriven(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
        Box::pin(looking::undriven(self, limit))
    }

    fn free(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
        Box::pin(looking::free(self, limit))
    }

    fn announce<'a>(&'a self, _: &'a NodeFacts) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(std::future::ready(elsewhere("serving")))
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(std::future::ready(elsewhere("serving")))
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<Node>, JournalError>> {
        Box::pin(async move { Ok(self.serving().await?.nodes) })
    }

    /// As many as the server tells of: the newest hundred.
    fn takeovers(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Takeover>, JournalError>> {
        Box::pin(async move {
            let mut takeovers = self.serving().await?.takeovers;
            takeovers.truncate(limit);
            Ok(takeovers)
        })
    }

    fn lease<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Lease>, JournalError>> {
        Box::pin(async move {
            let read = self.link.read::<wire::Lease>(Ask::get(format!("journal/leases/{run}"))).await;
            let wire::Lease { token, holder, alive } = read.map_err(refused)?;
            Ok((token > 0).then_some(Lease { token, holder, alive }))
        })
    }

    fn submit<'a>(&'a self, run: &'a RunId, request: &'a Request) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move { self.ask(run, request).await.map(drop).map_err(refused) })
    }

    fn inbox<'a>(&'a self, _: &'a RunId) -> BoxFuture<'a, Result<Vec<Request>, JournalError>> {
        Box::pin(std::future::ready(elsewhere("reading an inbox")))
    }

    fn summary<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<RunSummary>, JournalError>> {
        let prefix = Some(run.to_string());
        Box::pin(async move {
            let filter = RunFilter { prefix, simulated: true, ..RunFilter::default() };
            Ok(self.list(&filter).await.map_err(refused)?.into_iter().find(|found| found.run == *run))
        })
    }

    fn runs<'a>(&'a self, filter: &'a RunFilter) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        Box::pin(async move { self.list(filter).await.map_err(refused) })
    }

    /// Whoever follows a run hears of its events at once ([`RemoteJournal::events`]); all others look again
    /// after a while.
    fn changed(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(within.to_std()))
    }
}
