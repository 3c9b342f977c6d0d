//! What the runtime needs from the world, as traits. Adapters implement them; nothing here knows SQL, HTTP
//! or an SDK.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::engine::input::{Direction, Observation, Request};
use crate::model::action::{Action, ActionName};
use crate::model::id::{NodeAddress, RunId, ServiceName, SiteName};
use crate::model::run::{Failure, Intent, Mode, Operation, RunStatus, Verdict};
use crate::model::time::{Duration, Timestamp};
use crate::model::values::Site;

/// A boxed future, so that ports can be used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

// ---------------------------------------------------------------- clock, chance, secrets

/// Tells the time and waits.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Waits until a time has come.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}

/// Draws what must not be guessed or repeated.
pub trait IdSource: Send + Sync {
    /// Eight random characters of a-z and 2-7.
    fn suffix(&self) -> String;
}

/// Resolves secrets by name.
pub trait SecretSource: Send + Sync {
    /// Reads every secret; called once, before the first step.
    fn resolve<'a>(
        &'a self,
        secrets: &'a BTreeMap<String, crate::model::values::Secret>,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, SecretError>>;
}

/// A secret could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("secret `{name}` could not be read: {message}")]
pub struct SecretError {
    /// Its name.
    pub name: String,
    /// What went wrong, without the value.
    pub message: String,
}

// ---------------------------------------------------------------- providers

/// Performs the actions of one or more families. One try each: retries belong to the engine.
pub trait Provider: Send + Sync {
    /// Fetches what must not be looked for once a site is lost, such as credentials. Called when a driver
    /// takes up a run, before any step; the actions are those of its plan.
    fn make_ready<'a>(
        &'a self,
        _actions: &'a [ActionName],
        _sites: &'a Arc<BTreeMap<SiteName, Site>>,
        _to: Option<&'a SiteName>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    /// Reads what `undo` will need. Changes nothing.
    fn prepare<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>>;

    /// Makes one try. A long operation returns a handle as soon as it is known.
    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>>;

    /// Looks at a long operation once.
    fn poll<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>>;

    /// Looks whether the effect of the attempt is already true. Changes nothing.
    fn observe<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation>;
}

/// What a provider knows about the attempt it makes.
#[derive(Debug, Clone)]
pub struct AttemptContext {
    /// The run.
    pub run: RunId,
    /// The service.
    pub service: ServiceName,
    /// The node.
    pub node: NodeAddress,
    /// Number of the attempt.
    pub attempt: u32,
    /// Apply or take back.
    pub direction: Direction,
    /// The same for all sends of one intent; different after a known outcome.
    pub idempotency_key: String,
    /// Rises with each grant of the run's lease.
    pub fencing_token: u64,
    /// When the attempt runs out of time.
    pub deadline: Timestamp,
    /// Mode of the run.
    pub mode: Mode,
    /// Intent of the run.
    pub intent: Intent,
    /// Site the service leaves.
    pub from: Option<SiteName>,
    /// Site it moves to.
    pub to: Option<SiteName>,
    /// The sites of the plan.
    pub sites: Arc<BTreeMap<SiteName, Site>>,
    /// What `prepare` read before the effect.
    pub prepared: Option<Value>,
    /// When the attempt began, and the name of the machine its driver ran on then.
    pub began: Option<(Timestamp, String)>,
    /// A secret went into the parameters: keep no output unless the step asks for it.
    pub sensitive: bool,
    /// Told when the attempt is to be given up.
    pub cancelled: CancelSignal,
}

/// Tells an attempt that it is to be given up.
#[derive(Debug, Clone)]
pub struct CancelSignal(tokio::sync::watch::Receiver<bool>);

/// The sending half of a [`CancelSignal`].
#[derive(Debug)]
pub struct CancelSwitch(tokio::sync::watch::Sender<bool>);

impl CancelSwitch {
    /// Makes a connected pair.
    #[must_use]
    pub fn new() -> (Self, CancelSignal) {
        let (sender, receiver) = tokio::sync::watch::channel(false);
        (Self(sender), CancelSignal(receiver))
    }

    /// Tells the attempt to give up.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl CancelSignal {
    /// Waits until the attempt is to be given up; for ever when it never is.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|cancelled| *cancelled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq)]
pub enum Started {
    /// It is done; these are the outputs.
    Done(Map<String, Value>),
    /// It goes on elsewhere; this finds it again.
    Handle(Value),
}

/// What one look at a long operation showed.
#[derive(Debug, Clone, PartialEq)]
pub enum Polled {
    /// It goes on; with a line for people.
    Pending(Option<String>),
    /// It is done; these are the outputs.
    Done(Map<String, Value>),
}

// ---------------------------------------------------------------- journal

/// Name of a stream of the journal: `run/<id>`, `service/<name>`, `journal`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamName(String);

impl StreamName {
    /// Stream of a run.
    #[must_use]
    pub fn run(id: &RunId) -> Self {
        Self(format!("run/{id}"))
    }

    /// Stream of a service's record.
    #[must_use]
    pub fn service(name: &ServiceName) -> Self {
        Self(format!("service/{name}"))
    }

    /// Stream of what was done to the journal itself.
    #[must_use]
    pub fn journal() -> Self {
        Self("journal".to_owned())
    }

    /// Takes a name as found in a journal.
    #[must_use]
    pub fn typed(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One fact as it lies in the journal. The hash covers every other field and the hash before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position in the whole journal, rising, gap-safe across writers.
    pub position: u64,
    /// The stream.
    pub stream: StreamName,
    /// Number in its stream, from 1.
    pub sequence: u64,
    /// Fencing token it was written with; 0 where none is needed.
    pub token: u64,
    /// When it was recorded; never goes backwards within a stream.
    pub recorded_at: Timestamp,
    /// Type of the fact.
    pub kind: String,
    /// Version of the body's format.
    pub version: u32,
    /// The fact, as JSON. Empty when pruned.
    pub body: String,
    /// SHA-256 over the envelope and the previous hash.
    pub hash: [u8; 32],
}

/// A fact to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Type of the fact.
    pub kind: &'static str,
    /// Version of the body's format.
    pub version: u32,
    /// The fact, as JSON.
    pub body: String,
}

/// Facts to be appended to one stream, all or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Append {
    /// The stream; absent only in a default value.
    pub stream: Option<StreamName>,
    /// The stream's last sequence; absent: whatever it is.
    pub expected: Option<u64>,
    /// Fencing token; checked for runs, absent for other streams.
    pub token: Option<u64>,
    /// Time of recording; brought forward where the stream is already later.
    pub at: Option<Timestamp>,
    /// The facts.
    pub records: Vec<NewRecord>,
    /// Blobs they refer to, by SHA-256 in hex.
    pub blobs: Vec<(String, Arc<[u8]>)>,
    /// Requests these facts answer.
    pub answers: Vec<String>,
    /// The run's line in the list of runs, where it has changed.
    pub summary: Option<RunSummary>,
    /// Checkpoint of the state after these facts.
    pub checkpoint: Option<Checkpoint>,
}

/// A stored state of a run: a cache, never the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Last sequence it includes.
    pub sequence: u64,
    /// Version of the engine that wrote it; another version ignores it.
    pub engine: u32,
    /// The state.
    pub body: Arc<[u8]>,
}

/// Where a stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Last sequence; 0 for an empty stream.
    pub sequence: u64,
    /// Hash of the last record.
    pub hash: [u8; 32],
    /// Time of the last record.
    pub recorded_at: Timestamp,
}

/// One line of the list of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Id.
    pub run: RunId,
    /// Service.
    pub service: ServiceName,
    /// Operation.
    pub operation: Operation,
    /// Intent.
    pub intent: Intent,
    /// Status.
    pub status: RunStatus,
    /// Site it leaves.
    pub from: Option<SiteName>,
    /// Site it moves to.
    pub to: Option<SiteName>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Key that makes a start unique.
    pub idempotency_key: Option<String>,
    /// Holds the lock of its service until it is terminal. Only real runs and live drills do.
    pub locks_service: bool,
    /// Its objectives against what was measured, once it is terminal.
    #[serde(default)]
    pub verdict: Option<Verdict>,
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Unique per process start.
    pub id: String,
    /// Process id.
    pub pid: u32,
    /// Host name.
    pub host: String,
    /// Person or service account.
    pub name: String,
}

/// The lease of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Fencing token; rises with every grant.
    pub token: u64,
    /// Who holds it; absent after a release.
    pub holder: Option<Holder>,
    /// Whether the holder is alive.
    pub alive: bool,
}

/// What a journal says about its own soundness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Streams looked at.
    pub streams: u64,
    /// Records looked at.
    pub records: u64,
    /// Records whose body was pruned.
    pub pruned: u64,
    /// Damage, one line each; empty: sound.
    pub damage: Vec<String>,
    /// Hash over all heads, in hex, for keeping elsewhere.
    pub head: String,
}

/// Why the journal could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The lease has passed to somebody else; nothing was written.
    #[error("the lease of {stream} has passed on (token {held} is stale, {current} is current)")]
    Fenced {
        /// The stream.
        stream: StreamName,
        /// Token of the writer.
        held: u64,
        /// Token in force.
        current: u64,
    },
    /// Somebody else has appended; nothing was written.
    #[error("{stream} is at {actual}, not at {expected}")]
    Conflict {
        /// The stream.
        stream: StreamName,
        /// Sequence expected.
        expected: u64,
        /// Sequence found.
        actual: u64,
    },
    /// Another process drives the run.
    #[error("run {run} is driven by {} (pid {}, {})", .holder.name, .holder.pid, .holder.host)]
    Held {
        /// The run.
        run: RunId,
        /// Who drives it.
        holder: Holder,
    },
    /// Another real run works on the service.
    #[error("service {service} is locked by run {run}")]
    ServiceLocked {
        /// The service.
        service: ServiceName,
        /// The run.
        run: RunId,
    },
    /// A run with this idempotency key exists.
    #[error("run {run} was started with the same idempotency key")]
    DuplicateStart {
        /// The run.
        run: RunId,
    },
    /// The run does not exist.
    #[error("there is no run {0}")]
    UnknownRun(String),
    /// The inbox of the run is full.
    #[error("run {0} has too many unanswered requests")]
    InboxFull(RunId),
    /// What is stored cannot be trusted.
    #[error("journal damaged: {0}")]
    Damaged(String),
    /// Written by a newer drctl.
    #[error("journal format {found} is newer than this drctl understands ({known}); use a newer drctl")]
    TooNew {
        /// Format found.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// The store did not answer, refused, or is full. Nothing was written, except where the message says
    /// that a failed
    /// commit leaves it open; then only opening the journal again tells.
    #[error("journal unavailable: {0}")]
    Unavailable(String),
}

/// Append-only events of all runs, with leases and a request inbox.
pub trait Journal: Send + Sync {
    /// Appends to one or more streams, all or none. Durable when it returns.
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<Vec<Head>, JournalError>>;

    /// Reads a stream after a sequence, in order, at most `limit`. The hash chain is checked.
    fn read<'a>(
        &'a self,
        stream: &'a StreamName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, JournalError>>;

    /// Reads all streams after a position, in order, at most `limit`. Never passes over a record that
    /// appears later.
    fn read_after(&self, position: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Record>, JournalError>>;

    /// Newest checkpoint of a run.
    fn checkpoint<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Checkpoint>, JournalError>>;

    /// Reads a blob by its SHA-256 in hex. The digest is checked.
    fn blob<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, JournalError>>;

    /// Grants the lease of a run to a holder: a token higher than any before. Refused while another live
    /// holder has it.
    fn grant<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<u64, JournalError>>;

    /// Gives a lease back.
    fn release<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Who holds the lease of a run.
    fn lease<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Lease>, JournalError>>;

    /// Puts a request into a run's inbox. A request with a known id changes nothing.
    fn submit<'a>(&'a self, run: &'a RunId, request: &'a Request) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Unanswered requests of a run, oldest first.
    fn inbox<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Vec<Request>, JournalError>>;

    /// Runs, newest first.
    fn runs<'a>(&'a self, filter: &'a RunFilter) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>>;

    /// Returns when the journal may have changed since the last call, by whomever, or when `within` has
    /// passed.
    fn changed(&self, within: Duration) -> BoxFuture<'_, ()>;
}

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Ids that begin like this.
    pub prefix: Option<String>,
    /// Only of this service.
    pub service: Option<ServiceName>,
    /// Only those not over.
    pub open: bool,
    /// Simulated runs as well.
    pub simulated: bool,
    /// At most this many; 0: no limit.
    pub limit: usize,
}

/// What a person does to a journal as a whole.
pub trait JournalAdmin: Journal {
    /// Checks every chain, head, digest and the store itself.
    fn verify(&self) -> BoxFuture<'_, Result<Verification, JournalError>>;

    /// Writes a consistent copy while work goes on.
    fn backup<'a>(&'a self, path: &'a std::path::Path) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Drops the bodies of runs that ended before a time; heads, hashes and the list stay. Returns how many
    /// runs.
    fn prune(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>>;

    /// One line about the store: kind, place, durability, format.
    fn describe(&self) -> String;
}
