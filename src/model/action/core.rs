//! Actions the engine performs itself: asking people, waiting, asserting.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::spec::{ActionSpec, Adapter, Doubt, DrillDefault, Effect, SPEC};
use crate::model::id::{ServiceName, SiteName};
use crate::model::policy::{NotBy, OnExpiry, Reversibility};
use crate::model::time::Duration;

/// Parameters of `approval.request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// What the approver should read.
    pub message: Option<String>,
    /// Roles that may approve; empty: anyone who may operate the run.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How many different people must approve; default 1.
    pub quorum: Option<u32>,
    /// How long it may take.
    pub expires: Option<Duration>,
    /// What follows when it takes longer; default `hold`.
    pub on_expiry: Option<OnExpiry>,
    /// People who may not approve.
    #[serde(default)]
    pub not_by: Vec<NotBy>,
}

impl ApprovalRequest {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Waits until enough people have approved.",
        estimate: Duration::from_secs(120),
        timeout: Duration::from_secs(86_400),
        outputs: &[("approved_by", "names of those who approved")],
        ..SPEC
    };
}

/// Parameters of `manual.task`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualTask {
    /// What is to be done, step by step.
    pub instructions: String,
    /// Who does it.
    pub owner: Option<String>,
}

impl ManualTask {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Waits until a person has done something by hand and says so with `drctl done`.",
        effect: Effect::Mutate,
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Ask,
        drill: DrillDefault::MustDeclare,
        estimate: Duration::from_secs(600),
        timeout: Duration::from_secs(86_400),
        ..SPEC
    };
}

/// Parameters of `wait.for`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitFor {
    /// How long to wait.
    pub duration: Duration,
}

impl WaitFor {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Waits for a fixed time. Prefer a `verify` check that waits for a fact.",
        timeout: Duration::from_secs(86_400),
        ..SPEC
    };
}

/// Parameters of `assert.that`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssertThat {
    /// Rendered; must be true.
    pub condition: Value,
    /// What to say when it is not.
    pub message: Option<String>,
}

impl AssertThat {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Fails unless a condition over earlier outputs holds.",
        estimate: Duration::ZERO,
        ..SPEC
    };
}

/// Parameters of `runbook.run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunbookRun {
    /// Name of its service, the `metadata.name` of a runbook in the configured folders. No template.
    pub runbook: ServiceName,
    /// Values of its parameters. They are needed when the plan is made.
    #[serde(default)]
    pub with: Map<String, Value>,
    /// Site the service leaves; default: where its record says it is, else by the roles of its sites.
    pub from: Option<SiteName>,
    /// Site it moves to; default: by the roles of its sites.
    pub to: Option<SiteName>,
}

impl RunbookRun {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Runs another runbook as a child run, with the operation and the mode of this one. \
                  The step ends as the child does.",
        effect: Effect::Mutate,
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        // The child has deadlines of its own.
        timeout: Duration::from_secs(7 * 86_400),
        estimate: Duration::from_secs(300),
        outputs: &[
            ("run", "id of the child run"),
            ("status", "how it ended: succeeded or succeeded_with_warnings"),
            ("verdict", "its objectives: met, missed, partial, not_measured or not_validated"),
            ("recovery_time_ms", "its recovery time in milliseconds, where it was measured"),
            ("rto_ms", "its recovery time objective in milliseconds, where it has one"),
            ("data_loss_ms", "the most data it lost in milliseconds, where it was measured"),
            ("rpo_ms", "its recovery point objective in milliseconds, where it has one"),
        ],
        ..SPEC
    };
}

/// Parameters of `notify.send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifySend {
    /// Channel named in the configuration.
    pub channel: String,
    /// What to say.
    pub message: String,
}

impl NotifySend {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sends a message to a configured channel. Not sent by this version.",
        effect: Effect::Mutate,
        reversibility: Reversibility::Compensable,
        drill: DrillDefault::Skip,
        adapter: Adapter::SimulatedOnly,
        ..SPEC
    };
}
