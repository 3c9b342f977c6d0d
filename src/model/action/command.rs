//! Actions that run a program.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::{ActionSpec, Doubt, DrillDefault, Effect, SPEC};
use crate::model::policy::Reversibility;
use crate::model::time::Duration;

/// Parameters of `command.run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an authored flag of its own")]
pub struct Run {
    /// Program and arguments; no shell reads them.
    #[schemars(length(min = 1))]
    pub argv: Vec<String>,
    /// Run `argv` joined by spaces with `sh -c`, only where a shell is really wanted.
    #[serde(default)]
    pub shell: bool,
    /// Variables added to the environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Working directory; default: where drctl was started.
    pub cwd: Option<String>,
    /// JSON given to the program on standard input.
    pub stdin: Option<Value>,
    /// Running it again after a lost reply is harmless.
    #[serde(default)]
    pub idempotent: bool,
    /// The program also answers `observe`: called with that word appended, it prints `{"state": "applied"}`,
    /// `not_applied`, `in_progress` or `unknown`.
    #[serde(default)]
    pub observes: bool,
    /// The program also answers `undo`: called with that word appended, it takes its effect back.
    #[serde(default)]
    pub undoes: bool,
    /// Keep what the program prints, as outputs and evidence. Default: yes, unless the step uses a secret.
    pub capture: Option<bool>,
    /// Time between SIGTERM and SIGKILL when the attempt is over; default 5s.
    pub grace: Option<Duration>,
}

impl Run {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Runs a program; JSON on its standard output becomes outputs.",
        effect: Effect::Mutate,
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        timeout: Duration::from_secs(300),
        estimate: Duration::from_secs(5),
        outputs: &[
            ("exit_code", "exit status of the program"),
            ("stdout", "what it printed, unless that was a JSON object"),
            ("…", "each field of a JSON object it printed"),
        ],
        ..SPEC
    };
}
