//! What goes over the wire, as `src/server/api/journal.rs` and `runs.rs` write it. A newer server may say
//! more: what is not known here is passed over.

use serde::{Deserialize, Serialize};

use super::server::CheckBegun;
use crate::engine::input::Control;
use crate::journal::record::unhex;
use crate::model::id::RunId;
use crate::model::time::Timestamp;
use crate::model::trigger::TriggerSource;
use crate::ports::{Holder, Node, Record, RunSummary, StreamName, Takeover};

/// What a server is.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct About {
    pub(super) version: String,
    pub(super) api: u32,
    pub(super) format: u32,
}

/// A page of records.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Records {
    pub(super) records: Vec<Stored>,
    pub(super) more: bool,
}

/// A record.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    position: u64,
    stream: String,
    sequence: u64,
    token: u64,
    recorded_at: Timestamp,
    kind: String,
    version: u32,
    body: String,
    hash: String,
}

impl Stored {
    /// The record; absent when its hash is none.
    pub(super) fn record(self) -> Option<Record> {
        Some(Record {
            hash: unhex(&self.hash)?,
            position: self.position,
            stream: StreamName::typed(self.stream),
            sequence: self.sequence,
            token: self.token,
            recorded_at: self.recorded_at,
            kind: self.kind,
            version: self.version,
            body: self.body,
        })
    }
}

/// A page of runs.
#[derive(Debug, Deserialize)]
pub(super) struct Runs {
    pub(super) runs: Vec<RunSummary>,
    #[serde(default)]
    pub(super) next: Option<RunId>,
}

/// The lease of a run.
#[derive(Debug, Deserialize)]
pub(super) struct Lease {
    pub(super) token: u64,
    #[serde(default)]
    pub(super) holder: Option<Holder>,
    pub(super) alive: bool,
}

/// Who serves on the journal.
#[derive(Debug, Deserialize)]
pub(super) struct Serving {
    pub(super) nodes: Vec<Node>,
    pub(super) takeovers: Vec<Takeover>,
}

/// Something asked of a run.
#[derive(Debug, Serialize)]
pub(super) struct Asked<'a> {
    pub(super) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    pub(super) control: &'a Control,
}

/// It is in the inbox.
#[derive(Debug, Deserialize)]
pub(super) struct Taken {
    #[serde(default)]
    pub(super) notes: Vec<String>,
}

/// What came of wanting a run.
#[derive(Debug, Deserialize)]
pub(super) struct Started {
    pub(super) run: StartedRun,
    pub(super) new: bool,
    #[serde(default)]
    pub(super) notes: Vec<String>,
}

/// What came of wanting checks.
#[derive(Debug, Deserialize)]
pub(super) struct Checking {
    pub(super) subject: String,
    pub(super) fleet: bool,
    pub(super) checks: Vec<CheckBegun>,
    #[serde(default)]
    pub(super) notes: Vec<String>,
}

/// A webhook that a server listens at.
#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    pub(super) name: String,
    pub(super) kind: TriggerSource,
}

/// What came of setting something, as far as it is told to people.
#[derive(Debug, Deserialize)]
pub(super) struct Noted {
    #[serde(default)]
    pub(super) notes: Vec<String>,
}

/// The run that was started; everything else about it is read from its events.
#[derive(Debug, Deserialize)]
pub(super) struct StartedRun {
    pub(super) id: String,
}

/// A page of what a server has on its shelf.
#[derive(Debug, Deserialize)]
pub(super) struct Shelf {
    pub(super) sheets: Vec<Sheet>,
    pub(super) more: bool,
}

/// A file of a configured folder of a server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sheet {
    /// The folder, as the server's configuration names it.
    pub folder: String,
    /// Its path inside.
    pub path: String,
    /// What it says.
    pub text: String,
    /// Why the server cannot read it, or look into it.
    #[serde(default)]
    pub unreadable: Option<String>,
}
