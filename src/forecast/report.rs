//! What a forecast says: plain data, serialized as a stable contract. Draws and computes nothing.

use schemars::JsonSchema;
use serde::Serialize;

use super::counted::{Histogram, Share, Times};
use super::spread::{Basis, Told};
use crate::model::id::{ServiceName, SiteName};
use crate::model::run::{ClockStart, Mode, Operation};
use crate::model::time::Duration;

/// A forecast of one operation of a service.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Version of this format.
    pub format: u32,
    /// The service.
    pub service: ServiceName,
    /// SHA-256 of the runbook, in hex.
    pub runbook_digest: String,
    /// What is done to the service.
    pub operation: Operation,
    /// In which mode.
    pub mode: Mode,
    /// Site it leaves.
    pub from: Option<SiteName>,
    /// Site it moves to.
    pub to: Option<SiteName>,
    /// What the business asks for.
    pub objectives: Asked,
    /// What the recovery time counts from: the declaration, or the first step that touches the service.
    pub clock_start: ClockStart,
    /// Whether the plan validates what it recovers. Without, the times are those of its last step of
    /// recovery, and no run of it would have an achieved recovery time.
    pub validated: bool,
    /// Runs of each scenario.
    pub runs: u32,
    /// Everything drawn follows from it.
    pub seed: u64,
    /// Earlier runs of the service that durations come from.
    pub history_runs: u32,
    /// How long each step takes, and where that is known from.
    pub durations: Vec<DurationOf>,
    /// What only a run could tell, and was assumed.
    pub assumptions: Vec<String>,
    /// What comes of it, scenario by scenario.
    pub scenarios: Vec<Forecast>,
}

/// Objectives in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Asked {
    /// Longest recovery time.
    pub rto_ms: Option<u64>,
    /// Most data that may be lost.
    pub rpo_ms: Option<u64>,
}

/// How long one node takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DurationOf {
    /// Its address.
    pub node: String,
    /// What a person reads.
    pub title: String,
    /// Where its duration is known from.
    pub basis: Basis,
    /// How many earlier runs it was measured in.
    pub samples: u32,
    /// Middle and p95. Of a check without history: of one look.
    #[serde(flatten)]
    pub takes: Told,
}

/// What comes of a plan under one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Forecast {
    /// Name of the scenario.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// What of the scenario is not part of a forecast.
    pub notes: Vec<String>,
    /// Recovery time.
    pub recovery_time: Times,
    /// The service is not recovered within its RTO; absent: it has none.
    pub misses_rto: Option<Share>,
    /// The service is not recovered at all before a person looks after the run.
    pub stuck: Share,
    /// Everything ends, what comes after the recovery included.
    pub completed: Share,
    /// Where runs come to stand, the most frequent first.
    pub stops: Vec<Stop>,
    /// How recovery times are spread; absent: nothing recovers.
    pub histogram: Option<Histogram>,
    /// What is lost.
    pub data_loss: Loss,
    /// Which steps the time goes to, the most worthwhile to shorten first.
    pub steps: Vec<StepShare>,
    /// What each step alone does to the recovery time, the most first.
    pub tornado: Tornado,
}

/// Where runs come to stand.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stop {
    /// The node.
    pub node: String,
    /// Why.
    pub why: &'static str,
    /// In what share of all runs.
    pub share: f64,
}

/// Data loss, where it can be known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Loss {
    /// Where it is known from; absent: it is not known.
    pub basis: Option<Basis>,
    /// How many earlier runs measured it.
    pub samples: u32,
    /// The middle, in milliseconds.
    pub p50_ms: Option<u64>,
    /// What one run in twenty exceeds, in milliseconds.
    pub p95_ms: Option<u64>,
}

/// What a step has to do with the recovery time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StepShare {
    /// The step, or a node that belongs to none.
    pub step: String,
    /// What a person reads.
    pub title: String,
    /// Share of the recovered runs in which it is on the critical path.
    pub critical: f64,
    /// Mean time the critical path stays at it, over all recovered runs, in milliseconds.
    pub spent_ms: u64,
    /// What becomes of it when the step takes half as long; absent where that was not tried.
    pub halved: Option<Halved>,
}

/// What a shorter step is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Halved {
    /// How much shorter the median recovery is, in milliseconds.
    pub p50_gain_ms: u64,
    /// How much shorter the p95 is, in milliseconds; absent where it is never reached.
    pub p95_gain_ms: Option<u64>,
    /// Probability to miss the RTO that is left; absent: there is none.
    pub misses_rto: Option<f64>,
}

/// What each step alone does: the others take their median.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tornado {
    /// Recovery time when everything takes its median, in milliseconds; absent: it is never reached.
    pub median_ms: Option<u64>,
    /// The bars, the widest first.
    pub bars: Vec<Bar>,
}

/// One bar of the tornado.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Bar {
    /// The step.
    pub step: String,
    /// Recovery time when it is as quick as one time in twenty, in milliseconds.
    pub low_ms: u64,
    /// Recovery time when it is as slow as one time in twenty, in milliseconds.
    pub high_ms: u64,
}

impl Report {
    /// The recovery time objective.
    #[must_use]
    pub fn rto(&self) -> Option<Duration> {
        self.objectives.rto_ms.map(Duration::from_millis)
    }

    /// The largest probability to miss the RTO over all scenarios; `None` without one.
    #[must_use]
    pub fn worst_miss(&self) -> Option<f64> {
        worst(self.scenarios.iter().filter_map(|it| it.misses_rto))
    }
}

/// The largest of some shares.
pub(super) fn worst(shares: impl Iterator<Item = Share>) -> Option<f64> {
    let missed = shares.map(|share| share.probability);
    missed.fold(None, |worst: Option<f64>, one| Some(worst.map_or(one, |worst| worst.max(one))))
}
