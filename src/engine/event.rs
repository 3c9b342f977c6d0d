//! Facts, in the past tense: the only thing stored about a run. Old journals must open for ever, so
//! variants and fields are added, never changed.

pub use super::detail::{
    Applied, AttemptStarted, Attested, ChildRun, ClockMark, DrillOutcome, FenceResult, MissingConsent,
    NodeSucceeded, ParentRun, Reading, RunCreated, SkipCause, Want,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input::{AttemptKey, Consents, Observation};
use crate::model::run::{Failure, Identity, Mode, RunStatus};
use crate::model::time::{Duration, Timestamp};
use crate::plan::NodeIndex;

/// Version of the events this build writes.
pub const FORMAT: u32 = 1;

/// A fact about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run exists.
    RunCreated(Box<RunCreated>),
    /// A staged run was started by a person.
    RunStarted {
        /// Who.
        by: Identity,
    },
    /// A driver took the run over.
    TookOver {
        /// Fencing token of its lease.
        token: u64,
        /// Who drives now.
        holder: String,
        /// Name of the machine it runs on.
        host: String,
        /// Where programs leave their traces there; absent: nobody can tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traces: Option<String>,
        /// Deadlines are later by this much, because the clocks of two machines differ.
        skew: Duration,
    },
    /// All needs are met; what `undo` will need is being read.
    NodeReady {
        /// The node.
        node: NodeIndex,
    },
    /// An attempt is about to be made. Durable before anything is called.
    AttemptStarted(AttemptStarted),
    /// A long operation was started.
    HandleReturned {
        /// The attempt.
        attempt: AttemptKey,
        /// What finds the operation.
        handle: Value,
    },
    /// A run that a node began was heard of.
    ChildReported {
        /// The node.
        node: NodeIndex,
        /// What was heard.
        child: ChildRun,
    },
    /// The outcome of an attempt is unknown.
    AttemptInDoubt {
        /// The attempt.
        attempt: AttemptKey,
        /// Why.
        why: String,
    },
    /// Somebody looked whether the effect is true.
    Observed {
        /// The attempt.
        attempt: AttemptKey,
        /// What was seen.
        observation: Observation,
        /// For one under way: until when it is followed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
    },
    /// The observation could not be believed yet, or could not tell; another follows.
    ObserveAgain {
        /// The node.
        node: NodeIndex,
        /// When.
        at: Timestamp,
        /// What was in the way.
        failure: Option<Failure>,
    },
    /// Only a person can resolve the doubt.
    PersonNeeded {
        /// The node.
        node: NodeIndex,
        /// Why.
        why: String,
    },
    /// An attempt failed; another follows.
    RetryScheduled {
        /// The node.
        node: NodeIndex,
        /// When.
        at: Timestamp,
        /// What went wrong.
        failure: Failure,
        /// Whether it used up an attempt.
        counts: bool,
    },
    /// A check looked.
    Looked {
        /// The node.
        node: NodeIndex,
        /// Successes in a row.
        streak: u32,
        /// When it looks again.
        again_at: Timestamp,
        /// Why the look did not succeed.
        failure: Option<Failure>,
    },
    /// The node waits for a time.
    WaitStarted {
        /// The node.
        node: NodeIndex,
        /// Until when.
        until: Timestamp,
    },
    /// The node is done.
    NodeSucceeded(NodeSucceeded),
    /// The node failed for good.
    NodeFailed {
        /// The node.
        node: NodeIndex,
        /// What went wrong.
        failure: Failure,
        /// Whether its effect may be there.
        applied: Applied,
    },
    /// The run goes on without the failed node.
    FailureIgnored {
        /// The node.
        node: NodeIndex,
    },
    /// The node is left out.
    NodeSkipped {
        /// The node.
        node: NodeIndex,
        /// Why.
        why: SkipCause,
    },
    /// A person did it by hand.
    NodeMarkedDone {
        /// The node.
        node: NodeIndex,
        /// Its outputs.
        outputs: Map<String, Value>,
        /// Who.
        by: Identity,
        /// Why.
        reason: String,
    },
    /// A person lets safety edges count as met.
    SafetyOverridden {
        /// The node whose edges they are.
        node: NodeIndex,
        /// Who.
        by: Identity,
        /// Why.
        reason: String,
    },
    /// The node will not begin any more.
    NodeCancelled {
        /// The node.
        node: NodeIndex,
        /// Why.
        why: String,
    },
    /// A person asked for the node to be tried again.
    NodeReset {
        /// The node.
        node: NodeIndex,
        /// Who.
        by: Identity,
        /// It is looked at once more before anything begins.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        look: bool,
    },
    /// People are asked.
    ApprovalRequested {
        /// The node.
        node: NodeIndex,
        /// When the request ends.
        expires_at: Option<Timestamp>,
        /// What they should read.
        message: Option<String>,
    },
    /// A person answered.
    VoteCast {
        /// The node.
        node: NodeIndex,
        /// Who.
        by: Identity,
        /// Yes or no.
        granted: bool,
    },
    /// The request has ended without enough answers.
    ApprovalExpired {
        /// The node.
        node: NodeIndex,
    },
    /// The gate before the point of no return waits.
    GateReached {
        /// What is missing.
        missing: Vec<MissingConsent>,
    },
    /// A person gave consents.
    ConsentsGiven {
        /// Which; they add to earlier ones.
        consents: Consents,
        /// Who.
        by: Identity,
    },
    /// The gate is open.
    GatePassed {
        /// What was accepted.
        consents: Consents,
        /// The data loss it was accepted with, where measured.
        data_loss: Option<Duration>,
    },
    /// A recovery point was read.
    ReadingTaken(Reading),
    /// What people want has changed.
    WantChanged {
        /// What they want now.
        want: Want,
        /// Who; absent: a step's policy.
        by: Option<Identity>,
        /// Why.
        reason: Option<String>,
    },
    /// The mode has changed.
    ModeSwitched {
        /// New mode.
        mode: Mode,
        /// Who.
        by: Identity,
        /// Why.
        reason: String,
    },
    /// Nodes that have not begun are observed first.
    AdoptionRequested {
        /// Who.
        by: Identity,
    },
    /// A request was answered.
    RequestAnswered {
        /// Its id.
        id: String,
        /// Its verb.
        verb: String,
        /// Who asked.
        by: Identity,
        /// From where, such as `cli@host` or `api@address`; absent in older journals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Why.
        reason: Option<String>,
        /// What was wrong with it; absent: accepted.
        refused: Option<String>,
    },
    /// An effect was taken back.
    NodeUndone {
        /// The node.
        node: NodeIndex,
    },
    /// An effect could not be taken back.
    UndoFailed {
        /// The node.
        node: NodeIndex,
        /// What went wrong.
        failure: Failure,
    },
    /// A drill is ended early, as soon as what it is doing lets it.
    DrillCut {
        /// Who.
        by: Identity,
        /// Why.
        reason: Option<String>,
    },
    /// A drill is wound up from here on.
    CleanupBegan {
        /// What has become of it so far.
        outcome: DrillOutcome,
        /// Who wants it; absent: it has come to its end, or failed.
        by: Option<Identity>,
        /// Why.
        reason: Option<String>,
        /// Nodes whose effect stays, because the real operation uses it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keep: Vec<NodeIndex>,
    },
    /// A person has said whether the drill has passed.
    Attested(Attested),
    /// A part of the recovery time objective is used up.
    BurnReached {
        /// Percent.
        percent: u32,
        /// Time since the recovery clock began.
        elapsed: Duration,
    },
    /// By what is expected of the steps left the objective will be missed.
    ForecastBreached {
        /// Expected recovery time.
        forecast: Duration,
        /// The objective.
        objective: Duration,
        /// The node the time goes to.
        node: Option<NodeIndex>,
    },
    /// By what is expected of the steps left the objective will be met after all.
    ForecastRecovered {
        /// Expected recovery time.
        forecast: Duration,
    },
    /// A point of the split clock was passed.
    ClockMarked {
        /// Which.
        mark: ClockMark,
    },
    /// The run's status has changed.
    StatusChanged {
        /// New status.
        status: RunStatus,
        /// Why.
        cause: Option<String>,
    },
}

impl Event {
    /// The type under which the event is stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RunCreated(_) => "run_created",
            Self::RunStarted { .. } => "run_started",
            Self::TookOver { .. } => "took_over",
            Self::NodeReady { .. } => "node_ready",
            Self::AttemptStarted(_) => "attempt_started",
            Self::HandleReturned { .. } => "handle_returned",
            Self::ChildReported { .. } => "child_reported",
            Self::AttemptInDoubt { .. } => "attempt_in_doubt",
            Self::Observed { .. } => "observed",
            Self::ObserveAgain { .. } => "observe_again",
            Self::PersonNeeded { .. } => "person_needed",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::Looked { .. } => "looked",
            Self::WaitStarted { .. } => "wait_started",
            Self::NodeSucceeded(_) => "node_succeeded",
            Self::NodeFailed { .. } => "node_failed",
            Self::FailureIgnored { .. } => "failure_ignored",
            Self::NodeSkipped { .. } => "node_skipped",
            Self::NodeMarkedDone { .. } => "node_marked_done",
            Self::SafetyOverridden { .. } => "safety_overridden",
            Self::NodeCancelled { .. } => "node_cancelled",
            Self::NodeReset { .. } => "node_reset",
            Self::ApprovalRequested { .. } => "approval_requested",
            Self::VoteCast { .. } => "vote_cast",
            Self::ApprovalExpired { .. } => "approval_expired",
            Self::GateReached { .. } => "gate_reached",
            Self::ConsentsGiven { .. } => "consents_given",
            Self::GatePassed { .. } => "gate_passed",
            Self::ReadingTaken(_) => "reading_taken",
            Self::WantChanged { .. } => "want_changed",
            Self::ModeSwitched { .. } => "mode_switched",
            Self::AdoptionRequested { .. } => "adoption_requested",
            Self::RequestAnswered { .. } => "request_answered",
            Self::NodeUndone { .. } => "node_undone",
            Self::UndoFailed { .. } => "undo_failed",
            Self::DrillCut { .. } => "drill_cut",
            Self::CleanupBegan { .. } => "cleanup_began",
            Self::Attested(_) => "attested",
            Self::BurnReached { .. } => "burn_reached",
            Self::ForecastBreached { .. } => "forecast_breached",
            Self::ForecastRecovered { .. } => "forecast_recovered",
            Self::ClockMarked { .. } => "clock_marked",
            Self::StatusChanged { .. } => "status_changed",
        }
    }
}
