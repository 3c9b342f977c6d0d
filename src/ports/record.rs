//! What a journal holds: records in streams, and what was folded from them. Never says how it is stored.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Intent, Operation, RunStatus, Verdict};
use crate::model::time::Timestamp;

/// Name of a stream of the journal: `run/<id>`, `evidence/<run>`, `service/<name>`, `schedule/<service>`,
/// `notify/<target>`, `readiness/<service>`, `readings`, `trigger/<service>`, `webhook/<name>`, `journal`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamName(String);

impl StreamName {
    /// Stream of a run.
    #[must_use]
    pub fn run(id: &RunId) -> Self {
        Self(format!("run/{id}"))
    }

    /// Stream of what people add beside the record of a run: findings.
    #[must_use]
    pub fn evidence(run: &RunId) -> Self {
        Self(format!("evidence/{run}"))
    }

    /// Stream of a service's record.
    #[must_use]
    pub fn service(name: &ServiceName) -> Self {
        Self(format!("service/{name}"))
    }

    /// Stream of the drills of a service that are due by its schedule.
    #[must_use]
    pub fn schedule(name: &ServiceName) -> Self {
        Self(format!("schedule/{name}"))
    }

    /// Stream of what was sent to a target of notifications.
    #[must_use]
    pub fn notify(target: &str) -> Self {
        Self(format!("notify/{target}"))
    }

    /// Stream of how ready a service was whenever that has changed.
    #[must_use]
    pub fn readiness(name: &ServiceName) -> Self {
        Self(format!("readiness/{name}"))
    }

    /// Stream of what was read between runs about the recovery points of all services.
    #[must_use]
    pub fn readings() -> Self {
        Self("readings".to_owned())
    }

    /// Stream of what became of what was reported about a service.
    #[must_use]
    pub fn trigger(name: &ServiceName) -> Self {
        Self(format!("trigger/{name}"))
    }

    /// Stream of what a webhook has delivered.
    #[must_use]
    pub fn webhook(name: &str) -> Self {
        Self(format!("webhook/{name}"))
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
    /// About nothing real: a power cut may take it, the death of the process may not.
    pub simulated: bool,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The run that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
}
