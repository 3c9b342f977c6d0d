//! What somebody wants: a run of a runbook, with everything that was said of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::estate::Simulated;
use super::interrupt::DrillFate;
use super::policy::Manner;
use crate::compile::Code;
use crate::engine::input::Consents;
use crate::model::id::SiteName;
use crate::model::run::{Intent, Mode, Operation};
use crate::model::time::{Duration, Timestamp};

/// What a plan is bound to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Binding {
    /// Runbook: a path, or the name of a service or file in the configured folders.
    pub runbook: String,
    /// Absent: ungraceful for a failover, else graceful.
    pub mode: Option<Mode>,
    /// Site the service leaves; absent: where the service record says it is.
    pub from: Option<SiteName>,
    /// Site the service moves to.
    pub to: Option<SiteName>,
    /// Values of parameters.
    pub values: BTreeMap<String, Value>,
    /// Errors of the runbook that are accepted for this once.
    pub accept_lint: Vec<Code>,
}

/// A journal of its own, because the configured one cannot be used.
#[derive(Debug, Clone)]
pub(crate) struct BrokenGlass {
    /// What is wrong with the configured one.
    pub why: String,
    /// Where the run is recorded instead.
    pub journal: String,
}

/// Somebody wants a run of a runbook or fleet.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What is to be done.
    pub operation: Operation,
    /// With what.
    pub binding: Binding,
    /// Why; required for a real run.
    pub reason: Option<String>,
    /// What asked for it, such as `cli`, `api` or `webhook`.
    pub trigger: String,
    /// When the incident began.
    pub incident_at: Option<Timestamp>,
    /// When it was noticed.
    pub detected_at: Option<Timestamp>,
    /// What is accepted before the point of no return.
    pub consents: Consents,
    /// Only record it, and let it wait this long to be started.
    pub staged_for: Option<Duration>,
    /// Observe every step first and mark what is already true.
    pub adopt: bool,
    /// What becomes of a drill of the same service that is under way.
    pub drill: DrillFate,
    /// Go on against a policy that refuses.
    pub break_glass: bool,
    /// The journal is not the configured one.
    pub broken_glass: Option<BrokenGlass>,
    /// Run on the simulated estate.
    pub simulated: Option<Simulated>,
    /// The same key starts a run once.
    pub idempotency_key: Option<String>,
    /// Further notes of the run.
    pub notes: BTreeMap<String, String>,
}

impl Wanted {
    /// What its effects may touch.
    pub(crate) const fn intent(&self) -> Intent {
        if self.simulated.is_some() { Intent::Simulate } else { Intent::Real }
    }

    pub(crate) const fn manner(&self) -> Manner {
        Manner { stage: self.staged_for.is_some(), break_glass: self.break_glass }
    }
}
