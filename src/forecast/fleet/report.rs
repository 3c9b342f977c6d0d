//! What the forecast of a fleet says: plain data, serialized as a stable contract.

use schemars::JsonSchema;
use serde::Serialize;

use crate::forecast::counted::{Histogram, Share, Times};
use crate::forecast::report::{Asked, worst};
use crate::model::id::ServiceName;
use crate::model::run::{Mode, Operation};
use crate::model::time::Duration;

/// A forecast of one operation of a fleet.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FleetReport {
    /// Version of this format.
    pub format: u32,
    /// The fleet.
    pub fleet: ServiceName,
    /// SHA-256 of who is in it and how, in hex.
    pub digest: String,
    /// What is done to its members.
    pub operation: Operation,
    /// In which mode.
    pub mode: Mode,
    /// What the business asks for of all together.
    pub objectives: Asked,
    /// How many members there are.
    pub members: u32,
    /// At most so many are under way at once; absent: all.
    pub max_parallel: Option<u32>,
    /// So many may be in trouble; absent: all.
    pub tolerated: Option<u32>,
    /// Runs of each scenario.
    pub runs: u32,
    /// Everything drawn follows from it.
    pub seed: u64,
    /// Members of which earlier runs are known.
    pub with_history: u32,
    /// What only a run could tell, and was assumed.
    pub assumptions: Vec<String>,
    /// What comes of it, scenario by scenario.
    pub scenarios: Vec<FleetForecast>,
}

/// What comes of a fleet under one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FleetForecast {
    /// Name of the scenario.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// What of the scenario is not part of a forecast.
    pub notes: Vec<String>,
    /// From the declaration until every member has recovered and its run has succeeded.
    pub recovery_time: Times,
    /// Not all members are recovered within the RTO; absent: there is none.
    pub misses_rto: Option<Share>,
    /// Not all members recover before a person looks after some.
    pub incomplete: Share,
    /// More members get in trouble than is tolerated, so that no further one begins.
    pub stops_early: Share,
    /// Mean number of members that recover.
    pub mean_recovered: f64,
    /// How recovery times are spread; absent: it is never complete.
    pub histogram: Option<Histogram>,
    /// The members, those that most often set the end first.
    pub members: Vec<MemberShare>,
}

/// What a member has to do with the whole.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MemberShare {
    /// The member.
    pub service: ServiceName,
    /// Share of the complete runs in which it is on the critical path.
    pub critical: f64,
    /// Share of the complete runs in which it is the last.
    pub last: f64,
    /// Mean time the critical path stays at it, over all complete runs, in milliseconds.
    pub spent_ms: u64,
    /// How long its run takes, in milliseconds: half of those that succeed take longer.
    pub takes_p50_ms: Option<u64>,
    /// One in twenty of its runs that succeed takes longer, in milliseconds.
    pub takes_p95_ms: Option<u64>,
    /// When it is done, from the declaration, in milliseconds: half of those that succeed are later.
    pub done_p50_ms: Option<u64>,
    /// One in twenty that succeed is done later, in milliseconds.
    pub done_p95_ms: Option<u64>,
    /// Its own recovery time objective, in milliseconds.
    pub rto_ms: Option<u64>,
    /// Share of all runs in which it begins and is not recovered within its own RTO, on the clock of its own
    /// run; absent: it has none.
    pub misses_rto: Option<Share>,
    /// Share of all runs in which it gets in trouble.
    pub in_trouble: f64,
    /// Share of all runs in which it never begins.
    pub not_begun: f64,
}

impl FleetReport {
    /// The recovery time objective.
    #[must_use]
    pub fn rto(&self) -> Option<Duration> {
        self.objectives.rto_ms.map(Duration::from_millis)
    }

    /// The largest probability to miss an RTO, that of the whole or a member's own, over all scenarios;
    /// `None` where nobody has one.
    #[must_use]
    pub fn worst_miss(&self) -> Option<f64> {
        worst(self.scenarios.iter().flat_map(|it| {
            it.misses_rto.into_iter().chain(it.members.iter().filter_map(|member| member.misses_rto))
        }))
    }
}
