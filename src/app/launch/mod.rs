//! From a request to a run: finds the runbook, asks the service record and the policy, plans, and creates the
//! run. The same for everyone who may ask: a person at a terminal, a schedule, a webhook, the API.

pub(crate) mod afar;
pub(crate) mod board;
pub(crate) mod check;
pub(crate) mod drill;
pub(crate) mod estate;
pub(crate) mod files;
mod handover;
pub(crate) mod inbox;
mod incident;
pub(crate) mod interrupt;
pub(crate) mod outlook;
pub(crate) mod plannable;
pub(crate) mod planned;
pub(crate) mod policy;
pub(crate) mod promote;
pub(crate) mod promoted;
pub(crate) mod quarantine;
pub(crate) mod route;
pub(crate) mod sampler;
pub(crate) mod schedule;
pub(crate) mod shelf;
pub(crate) mod source;
mod start;
pub(crate) mod takeover;
pub(crate) mod trigger;
pub(crate) mod unfilled;
pub(crate) mod warnings;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use start::{Began, start};

use self::estate::Simulated;
use self::interrupt::DrillFate;
use self::policy::Manner;
use crate::compile::Code;
use crate::engine::input::Consents;
use crate::model::id::SiteName;
use crate::model::run::{Intent, Mode, Operation};
use crate::model::time::{Duration, Timestamp};

/// How long a staged run waits to be started, unless something else is asked for.
pub(crate) const STAGED_FOR: Duration = Duration::from_secs(4 * 3600);

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
