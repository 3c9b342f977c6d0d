//! What the facts of a run carry. Stored like them: fields and variants are added, never changed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input::{AttemptKey, Consents, Direction};
use super::readings::KnownReading;
use crate::model::id::{NodeAddress, RunId, ServiceName, SiteName};
use crate::model::run::{Identity, Intent, Mode, Operation, RunStatus, words};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{NodeIndex, ReadingPoint};

/// The first event of every run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCreated {
    /// Id of the run.
    pub run: RunId,
    /// The service.
    pub service: ServiceName,
    /// What the run does.
    pub operation: Operation,
    /// Why it exists.
    pub intent: Intent,
    /// Mode it starts in.
    pub mode: Mode,
    /// Site the service leaves.
    pub from: Option<SiteName>,
    /// Site it moves to.
    pub to: Option<SiteName>,
    /// SHA-256 of the plan; the plan itself is a blob of that name.
    pub plan: String,
    /// SHA-256 of the runbook's text; the text is a blob of that name.
    pub runbook: String,
    /// Why it was started.
    pub reason: Option<String>,
    /// Who started it.
    pub started_by: Identity,
    /// From where: terminal, schedule, webhook.
    pub trigger: String,
    /// When the incident began.
    pub incident_at: Option<Timestamp>,
    /// When it was noticed.
    pub detected_at: Option<Timestamp>,
    /// When the decision fell.
    pub declared_at: Timestamp,
    /// Consents given at the start.
    pub consents: Consents,
    /// Observe every node before starting it.
    pub adopt: bool,
    /// Waits for a person to start it, until then.
    pub staged_until: Option<Timestamp>,
    /// Version of drctl.
    pub version: String,
    /// Further facts, such as the scenario of a simulation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
    /// What was read of the recovery point before the run, between the same sites.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<KnownReading>,
    /// The run that began this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentRun>,
}

/// The run that began another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParentRun {
    /// Its id.
    pub run: RunId,
    /// The node of its plan.
    pub node: NodeAddress,
    /// The attempt of that node which began the run.
    pub attempt: u32,
}

/// What a run knows of one that it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChildRun {
    /// Its id.
    pub run: RunId,
    /// Its status when it was last heard of.
    pub status: RunStatus,
    /// Why it has this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// It does not go on without a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// It is stuck, or paused by a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trouble: bool,
}

/// An attempt is about to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptStarted {
    /// The attempt.
    pub attempt: AttemptKey,
    /// Apply or take back.
    pub direction: Direction,
    /// Rises after a known outcome, stays when a doubtful attempt is sent again.
    pub generation: u32,
    /// Mode of the run at this moment.
    pub mode: Mode,
    /// When the attempt runs out of time.
    pub deadline: Timestamp,
    /// What was read before the effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Value>,
}

/// A node is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSucceeded {
    /// The node.
    pub node: NodeIndex,
    /// Its outputs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// It was already true and nothing was done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// For a fence: whether it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<FenceResult>,
}

/// Whether a fence is known to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FenceResult {
    /// The old primary is known not to accept writes.
    Confirmed,
    /// It could not be reached, or the fence is advisory: for this reason.
    Unconfirmed(String),
}

words! {
    /// Whether a failed node's effect may be there.
    Applied {
        /// Certainly not.
        No = "no",
        /// Nobody knows.
        Unknown = "unknown",
        /// Certainly.
        Yes = "yes",
    }
}

/// Why a node is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipCause {
    /// Its condition is false.
    When,
    /// The mode leaves it out.
    Mode,
    /// Its group has enough successes.
    Enough,
    /// What it belongs to has failed.
    Failed,
    /// A drill of this level leaves it out, or ended before it was needed.
    Drill,
    /// A person left it out.
    Person {
        /// Who.
        by: Identity,
        /// Why.
        reason: String,
    },
}

/// A consent the gate waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingConsent {
    /// Type or pass this text.
    Confirm(String),
    /// Accept a data loss of at least this.
    AcceptLoss(Duration),
    /// Accept a data loss nobody can measure.
    AcceptUnmeasuredLoss,
    /// Accept that these fences could not be confirmed.
    AcceptUnfenced(Vec<String>),
}

/// A reading of the recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The node that took it.
    pub node: NodeIndex,
    /// When in the recovery.
    pub point: ReadingPoint,
    /// What was read, such as an action's name.
    pub source: String,
    /// Lag at that moment.
    pub lag: Option<Duration>,
    /// The newest time the standby's data is known to reach.
    pub recovery_point_at: Option<Timestamp>,
}

words! {
    /// What people want of a run.
    Want {
        /// Go on.
        Run = "run",
        /// Start no new step.
        Pause = "pause",
        /// Stop, held as it stands.
        Abort = "abort",
        /// Give up as failed.
        Fail = "fail",
        /// Take back what was applied.
        Unwind = "unwind",
        /// Wind a drill up: take back, return, clean up.
        CleanUp = "clean_up",
    }
}

words! {
    /// What has become of a drill when it is wound up.
    DrillOutcome {
        /// Everything was done, and its checks have passed.
        Passed = "passed",
        /// Something failed.
        Failed = "failed",
        /// A person ended it.
        Aborted = "aborted",
        /// A real run took over.
        Promoted = "promoted",
    }
}

/// What a person has said about a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attested {
    /// Whether it has passed.
    pub passed: bool,
    /// Who says so.
    pub by: Identity,
    /// Their notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

words! {
    /// Points of the split clock that a run passes.
    ClockMark {
        /// The first irreversible step is about to begin.
        PointOfNoReturn = "point_of_no_return",
        /// Users are on the new site.
        Shifted = "shifted",
        /// Validation has passed.
        Healthy = "healthy",
        /// A live drill begins to return the service.
        ReturnStarted = "return_started",
        /// Users are back on the old site.
        ReturnShifted = "return_shifted",
        /// The old site was validated.
        Returned = "returned",
    }
}
