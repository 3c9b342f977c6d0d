//! Actions on PostgreSQL servers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::{ActionSpec, Doubt, DrillDefault, Effect, Role, SPEC};
use crate::model::policy::Reversibility;
use crate::model::run::words;
use crate::model::time::Duration;

/// Parameters of `postgres.check_replication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckReplication {
    /// Connection string of the standby.
    pub standby: String,
    /// Connection string of the primary, where it should be asked as well.
    pub primary: Option<String>,
    /// Largest lag that counts as healthy.
    pub max_lag: Option<Duration>,
}

impl CheckReplication {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Reads how far a standby is behind its primary.",
        role: Role::Reading,
        outputs: &[
            ("in_recovery", "whether the server is a standby"),
            (
                "lag_ms",
                "time behind the primary; 0 when everything received is replayed and the receiver runs",
            ),
            ("lag_bytes", "bytes behind the primary, where it was asked"),
            ("streaming", "whether the standby receives"),
        ],
        ..SPEC
    };
}

words! {
    /// How an old primary is kept from accepting writes.
    FenceMethod {
        /// Stop the server with `stop_command`. Confirmed when it no longer answers.
        Stop = "stop",
        /// Default transactions to read-only and end other sessions. Advisory: a client can undo it.
        ReadOnly = "read_only",
    }
}

/// Parameters of `postgres.fence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    /// Connection string of the old primary.
    pub primary: String,
    /// How it is fenced.
    pub method: FenceMethod,
    /// Program and arguments that stop the server (`method: stop`); no shell reads them.
    #[serde(default)]
    pub stop_command: Vec<String>,
    /// Program and arguments that start it again, for undo.
    #[serde(default)]
    pub start_command: Vec<String>,
}

impl Fence {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Keeps an old primary from accepting writes: stops it, or makes it read-only (advisory).",
        effect: Effect::Mutate,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        role: Role::Fence,
        prepares: true,
        timeout: Duration::from_secs(60),
        estimate: Duration::from_secs(3),
        outputs: &[
            ("confirmed", "whether the primary is known not to accept writes"),
            ("advisory", "whether a client could undo it"),
        ],
        ..SPEC
    };
}

/// Parameters of `postgres.promote`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Promote {
    /// Connection string of the standby.
    pub standby: String,
    /// How long the server itself may take; default 60s.
    pub wait: Option<Duration>,
}

impl Promote {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Promotes a standby and waits until it has left recovery.",
        effect: Effect::Mutate,
        reversibility: Reversibility::Irreversible,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        role: Role::Promote,
        timeout: Duration::from_secs(120),
        poll_interval: Duration::from_millis(50),
        estimate: Duration::from_secs(2),
        outputs: &[
            ("timeline", "timeline after promotion"),
            ("already", "whether it had been promoted before"),
        ],
        ..SPEC
    };
}

/// Parameters of `postgres.rejoin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejoin {
    /// Data directory of the old primary.
    pub data_directory: String,
    /// Program and arguments that make the old primary follow the new one, such as `pg_rewind … -R`.
    #[schemars(length(min = 1))]
    pub rewind_command: Vec<String>,
    /// Program and arguments that start the server afterwards.
    #[schemars(length(min = 1))]
    pub start_command: Vec<String>,
    /// Connection string of the old primary, to see that it follows.
    pub standby: String,
}

impl Rejoin {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Makes a stopped old primary a standby of the new one and waits until it receives; writes \
                  standby.signal before anything else.",
        effect: Effect::Mutate,
        reversibility: Reversibility::Irreversible,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        timeout: Duration::from_secs(600),
        estimate: Duration::from_secs(10),
        outputs: &[("in_recovery", "whether it now is a standby"), ("streaming", "whether it receives")],
        ..SPEC
    };
}

/// Parameters of `postgres.query`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Connection string.
    pub connection: String,
    /// One statement, run inside a read-only transaction unless `write` is set.
    pub sql: String,
    /// Values for `$1`, `$2`, …, bound as text.
    #[serde(default)]
    pub values: Vec<Value>,
    /// The statement may change something.
    #[serde(default)]
    pub write: bool,
}

impl Query {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Runs one statement and returns its rows.",
        effect: Effect::Mutate,
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Ask,
        drill: DrillDefault::MustDeclare,
        outputs: &[("rows", "rows as objects"), ("row_count", "how many there are")],
        ..SPEC
    };
}

words! {
    /// What a heartbeat action does.
    HeartbeatTask {
        /// Read the newest heartbeat on the standby.
        Read = "read",
        /// Create the table where needed and write a heartbeat.
        Beat = "beat",
    }
}

/// Parameters of `postgres.heartbeat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Connection string of the server to read or write.
    pub connection: String,
    /// Read or beat; default read.
    pub task: Option<HeartbeatTask>,
    /// Table, with schema where wanted; default `drctl_heartbeat`.
    pub table: Option<String>,
}

impl Heartbeat {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Reads or writes a heartbeat row: the newest row on a standby is its recovery point.",
        role: Role::Reading,
        outputs: &[
            ("recovery_point_at", "time of the newest heartbeat on this server"),
            ("lag_ms", "age of that heartbeat by the server's clock"),
        ],
        ..SPEC
    };
}
