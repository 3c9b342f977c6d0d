//! What a run is called, wants and becomes: operation, mode, intent, statuses, failure classes, people.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Duration;

/// Declares a closed enum of words with the same text in JSON, on screen and on the command line.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used everywhere a person or a program reads it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    format!("`{text}` is not one of {}", words.join(", "))
                })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a run does to its service.
    Operation {
        /// Unplanned move; may lose data.
        Failover = "failover",
        /// Planned move; loses nothing.
        Switchover = "switchover",
        /// Return to where the service came from.
        Failback = "failback",
    }
}

words! {
    /// Whether the source still cooperates.
    Mode {
        /// The source answers: drain, sync, then move.
        Graceful = "graceful",
        /// The source is lost or must be treated as lost.
        Ungraceful = "ungraceful",
    }
}

impl Mode {
    /// The mode an operation starts in where nothing else is said.
    #[must_use]
    pub const fn of(operation: Operation) -> Self {
        match operation {
            Operation::Failover => Self::Ungraceful,
            Operation::Switchover | Operation::Failback => Self::Graceful,
        }
    }
}

words! {
    /// Why the run exists.
    Intent {
        /// Changes the estate.
        Real = "real",
        /// An exercise of the same code with another effect boundary.
        Drill = "drill",
        /// Prechecks only, read-only.
        Check = "check",
        /// On the simulated estate.
        Simulate = "simulate",
    }
}

words! {
    /// Where a step stands in a recovery, in safe order.
    Phase {
        /// Look before touching anything.
        Assess = "assess",
        /// Stop what could undo the recovery: deployments, reconcilers.
        Freeze = "freeze",
        /// Stop the old primary from accepting writes.
        Fence = "fence",
        /// A person or a rule decides.
        Decide = "decide",
        /// Bring data back from a copy.
        Restore = "restore",
        /// Make the standby's data writable.
        Promote = "promote",
        /// Bring capacity to what production needs.
        Scale = "scale",
        /// Start consumers and schedulers.
        Enable = "enable",
        /// Test on the direct endpoint, before users arrive.
        Verify = "verify",
        /// Send users to the new site.
        Shift = "shift",
        /// Prove the recovery with a real transaction.
        Validate = "validate",
        /// Make it final.
        Commit = "commit",
        /// Remove what is not needed any more.
        Cleanup = "cleanup",
        /// Rebuild protection in the other direction.
        Reprotect = "reprotect",
    }
}

impl Phase {
    /// Whether an effect of this phase interrupts the service or risks to.
    #[must_use]
    pub const fn interrupts(self) -> bool {
        matches!(self, Self::Freeze | Self::Fence | Self::Restore | Self::Promote | Self::Shift)
    }
}

words! {
    /// What the recovery clock counts from.
    ClockStart {
        /// When the incident began, as a person said.
        Incident = "incident",
        /// When the run was declared: nobody said when the incident began.
        Declaration = "declaration",
        /// When a planned move first touched the service.
        Interruption = "interruption",
    }
}

words! {
    /// Status of a run.
    RunStatus {
        /// Recorded, not begun.
        Pending = "pending",
        /// Waits for a person to start it.
        Staged = "staged",
        /// Steps are under way.
        Running = "running",
        /// No new step starts; what is under way ends first.
        Pausing = "pausing",
        /// Held until a person goes on.
        Paused = "paused",
        /// A gate or an approval waits for a person.
        AwaitingApproval = "awaiting_approval",
        /// A person must decide about a step.
        Stuck = "stuck",
        /// Applied steps are being undone, in reverse.
        Unwinding = "unwinding",
        /// A drill removes what it made.
        CleaningUp = "cleaning_up",
        /// All done and validated.
        Succeeded = "succeeded",
        /// Done, with ignored failures, overrides or interventions.
        SucceededWithWarnings = "succeeded_with_warnings",
        /// Undone before the point of no return.
        Unwound = "unwound",
        /// A step failed and the run gave up.
        Failed = "failed",
        /// A person stopped it, held as it stands.
        Aborted = "aborted",
        /// Waited beyond its time.
        Expired = "expired",
        /// A drill is over and waits for its attestation.
        AwaitingAttestation = "awaiting_attestation",
        /// A drill left something behind.
        CleanupIncomplete = "cleanup_incomplete",
    }
}

impl RunStatus {
    /// Says whether nothing can happen to the run any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded
            | Self::SucceededWithWarnings
            | Self::Unwound
            | Self::Failed
            | Self::Aborted
            | Self::Expired => true,
            Self::Pending
            | Self::Staged
            | Self::Running
            | Self::Pausing
            | Self::Paused
            | Self::AwaitingApproval
            | Self::Stuck
            | Self::Unwinding
            | Self::CleaningUp
            | Self::AwaitingAttestation
            | Self::CleanupIncomplete => false,
        }
    }

    /// Says whether the run stands still until a person acts.
    #[must_use]
    pub const fn needs_person(self) -> bool {
        match self {
            Self::Staged
            | Self::Paused
            | Self::AwaitingApproval
            | Self::Stuck
            | Self::AwaitingAttestation
            | Self::CleanupIncomplete => true,
            Self::Pending
            | Self::Running
            | Self::Pausing
            | Self::Unwinding
            | Self::CleaningUp
            | Self::Succeeded
            | Self::SucceededWithWarnings
            | Self::Unwound
            | Self::Failed
            | Self::Aborted
            | Self::Expired => false,
        }
    }
}

words! {
    /// Status of a node of a plan.
    NodeStatus {
        /// Its needs are not met yet.
        Pending = "pending",
        /// Its needs are met; it has not begun.
        Ready = "ready",
        /// An attempt is under way.
        Running = "running",
        /// A check waits for its next look, or a group for its members.
        Waiting = "waiting",
        /// Waits for a person's word.
        AwaitingApproval = "awaiting_approval",
        /// Failed, and will be tried again at a known time.
        Retrying = "retrying",
        /// The outcome of an attempt is unknown.
        InDoubt = "in_doubt",
        /// Done.
        Succeeded = "succeeded",
        /// Failed for good; a person or the policy decides.
        Failed = "failed",
        /// Failed, and the run goes on without it.
        FailedIgnored = "failed_ignored",
        /// Ran out of its time, and the run goes on without it.
        TimedOut = "timed_out",
        /// Not run.
        Skipped = "skipped",
        /// A person did it by hand.
        MarkedDone = "marked_done",
        /// Its effect was taken back.
        Undone = "undone",
        /// Taking its effect back failed.
        UndoFailed = "undo_failed",
        /// Given up before it began or while it waited.
        Cancelled = "cancelled",
    }
}

impl NodeStatus {
    /// Says whether the node is over as far as those that need it are concerned.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Succeeded | Self::FailedIgnored | Self::TimedOut | Self::Skipped | Self::MarkedDone => true,
            Self::Pending
            | Self::Ready
            | Self::Running
            | Self::Waiting
            | Self::AwaitingApproval
            | Self::Retrying
            | Self::InDoubt
            | Self::Failed
            | Self::Undone
            | Self::UndoFailed
            | Self::Cancelled => false,
        }
    }
}

words! {
    /// What kind of failure a provider saw; the engine decides what follows.
    FailureClass {
        /// May work when tried again.
        Transient = "transient",
        /// The service asks to slow down; does not use up an attempt.
        Throttled = "throttled",
        /// Will fail again.
        Permanent = "permanent",
        /// The request may have been applied.
        InDoubt = "in_doubt",
        /// Nothing was begun: a safety rule, policy or fence said no, or it could not be started.
        Refused = "refused",
        /// Nobody answered; certainly not applied.
        Unreachable = "unreachable",
        /// The attempt or the step ran out of time.
        TimedOut = "timed_out",
    }
}

/// What went wrong in one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The kind, which decides what follows.
    pub class: FailureClass,
    /// What a person should read; never holds a secret.
    pub message: String,
    /// When the service asked to be left alone: for how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// Makes a failure of a class with a message.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), retry_after: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.class)
    }
}

words! {
    /// How well drctl knows who is speaking.
    Authentication {
        /// Claimed: the OS user or `--as`.
        Asserted = "asserted",
        /// Proved by a token or a sign-on.
        Authenticated = "authenticated",
    }
}

/// A person or a program that asks for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Name of the person or program.
    pub name: String,
    /// How the name was established.
    pub authentication: Authentication,
    /// Roles, where known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

impl Identity {
    /// An identity that was only claimed.
    #[must_use]
    pub fn asserted(name: impl Into<String>) -> Self {
        Self { name: name.into(), authentication: Authentication::Asserted, roles: Vec::new() }
    }
}

words! {
    /// How a measured result compares with its objective.
    Verdict {
        /// Measured, and within the objective.
        Met = "met",
        /// Measured, and beyond the objective.
        Missed = "missed",
        /// One of recovery time and data loss is within its objective, the other was not measured.
        Partial = "partial",
        /// Nothing was measured, or there is no objective.
        NotMeasured = "not_measured",
        /// The run did not pass its validation: it has no recovery time.
        NotValidated = "not_validated",
    }
}
