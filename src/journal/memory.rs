//! A journal in memory, for simulations and tests: the same promises as on disk, until the process ends.
//! Never touches a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::audit::{Audit, Pruned};
use super::changes::{Changes, Watcher};
use super::looking::alone;
use super::record::{NO_HASH, Stored, Tip, check, digest, hex};
use super::retention;
use super::rules::{self, Facts, empty_head, run_of};
use crate::engine::input::Request;
use crate::model::id::RunId;
use crate::model::limits;
use crate::model::run::Intent;
use crate::model::time::{Duration, Timestamp};
use crate::ports::{
    Append, BoxFuture, Checkpoint, Head, Holder, Journal, JournalAdmin, JournalError, Lease, Part, Record,
    RunFilter, RunSummary, StreamName, Verification,
};

/// A journal in memory. Each value acts as a process of its own; [`MemoryJournal::another_holder`] makes a
/// second one on the same store.
#[derive(Debug)]
pub struct MemoryJournal {
    shared: Arc<Shared>,
    holder: String,
    watcher: Watcher,
}

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    changes: Changes,
}

#[derive(Debug)]
struct Store {
    tip: Tip,
    rows: Vec<Stored>,
    streams: BTreeMap<String, Stream>,
    runs: BTreeMap<RunId, RunSummary>,
    pruned: BTreeSet<RunId>,
    leases: BTreeMap<RunId, (u64, Option<String>)>,
    holders: BTreeMap<String, (Holder, bool)>,
    inbox: BTreeMap<String, Vec<(Request, bool)>>,
    checkpoints: BTreeMap<String, Checkpoint>,
    blobs: BTreeMap<String, Arc<[u8]>>,
}

#[derive(Debug, Clone)]
struct Stream {
    head: Head,
    rows: Vec<usize>,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryJournal {
    /// Makes an empty journal.
    #[must_use]
    pub fn new() -> Self {
        let store = Store {
            tip: Tip::empty(),
            rows: Vec::new(),
            streams: BTreeMap::new(),
            runs: BTreeMap::new(),
            pruned: BTreeSet::new(),
            leases: BTreeMap::new(),
            holders: BTreeMap::new(),
            inbox: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            blobs: BTreeMap::new(),
        };
        Self::join(Arc::new(Shared { store: Mutex::new(store), changes: Changes::new() }))
    }

    /// Makes a second holder on the same store, as if another process had opened the journal.
    #[must_use]
    pub fn another_holder(&self) -> Self {
        Self::join(Arc::clone(&self.shared))
    }

    /// Makes this holder dead for all others, as if its process had been killed. Its later appends still
    /// reach the store, as those of a process that was only stopped would.
    pub fn kill_holder(&self) {
        if let Some((_, alive)) = self.store().holders.get_mut(&self.holder) {
            *alive = false;
        }
    }

    fn join(shared: Arc<Shared>) -> Self {
        let holder = {
            let mut store = shared.store.lock().unwrap_or_else(PoisonError::into_inner);
            let id = format!("memory-{}", store.holders.len() + 1);
            let holder = Holder { id: id.clone(), pid: 0, host: "memory".into(), name: id.clone() };
            store.holders.insert(id.clone(), (holder, true));
            id
        };
        let watcher = shared.changes.watcher();
        Self { shared, holder, watcher }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, work: impl FnOnce(&mut Store) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let answer = work(&mut self.store());
        if answer.is_ok() {
            self.shared.changes.bump();
        }
        answer
    }
}

impl Drop for MemoryJournal {
    fn drop(&mut self) {
        self.kill_holder();
    }
}

impl Store {
    /// Everything is checked before anything is changed: appends are all or nothing.
    fn append(&mut self, appends: Vec<Facts>) -> Result<Vec<Head>, JournalError> {
        let mut tip = self.tip.clone();
        let mut heads: BTreeMap<&str, Head> = BTreeMap::new();
        let mut news: Vec<&RunSummary> = Vec::new();
        let mut placed = Vec::new();
        for facts in &appends {
            let stored = self.streams.get(facts.stream.as_str());
            let head = heads
                .entry(facts.stream.as_str())
                .or_insert_with(|| stored.map_or_else(empty_head, |stream| stream.head.clone()));
            let token = run_of(&facts.stream).and_then(|run| self.leases.get(run)).map_or(0, |lease| lease.0);
            rules::fence(facts, token)?;
            rules::expect(facts, head.sequence)?;
            if let Some(summary) = &facts.summary {
                self.admit(summary, &news)?;
                news.push(summary);
            }
            let rows = rules::place(facts, head, &mut tip);
            placed.push((rows, head.clone()));
        }
        self.tip = tip;
        Ok(appends
            .into_iter()
            .zip(placed)
            .map(|(facts, (rows, head))| self.write(facts, rows, head))
            .collect())
    }

    /// Checks the idempotency key and the service's lock against the stored runs and those of the same
    /// append.
    fn admit(&self, summary: &RunSummary, news: &[&RunSummary]) -> Result<(), JournalError> {
        let others = || {
            let stored = self.runs.values().filter(|run| !news.iter().any(|new| new.run == run.run));
            stored.chain(news.iter().copied()).filter(|run| run.run != summary.run)
        };
        let known = self.runs.contains_key(&summary.run) || news.iter().any(|new| new.run == summary.run);
        let others: Vec<&RunSummary> = others().collect();
        rules::admit(summary, known, &others.iter().copied())
    }

    fn write(&mut self, facts: Facts, placed: Vec<rules::Placed>, head: Head) -> Head {
        if placed.is_empty() && facts.blobs.is_empty() && run_of(&facts.stream).is_none() {
            return head; // Only an expectation was checked.
        }
        let stream = self
            .streams
            .entry(facts.stream.as_str().to_owned())
            .or_insert_with(|| Stream { head: empty_head(), rows: Vec::new() });
        stream.head = head.clone();
        for (fact, place) in facts.records.into_iter().zip(placed) {
            stream.rows.push(self.rows.len());
            let record = Record {
                position: place.position,
                stream: facts.stream.clone(),
                sequence: place.sequence,
                token: facts.token.unwrap_or(0),
                recorded_at: place.recorded_at,
                kind: fact.kind.to_owned(),
                version: fact.version,
                body: fact.body,
                hash: place.hash,
            };
            self.rows.push(Stored { record, pruned: None });
        }
        for (name, body) in facts.blobs {
            self.blobs.entry(name).or_insert(body);
        }
        let run = run_of(&facts.stream).unwrap_or_default();
        if let Some(checkpoint) = facts.checkpoint {
            self.checkpoints.insert(run.to_owned(), checkpoint);
        }
        for (request, answered) in self.inbox.get_mut(run).into_iter().flatten() {
            *answered |= facts.answers.contains(&request.id);
        }
        if let Some(summary) = facts.summary {
            self.runs.insert(summary.run.clone(), summary);
        }
        head
    }

    fn grant(&mut self, run: &RunId, own: &str) -> Result<u64, JournalError> {
        let (token, holder) = self.leases.get(run).cloned().unwrap_or_default();
        if let Some((holder, true)) = holder.filter(|id| id != own).and_then(|id| self.holders.get(&id)) {
            return Err(JournalError::Held { run: run.clone(), holder: holder.clone() });
        }
        self.leases.insert(run.clone(), (token + 1, Some(own.to_owned())));
        Ok(token + 1)
    }

    fn release(&mut self, run: &RunId, token: u64) -> Result<(), JournalError> {
        let Some(lease) = self.leases.get_mut(run) else {
            return Err(JournalError::UnknownRun(run.to_string()));
        };
        if lease.0 != token {
            let stream = StreamName::run(run);
            return Err(JournalError::Fenced { stream, held: token, current: lease.0 });
        }
        lease.1 = None;
        Ok(())
    }

    fn submit(&mut self, run: &RunId, request: &Request) -> Result<(), JournalError> {
        if !self.streams.contains_key(StreamName::run(run).as_str()) {
            return Err(JournalError::UnknownRun(run.to_string()));
        }
        let inbox = self.inbox.entry(run.to_string()).or_default();
        if inbox.iter().any(|(known, _)| known.id == request.id) {
            return Ok(());
        }
        if inbox.iter().filter(|(_, answered)| !answered).count() >= limits::INBOX {
            return Err(JournalError::InboxFull(run.clone()));
        }
        inbox.push((request.clone(), false));
        Ok(())
    }

    fn read(&self, name: &StreamName, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let Some(stream) = self.streams.get(name.as_str()) else {
            return Ok(Vec::new());
        };
        let row = |index: &usize| self.rows.get(*index);
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        let previous = match skip.checked_sub(1) {
            None => NO_HASH,
            Some(before) => match stream.rows.get(before).and_then(row) {
                Some(row) => row.record.hash,
                None => return Ok(Vec::new()),
            },
        };
        let rows: Vec<Stored> = stream.rows.iter().skip(skip).take(limit).filter_map(row).cloned().collect();
        let end = (rows.len() < limit).then_some(&stream.head);
        check(&rows, after, &previous, end)
            .map_err(|what| JournalError::Damaged(format!("{name}: {what}")))?;
        Ok(rows.into_iter().map(|row| row.record).collect())
    }

    fn runs(&self, filter: &RunFilter) -> Vec<RunSummary> {
        let wanted = |run: &&RunSummary| {
            filter.prefix.as_ref().is_none_or(|prefix| run.run.as_str().starts_with(prefix.as_str()))
                && filter.service.as_ref().is_none_or(|service| *service == run.service)
                && (!filter.open || !run.status.is_terminal())
                && (filter.simulated || run.intent != Intent::Simulate)
                && (!filter.outermost || run.parent.is_none())
        };
        let mut runs: Vec<RunSummary> = self.runs.values().filter(wanted).cloned().collect();
        runs.sort_by(|a, b| (b.created_at, &b.run).cmp(&(a.created_at, &a.run)));
        if filter.limit > 0 {
            runs.truncate(filter.limit);
        }
        runs
    }

    fn verify(&self) -> Verification {
        let mut audit = Audit::new();
        self.rows.iter().for_each(|row| audit.record(row));
        self.blobs.iter().for_each(|(name, body)| audit.blob(name, body));
        let heads = self.streams.iter().map(|(name, stream)| (name.clone(), stream.head.clone())).collect();
        audit.finish(&heads, &self.tip)
    }

    fn prune(&mut self, before: Timestamp, now: Timestamp) -> Result<u64, JournalError> {
        let over = |run: &&RunSummary| {
            run.status.is_terminal()
                && run.ended_at.is_some_and(|at| at < before)
                && !self.pruned.contains(&run.run)
        };
        let runs: Vec<RunId> = self.runs.values().filter(over).map(|run| run.run.clone()).collect();
        if runs.is_empty() {
            return Ok(0);
        }
        let pruned = Pruned::of_runs(before, now, runs.iter().map(ToString::to_string).collect());
        self.append(rules::check(vec![pruned.append()?])?)?;
        for run in &runs {
            let stream = self.streams.get(StreamName::run(run).as_str());
            self.blank(&stream.map(|stream| stream.rows.clone()).unwrap_or_default());
            self.checkpoints.remove(run.as_str());
            self.inbox.remove(run.as_str());
            self.pruned.insert(run.clone());
        }
        Ok(u64::try_from(runs.len()).unwrap_or(u64::MAX))
    }

    fn blank(&mut self, rows: &[usize]) {
        for index in rows {
            if let Some(row) = self.rows.get_mut(*index) {
                row.pruned = Some(digest(row.record.body.as_bytes()));
                row.record.body = String::new();
            }
        }
    }

    fn prune_streams(&mut self, before: Timestamp, now: Timestamp) -> Result<u64, JournalError> {
        let before = retention::cut(before, now);
        let (mut streams, mut rows) = (BTreeMap::new(), Vec::new());
        for (name, stream) in self.streams.iter().filter(|(name, _)| retention::is_endless(name)) {
            let to = stream.head.sequence.saturating_sub(retention::LEFT);
            let old = stream.rows.iter().filter(|index| {
                self.rows.get(**index).is_some_and(|row| {
                    let record = &row.record;
                    row.pruned.is_none() && record.sequence <= to && record.recorded_at < before
                })
            });
            let old: Vec<usize> = old.copied().collect();
            if let Some(last) = old.last().and_then(|index| self.rows.get(*index)) {
                streams.insert(name.clone(), last.record.sequence);
                rows.extend(old);
            }
        }
        if rows.is_empty() {
            return Ok(0);
        }
        self.append(rules::check(vec![Pruned::of_streams(before, now, streams).append()?])?)?;
        self.blank(&rows);
        Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }
}

impl Journal for MemoryJournal {
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<Vec<Head>, JournalError>> {
        Box::pin(async move {
            let facts = rules::check(appends)?;
            self.change(|store| store.append(facts))
        })
    }

    fn read<'a>(
        &'a self,
        stream: &'a StreamName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, JournalError>> {
        Box::pin(async move { self.store().read(stream, after, limit) })
    }

    fn read_after(&self, position: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        Box::pin(async move {
            let skip = usize::try_from(position).unwrap_or(usize::MAX);
            Ok(self.store().rows.iter().skip(skip).take(limit).map(|row| row.record.clone()).collect())
        })
    }

    fn checkpoint<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Checkpoint>, JournalError>> {
        Box::pin(async move { Ok(self.store().checkpoints.get(run.as_str()).cloned()) })
    }

    fn blob<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, JournalError>> {
        Box::pin(async move {
            match self.store().blobs.get(name) {
                Some(body) if hex(&digest(body)) == name => Ok(Some(body.to_vec())),
                Some(_) => {
                    Err(JournalError::Damaged(format!("blob {name}: its content has another SHA-256")))
                }
                None => Ok(None),
            }
        })
    }

    fn grant<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<u64, JournalError>> {
        Box::pin(async move { self.change(|store| store.grant(run, &self.holder)) })
    }

    /// A holder that was killed for the others has no lease that is good.
    fn confirm<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            let alive = self.store().holders.get(&self.holder).is_some_and(|(_, alive)| *alive);
            let lapsed = || JournalError::Lapsed { stream: StreamName::run(run), token };
            alive.then_some(()).ok_or_else(lapsed)
        })
    }

    fn release<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move { self.change(|store| store.release(run, token)) })
    }

    fn lease<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Lease>, JournalError>> {
        Box::pin(async move {
            let store = self.store();
            let Some((token, holder)) = store.leases.get(run) else {
                return Ok(None);
            };
            let found = holder.as_ref().and_then(|id| store.holders.get(id));
            let alive = found.is_some_and(|(_, alive)| *alive);
            Ok(Some(Lease { token: *token, holder: found.map(|(holder, _)| holder.clone()), alive }))
        })
    }

    alone!();

    fn submit<'a>(&'a self, run: &'a RunId, request: &'a Request) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move { self.change(|store| store.submit(run, request)) })
    }

    fn inbox<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Vec<Request>, JournalError>> {
        Box::pin(async move {
            let store = self.store();
            let all = store.inbox.get(run.as_str()).into_iter().flatten();
            Ok(all.filter(|(_, answered)| !answered).map(|(request, _)| request.clone()).collect())
        })
    }

    fn summary<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<RunSummary>, JournalError>> {
        Box::pin(async move { Ok(self.store().runs.get(run).cloned()) })
    }

    fn runs<'a>(&'a self, filter: &'a RunFilter) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        Box::pin(async move { Ok(self.store().runs(filter)) })
    }

    fn changed(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let _ = tokio::time::timeout(within.to_std(), self.watcher.next()).await;
        })
    }
}

impl JournalAdmin for MemoryJournal {
    fn dump(&self, _: tokio::sync::mpsc::Sender<Part>) -> BoxFuture<'_, Result<String, JournalError>> {
        Box::pin(std::future::ready(Err(not_copied())))
    }

    fn fill(&self, _: Part) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(std::future::ready(Err(not_copied())))
    }

    fn verify(&self) -> BoxFuture<'_, Result<Verification, JournalError>> {
        Box::pin(async move { Ok(self.store().verify()) })
    }

    fn streams<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<StreamName>, JournalError>> {
        Box::pin(async move {
            let store = self.store();
            let names = store.streams.keys().filter(|name| name.starts_with(prefix));
            let mut names: Vec<_> = names.cloned().map(StreamName::typed).collect();
            names.sort();
            Ok(names)
        })
    }

    fn backup<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            let what = "a journal in memory has no file to copy";
            Err(JournalError::Unavailable(format!("{what}; nothing was written to {}", path.display())))
        })
    }

    fn prune(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        Box::pin(async move { self.change(|store| store.prune(before, now)) })
    }

    fn prune_streams(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        Box::pin(async move { self.change(|store| store.prune_streams(before, now)) })
    }

    fn describe(&self) -> String {
        format!("memory: lost when the process ends, format {}", super::FORMAT)
    }
}

fn not_copied() -> JournalError {
    JournalError::Unavailable("a journal in memory ends with its process and is not copied".to_owned())
}
