//! What the outside reports to a run. Inputs may be stale or duplicate: then they are rejected, never a
//! panic.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::detail::ChildRun;
use crate::model::id::NodeAddress;
use crate::model::run::{Failure, Identity, Mode, words};
use crate::model::time::Duration;
use crate::plan::NodeIndex;

/// A report from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Time has passed; deadlines are looked at.
    Tick,
    /// A driver holds a new lease: attempts of older tokens are in doubt.
    TookOver {
        /// Fencing token of the lease.
        token: u64,
        /// Who drives now.
        holder: String,
        /// Name of the machine it runs on.
        host: String,
        /// Where programs leave their traces there, see [`crate::ports::Began`].
        traces: Option<String>,
        /// How far this machine's clock is behind the last recorded time.
        skew: Duration,
    },
    /// What `undo` will need has been read; the attempt may start.
    Prepared {
        /// The node.
        node: NodeIndex,
        /// What was read, or why it could not be.
        result: Result<Option<Value>, Failure>,
    },
    /// A long operation was started.
    HandleReturned {
        /// The attempt.
        attempt: AttemptKey,
        /// What it takes to find the operation again.
        handle: Value,
    },
    /// The run that an attempt began was heard of.
    ChildReported {
        /// The attempt.
        attempt: AttemptKey,
        /// What was heard.
        child: ChildRun,
    },
    /// An attempt is over.
    AttemptEnded {
        /// The attempt.
        attempt: AttemptKey,
        /// What it returned.
        result: Result<Map<String, Value>, Failure>,
    },
    /// Somebody looked whether an effect is already true.
    Observed {
        /// The attempt in doubt, or the first one that is about to be saved.
        attempt: AttemptKey,
        /// What was seen.
        observation: Observation,
    },
    /// A person or a program asks for something.
    Request(Request),
}

/// One attempt of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptKey {
    /// The node.
    pub node: NodeIndex,
    /// Number of the attempt, from 1, over both directions.
    pub attempt: u32,
}

/// Answer to the question whether an effect is already true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// It is; these are the outputs.
    Applied(Map<String, Value>),
    /// It is not: somebody has looked.
    NotApplied,
    /// It never began, for this reason; the effect itself was not looked at.
    NeverBegan(String),
    /// It is under way; this is what it takes to follow it.
    InProgress(Value),
    /// The attempt has ended while nobody watched, and is known to have failed so.
    Failed(Failure),
    /// Nobody can tell, for this reason.
    Unknown(String),
}

words! {
    /// Whether an attempt applies an effect or takes it back.
    Direction {
        /// Applies it.
        Do = "do",
        /// Takes it back.
        Undo = "undo",
    }
}

/// Something asked of a run, as it lies in the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Unique; the same id is answered once.
    pub id: String,
    /// Who asks.
    pub by: Identity,
    /// From where: terminal, API, webhook.
    pub from: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What.
    pub control: Control,
}

/// What can be asked of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Begin a staged run.
    Start,
    /// Start no new step.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Stop, and hold everything as it stands.
    Abort,
    /// Take back what was applied, in reverse.
    Unwind,
    /// Treat the source as lost from here on.
    Mode(Mode),
    /// Try a failed or doubtful node again.
    Retry {
        /// The node.
        node: NodeAddress,
    },
    /// Leave a node out.
    Skip {
        /// The node.
        node: NodeAddress,
        /// Meet safety edges that need it all the same; recorded as an override.
        override_safety: bool,
    },
    /// A person did it by hand.
    Done {
        /// The node.
        node: NodeAddress,
        /// Its outputs.
        outputs: Map<String, Value>,
    },
    /// Agree to an approval, or give the consents of the gate.
    Approve {
        /// The node; absent: the only one that waits.
        node: Option<NodeAddress>,
        /// Consents, for the gate.
        consents: Consents,
    },
    /// Refuse an approval or the gate.
    Deny {
        /// The node; absent: the only one that waits.
        node: Option<NodeAddress>,
    },
    /// Observe every node that has not begun, and mark what is already true.
    Adopt,
    /// Say whether a drill has passed; the notes are the request's reason.
    Attest {
        /// Whether it has.
        passed: bool,
    },
    /// End a drill because the real operation takes over.
    Promote {
        /// Nodes whose effect the real operation uses.
        keep: Vec<NodeAddress>,
    },
}

impl Control {
    /// The verb a person types.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
            Self::Unwind => "unwind",
            Self::Mode(_) => "mode",
            Self::Retry { .. } => "retry",
            Self::Skip { .. } => "skip",
            Self::Done { .. } => "done",
            Self::Approve { .. } => "approve",
            Self::Deny { .. } => "deny",
            Self::Adopt => "adopt",
            Self::Attest { .. } => "attest",
            Self::Promote { .. } => "promote",
        }
    }
}

/// What a person has said before the point of no return. Each is given by name; none implies another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consents {
    /// `<service>:<to site>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// Largest data loss accepted; also accepts a loss that cannot be measured when `unmeasured` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_loss: Option<Duration>,
    /// A data loss that cannot be measured is accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_unmeasured_loss: bool,
    /// Fences that could not be confirmed are accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_unfenced: bool,
}

/// Why an input changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It speaks of something that is over.
    #[error("stale: {0}")]
    Stale(String),
    /// It was answered before.
    #[error("already answered")]
    Duplicate,
    /// It cannot be done now; the text says why and what can be done.
    #[error("{0}")]
    Refused(String),
}
