//! What a report holds, as data: the contract of its JSON. Says nothing about how it comes about.

use serde::Serialize;

use super::boundary::DrillFacts;
use super::controls::Control;
use super::numbers::Row;
use super::plan::{PlanFacts, Touched, Warning};
use super::trail::{Approval, Consent, Drive, Moment, Override};
use crate::evidence::view::RunView;
use crate::model::run::Identity;
use crate::model::time::Timestamp;

/// Everything a report says. A stable contract: fields are added, never changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of this format.
    pub report: u32,
    /// What the report is about, for people.
    pub title: String,
    /// The time it shows.
    pub as_of: Timestamp,
    /// Whether nothing can happen to the run any more.
    pub over: bool,
    /// Nothing else makes the run not clean than a fence that could not be confirmed, and members with
    /// warnings: reports of old called such a run clean.
    #[serde(skip)]
    pub only_warned: bool,
    /// The recovery time in milliseconds that reports of old told of a run that was taken back.
    #[serde(skip)]
    pub once_recovered: Option<u64>,
    /// What came of it, in sentences.
    pub summary: Vec<String>,
    /// What has to stand beside every number, such as that people intervened.
    pub marks: Vec<String>,
    /// Objectives, what was measured, and how they compare.
    pub verdicts: Vec<Row>,
    /// The split clock.
    pub clock: Vec<ClockPoint>,
    /// The plan as it was executed.
    pub plan: PlanFacts,
    /// How far a drill could reach; absent: the run was none.
    pub drill: Option<DrillFacts>,
    /// What the run changed, or tried to.
    pub resources: Vec<Touched>,
    /// What was known to be wrong with the runbook when the run was started.
    pub warnings: Vec<Warning>,
    /// What was done otherwise than the plan, the policy or a safety rule said.
    pub overrides: Vec<Override>,
    /// Consents to what cannot be taken back.
    pub consents: Vec<Consent>,
    /// Answers to requests for approval.
    pub approvals: Vec<Approval>,
    /// Whether people say that the run showed what it was to show; the newest last.
    pub attestations: Vec<Attestation>,
    /// What was found and has to be put right.
    pub findings: Vec<Finding>,
    /// Who drove the run.
    pub drivers: Vec<Drive>,
    /// What controls the run is evidence towards.
    pub controls: Vec<Control>,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// Moments beyond the most that a timeline holds.
    pub more_moments: u64,
    /// The records the report was made of.
    pub record: RecordFacts,
    /// The run, as `drctl runs show --output json` prints it.
    pub run: RunView,
}

/// A point of the split clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockPoint {
    /// Its name.
    pub point: &'static str,
    /// When it was passed; absent: it was not.
    pub at: Option<Timestamp>,
    /// Time since the recovery clock began, in milliseconds; negative before it.
    pub after_ms: Option<i64>,
}

/// A person's word about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attestation {
    /// When.
    pub at: Timestamp,
    /// Whether the run showed what it was to show.
    pub passed: bool,
    /// What there is to say about it.
    pub notes: String,
    /// Who.
    pub by: Identity,
}

/// What was found in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Number within the run.
    pub id: u32,
    /// When it was written down.
    pub at: Timestamp,
    /// What was found.
    pub text: String,
    /// Who puts it right.
    pub owner: String,
    /// The last day to do so.
    pub due: String,
    /// Who found it.
    pub by: Identity,
    /// When it was closed; absent: it is open.
    pub closed_at: Option<Timestamp>,
    /// What was done, or why it is none.
    pub closed_how: Option<String>,
    /// Who closed it.
    pub closed_by: Option<Identity>,
}

/// The records a report was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordFacts {
    /// How many records the run has.
    pub records: u64,
    /// SHA-256 of the last one, which stands for all.
    pub last_hash: String,
    /// SHA-256 of the last fact beside the run; absent: there is none.
    pub evidence_hash: Option<String>,
    /// Version of drctl that started the run.
    pub drctl: String,
}
