//! The journal in a PostgreSQL database that several nodes share. All work runs on one thread of its own, so
//! that leases are renewed whatever the rest of the process does. Never keeps a lock while it waits for this
//! process: each append is one call on the server.
//!
//! Four sessions at most: one that writes, one that reads, one that renews leases, one that listens. The last
//! two are opened when they are first needed.

mod admin;
mod batch;
mod call;
mod copy;
mod ends;
mod filling;
mod inbox;
mod journal;
mod lease;
mod link;
mod listen;
mod nodes;
mod place;
mod read;
mod schema;
mod thread;
mod writer;

use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot};

use self::filling::Filling;
use self::inbox::Quiet;
use self::lease::Own;
use self::link::Link;
use self::place::Place;
use self::thread::{Purpose, Start};
use self::writer::Waiting;
use super::changes::{Changes, Watcher};
use super::{HolderFacts, OpenMode};
use crate::ports::JournalError;

pub use self::place::PostgresUrl;

/// How long a write is tried while the database is away: a managed service may take a minute to fail over.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a read is tried.
const READS: Duration = Duration::from_secs(10);
/// Most submissions that wait; further callers wait before they may queue.
const QUEUE: usize = 4_096;
/// How long what is queued may take when the journal is closed.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// A journal in a PostgreSQL database. Two values on one database act like two processes.
pub struct PostgresJournal {
    core: Arc<Core>,
    queue: Option<mpsc::UnboundedSender<Waiting>>,
    permits: Arc<Semaphore>,
    watcher: Watcher,
    close: Option<oneshot::Sender<()>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What all calls share.
struct Core {
    place: Arc<Place>,
    mode: OpenMode,
    handle: Handle,
    writing: Arc<Link>,
    reading: Link,
    own: Arc<Own>,
    changes: Arc<Changes>,
    quiet: Arc<Quiet>,
    listening: OnceLock<()>,
    described: String,
    /// The copy that fills it, until that is whole.
    filling: tokio::sync::Mutex<Option<Filling>>,
}

impl PostgresJournal {
    /// Opens a journal; for [`OpenMode::ReadWrite`] makes its schema where there is none.
    ///
    /// # Errors
    /// `Unavailable` when the address cannot be read, no primary can be reached, or it refuses; `TooNew` when
    /// a newer drctl made the schema. No message holds the password.
    pub fn open(url: &PostgresUrl, facts: HolderFacts, mode: OpenMode) -> Result<Self, JournalError> {
        Self::begin(url, facts, Purpose::Use(mode))
    }

    fn begin(url: &PostgresUrl, facts: HolderFacts, purpose: Purpose) -> Result<Self, JournalError> {
        let place = Arc::new(Place::read(url, &facts.host)?);
        let own = Arc::new(Own::new(facts, place.lease)?);
        let (queue, queued) = mpsc::unbounded_channel();
        let (close, closed) = oneshot::channel();
        let (opened, open) = std::sync::mpsc::channel();
        let started = Start { place: Arc::clone(&place), purpose, own, queued, closed };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || started.run(&opened))
            .map_err(|error| place.unavailable(&format!("its thread could not be started ({error})")))?;
        let stopped = |_| place.unavailable("its thread has stopped");
        let core = open.recv().map_err(stopped).flatten()?;
        Ok(Self {
            watcher: core.changes.watcher(),
            core,
            queue: Some(queue),
            permits: Arc::new(Semaphore::new(QUEUE)),
            close: Some(close),
            thread: Mutex::new(Some(thread)),
        })
    }
}
