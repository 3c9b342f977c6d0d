//! What keeps facts: appended in order under a lease, read back for ever. Never says what they mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BoxFuture;
use super::afar::Refusal;
use super::nodes::{Node, NodeFacts, Takeover};
use super::record::{Append, Checkpoint, Head, Record, RunSummary, StreamName};
use crate::engine::input::Request;
use crate::model::id::{RunId, ServiceName};
use crate::model::time::{Duration, Timestamp};

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

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (pid {}, {})", self.name, self.pid, self.host)
    }
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The lease has run out, because this process was held up or cut off; nothing was written.
    #[error(
        "the lease of {stream} has run out (token {token}): this process was held up, or cut off from the journal"
    )]
    Lapsed {
        /// The stream.
        stream: StreamName,
        /// Token of the lease.
        token: u64,
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
    #[error("run {run} is driven by {holder}")]
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
    /// The server that keeps the journal said no, or could not be asked.
    #[error("{0}")]
    Afar(Box<Refusal>),
}

/// Append-only events of all runs, with leases and a request inbox. No method has a body of its own: whatever
/// stands in front of a journal and forgot one would answer in its place.
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

    /// Makes sure that a lease this process was granted is good for a while longer: to be asked before each
    /// effect, so that none is begun under a lease that is about to run out. Where leases do not run out, it
    /// always is.
    fn confirm<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Gives a lease back.
    fn release<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Who holds the lease of a run.
    fn lease<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Lease>, JournalError>>;

    /// Runs that are not over and that no live process drives, oldest first, at most `limit`.
    fn undriven(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>>;

    /// Runs that are not over, that no other run began and that no live process drives, simulated ones as
    /// well, oldest first, at most `limit`.
    fn free(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>>;

    /// Tells the others on this journal that this process serves, from now on and for as long as it lives.
    /// Its leases bear the name of the node. A journal of one machine has no others to tell.
    fn announce<'a>(&'a self, node: &'a NodeFacts) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Tells the others that this process serves no longer.
    fn withdraw(&self) -> BoxFuture<'_, Result<(), JournalError>>;

    /// Processes that serve on this journal or did so lately, by name. A journal of one machine knows none.
    fn nodes(&self) -> BoxFuture<'_, Result<Vec<Node>, JournalError>>;

    /// Runs that were taken over from processes that were lost, newest first, at most `limit`. A journal of
    /// one machine keeps no list of them.
    fn takeovers(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Takeover>, JournalError>>;

    /// Puts a request into a run's inbox. A request with a known id changes nothing.
    fn submit<'a>(&'a self, run: &'a RunId, request: &'a Request) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Unanswered requests of a run, oldest first.
    fn inbox<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Vec<Request>, JournalError>>;

    /// One run as the list of runs has it.
    fn summary<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<RunSummary>, JournalError>>;

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
    /// Only those that no other run began.
    pub outermost: bool,
    /// At most this many; 0: no limit.
    pub limit: usize,
}

/// A part of a journal on its way into another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Records in order of position, each with the SHA-256 of its body where that was pruned.
    Records(Vec<(Record, Option<[u8; 32]>)>),
    /// Content-addressed blobs.
    Blobs(Vec<(String, Vec<u8>)>),
    /// Lines of the list of runs, and whether what the run did was pruned.
    Runs(Vec<(RunSummary, bool)>),
    /// Requests, oldest first: the run, the id, and the request as JSON where it is not answered yet.
    Requests(Vec<(String, String, Option<String>)>),
    /// The newest fencing token of each run. Who held it is not copied.
    Tokens(Vec<(String, u64)>),
}

/// What a person does to a journal as a whole. As in [`Journal`], no method has a body of its own.
pub trait JournalAdmin: Journal {
    /// Sends everything but checkpoints, as it is at one moment: first the records, then the rest. Returns
    /// the hash over all heads, in hex, as [`Verification::head`].
    fn dump(&self, into: tokio::sync::mpsc::Sender<Part>) -> BoxFuture<'_, Result<String, JournalError>>;

    /// Takes a part of another journal as it is: positions, times, hashes and tokens stay. Records must
    /// follow those that are there.
    fn fill(&self, part: Part) -> BoxFuture<'_, Result<(), JournalError>>;

    /// Checks every chain, head, digest and the store itself.
    fn verify(&self) -> BoxFuture<'_, Result<Verification, JournalError>>;

    /// Writes a consistent copy while work goes on.
    fn backup<'a>(&'a self, path: &'a std::path::Path) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Names of the streams that begin with a text, in order.
    fn streams<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<StreamName>, JournalError>>;

    /// Drops the bodies of runs that ended before a time; heads, hashes and the list stay. Returns how many
    /// runs.
    fn prune(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>>;

    /// Drops the bodies of old records of streams that never end: deliveries, what triggers made of them,
    /// readings, readiness. The newest records of each stream and those of the last week keep theirs; heads
    /// and hashes stay. Returns how many records.
    fn prune_streams(&self, before: Timestamp, now: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>>;

    /// One line about the store: kind, place, durability, format.
    fn describe(&self) -> String;
}
