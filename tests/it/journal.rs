//! One conformance suite for every journal, and what only the one in SQLite can be asked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod conformance;
#[cfg(feature = "postgres")]
mod postgres;
mod process;
mod sqlite;
mod tampering;

use std::sync::Arc;

use drctl::engine::input::{Control, Request};
use drctl::journal::{HolderFacts, MemoryJournal, OpenMode, SqliteJournal};
use drctl::model::id::{RunId, ServiceName};
use drctl::model::run::{Identity, Intent, Operation, RunStatus};
use drctl::model::time::Timestamp;
use drctl::ports::{Append, Head, JournalAdmin, JournalError, NewRecord, RunSummary, StreamName};

/// A store that several holders may open. Dropping a journal is the death of its holder.
enum World {
    Memory(MemoryJournal),
    Sqlite(tempfile::TempDir),
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl World {
    fn memory() -> Self {
        Self::Memory(MemoryJournal::new())
    }

    fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Arc<dyn JournalAdmin> {
        match self {
            Self::Memory(first) => Arc::new(first.another_holder()),
            Self::Sqlite(folder) => Arc::new(open_sqlite(&folder.path().join("deep/journal.db"))),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Arc::new(postgres::open(url)),
        }
    }
}

fn facts() -> HolderFacts {
    HolderFacts::here("tester")
}

fn open_sqlite(path: &std::path::Path) -> SqliteJournal {
    SqliteJournal::open(path, facts(), OpenMode::ReadWrite).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn run_id(text: &str) -> RunId {
    RunId::new(text).unwrap()
}

fn summary(run: &RunId, service: &str, status: RunStatus) -> RunSummary {
    RunSummary {
        run: run.clone(),
        service: ServiceName::new(service).unwrap(),
        operation: Operation::Failover,
        intent: Intent::Real,
        status,
        from: None,
        to: None,
        created_at: at(1_000),
        ended_at: status.is_terminal().then(|| at(9_000)),
        idempotency_key: None,
        locks_service: true,
        verdict: None,
        parent: None,
    }
}

fn fact(body: &str) -> NewRecord {
    NewRecord { kind: "noted", version: 1, body: body.to_owned() }
}

fn to(stream: StreamName, expected: Option<u64>, bodies: &[&str]) -> Append {
    let records = bodies.iter().map(|body| fact(body)).collect();
    Append { stream: Some(stream), expected, at: Some(at(5_000)), records, ..Append::default() }
}

fn to_run(run: &RunId, token: u64, expected: u64, bodies: &[&str]) -> Append {
    Append { token: Some(token), ..to(StreamName::run(run), Some(expected), bodies) }
}

/// Creates a run of its own service, with three records; returns its token.
async fn create(journal: &dyn JournalAdmin, run: &RunId) -> u64 {
    let token = journal.grant(run).await.unwrap();
    let mut append = to_run(run, token, 0, &["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
    append.summary = Some(summary(run, run.as_str(), RunStatus::Running));
    journal.append(vec![append]).await.unwrap();
    token
}

/// Ends a run that `create` has made.
async fn end(journal: &dyn JournalAdmin, run: &RunId, token: u64) -> Result<Vec<Head>, JournalError> {
    let mut append = to_run(run, token, 3, &["{\"n\":4}"]);
    append.summary = Some(summary(run, run.as_str(), RunStatus::Succeeded));
    journal.append(vec![append]).await
}

fn request(id: &str) -> Request {
    let by = Identity::asserted("ada");
    Request { id: id.into(), by, from: "terminal".into(), reason: None, control: Control::Pause }
}

async fn bodies(journal: &dyn JournalAdmin, stream: &StreamName) -> Vec<String> {
    journal.read(stream, 0, 1_000).await.unwrap().into_iter().map(|record| record.body).collect()
}

async fn sound(journal: &dyn JournalAdmin) {
    assert_eq!(journal.verify().await.unwrap().damage, Vec::<String>::new());
}
