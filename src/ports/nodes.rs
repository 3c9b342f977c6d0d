//! The processes that serve on one journal, and the runs that passed from one to another. Decides nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::id::RunId;
use crate::model::time::{Duration, Timestamp};

/// What a process that serves tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// What people call it.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// Version of drctl.
    pub version: String,
}

/// A process that serves, as the journal knows it. All times are by the clock of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// Unique per process start.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// Version of drctl.
    pub version: String,
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Since when it serves.
    pub since: Timestamp,
    /// When it was last heard of.
    pub seen: Timestamp,
    /// Whether it was heard of within the time of a lease.
    pub up: bool,
    /// Runs that it drives.
    pub driving: u64,
    /// Runs that it took over from a process that was lost.
    pub takeovers: u64,
}

impl Node {
    /// Says whether another process serves at the same time under the same name: their metrics cannot be told
    /// apart. One that was lost, and came back under its name, is not meant.
    #[must_use]
    pub fn is_confused_with(&self, other: &Self) -> bool {
        let both_up = self.up && other.up && self.seen > other.since && other.seen > self.since;
        self.id != other.id && self.name == other.name && both_up
    }
}

/// A run that passed from a process that was lost to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Takeover {
    /// The run.
    pub run: RunId,
    /// Its fencing token from then on.
    pub token: u64,
    /// When, by the clock of the journal.
    pub at: Timestamp,
    /// Who drove it before.
    pub from: String,
    /// Who drives it from then on.
    pub to: String,
    /// Time from the end of the lease before to this grant; absent where the holder before had given up.
    pub after: Option<Duration>,
}
