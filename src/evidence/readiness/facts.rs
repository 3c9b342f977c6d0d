//! What is known of a service when its readiness is judged. Plain data.

use std::collections::BTreeMap;

use crate::engine::schedule::ScheduleRecord;
use crate::evidence::Exercise;
use crate::model::drill::DrillLevel;
use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Intent, Operation, RunStatus};
use crate::model::time::{Duration, Timestamp};

/// Everything a judgement is made of.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// Its runbook as it is now.
    pub definition: Definition,
    /// Sites to which it may not go before they are protected again, with the run that left them.
    pub quarantined: &'a BTreeMap<SiteName, RunId>,
    /// Its runs that are not over.
    pub open: &'a [OpenRun],
    /// Its last check that is over.
    pub check: Option<&'a Checked>,
    /// The newest run that is over and had begun.
    pub last: Option<&'a Exercise>,
    /// The newest drill that was made real and that no real run has gone on from.
    pub made_real: Option<&'a MadeReal>,
    /// The newest failover or switchover, real or a drill, that succeeded.
    pub shown: Option<&'a Exercise>,
    /// The run by whose summary `shown` should be known, but which was pruned.
    pub pruned: Option<&'a RunId>,
    /// The newest one that succeeded without a single step having been performed.
    pub hollow: Option<&'a RunId>,
    /// Where the service is, by its record, else by its runbook.
    pub active: Option<&'a SiteName>,
    /// Where a failover would go by itself, or why that cannot be said; absent where nobody asked.
    pub target: Option<&'a Result<SiteName, String>>,
    /// Where its drill schedule stands, if it has one.
    pub schedule: Option<&'a ScheduleRecord>,
    /// Runs that cannot be read, with why.
    pub unreadable: &'a [(RunId, String)],
    /// What was found and is not put right.
    pub findings: &'a [OpenFinding],
    /// What the policy wants and does not have: a sentence each.
    pub demands: &'a [String],
    /// The time of the judgement.
    pub now: Timestamp,
}

/// The runbook of a service as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// It compiles.
    Sound {
        /// Digest of what it says.
        digest: String,
        /// Age at which an exercise is stale.
        freshness: Duration,
        /// How far its drills go, where it says so.
        level: Option<DrillLevel>,
        /// Whether it says what an isolated drill may touch.
        bounded: bool,
    },
    /// It does not compile.
    Broken {
        /// Where it lies.
        path: String,
    },
    /// Another file is about the same service.
    Twice {
        /// Where they lie.
        paths: Vec<String>,
    },
}

/// A run that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Id.
    pub run: RunId,
    /// What it does.
    pub operation: Operation,
    /// Why it exists.
    pub intent: Intent,
    /// Where it stands.
    pub status: RunStatus,
    /// Why.
    pub cause: Option<String>,
    /// What a person must type, where one is waited for.
    pub command: Option<String>,
    /// Whether a process drives it.
    pub driven: bool,
}

/// A drill that was told to make way for a real run which never began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeReal {
    /// The drill.
    pub run: RunId,
    /// What it rehearsed.
    pub operation: Operation,
    /// When it was over, or was last heard of.
    pub at: Timestamp,
    /// Steps whose effect it has left for the real run; empty: it has moved the service.
    pub stands: Vec<String>,
}

/// A check that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// What was red, by name with why; empty: nothing.
    pub red: Vec<String>,
}

/// Something that was found in a run and is not put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFinding {
    /// The run it belongs to.
    pub run: RunId,
    /// Its number there.
    pub id: u32,
    /// What it is.
    pub text: String,
    /// Who puts it right.
    pub owner: String,
    /// Days it is overdue; negative: days that are left.
    pub overdue: i64,
}
