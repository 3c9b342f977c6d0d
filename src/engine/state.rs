//! State of one run: the fold of its events. Plain data, serialized only as a checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::event::{
    Applied, Attested, ChildRun, DrillOutcome, FenceResult, MissingConsent, Reading, RunCreated, SkipCause,
    Want,
};
use super::input::{AttemptKey, Consents, Direction};
use crate::model::run::{ClockStart, Failure, Identity, Mode, NodeStatus, Operation, RunStatus};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{Edge, EdgeKind, NodeIndex, Plan, PlanIndex};

/// A plan with what is derived from it once.
#[derive(Debug)]
pub struct IndexedPlan {
    /// The plan.
    pub plan: Plan,
    /// Successors, estimates, critical path.
    pub index: PlanIndex,
}

/// State of a run after its last event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// The first event.
    pub created: Arc<RunCreated>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// Status.
    pub status: RunStatus,
    /// Why it has this status.
    pub cause: Option<String>,
    /// Graceful or not, from here on.
    pub mode: Mode,
    /// What people want.
    pub want: Want,
    /// Why they want it.
    pub want_reason: Option<String>,
    /// How often they have changed their mind.
    #[serde(default)]
    pub wants: u32,
    /// How many nodes may be in trouble before no other begins; absent: a failed one holds the run.
    #[serde(default)]
    pub tolerance: Option<u32>,
    /// Fencing token of the newest lease.
    pub token: u64,
    /// Who holds it.
    pub holder: Option<String>,
    /// Name of the machine the holder runs on.
    pub host: String,
    /// Where programs leave their traces there; absent: nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<String>,
    /// Who began it, where it was staged by something or somebody else.
    #[serde(default)]
    pub begun_by: Option<String>,
    /// Every node, in the order of the plan.
    pub nodes: Vec<Arc<NodeState>>,
    /// Nodes that have begun and are not over.
    pub active: BTreeSet<NodeIndex>,
    /// Pending nodes whose needs are all over.
    pub frontier: BTreeSet<NodeIndex>,
    /// Nodes that failed and wait for a person.
    pub failed: BTreeSet<NodeIndex>,
    /// Needs of each node that are not over.
    pub open_needs: Vec<u32>,
    /// Nodes under way in each lane.
    pub lanes: BTreeMap<u32, u32>,
    /// Nodes that are over.
    pub settled: u32,
    /// Points passed.
    pub clock: SplitClock,
    /// Largest part of the objective that was reported as used up, in percent.
    pub burn: u32,
    /// The forecast is beyond the objective.
    pub forecast_breached: bool,
    /// Recovery point readings with the time they were taken.
    pub readings: Vec<(Timestamp, Reading)>,
    /// Consents given so far.
    pub consents: Consents,
    /// What the gate waits for.
    pub missing: Vec<MissingConsent>,
    /// What people did to the run.
    pub interventions: Vec<Intervention>,
    /// Requests that were answered.
    pub answered: BTreeSet<String>,
    /// Nodes are observed before they begin.
    pub adopt: bool,
    /// What is known of it as a drill.
    #[serde(default)]
    pub drill: DrillState,
    /// Last sequence folded.
    pub sequence: u64,
    /// Time of the last event.
    pub last_at: Timestamp,
}

/// What is known of a run as a drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DrillState {
    /// What has become of it, once it is to end.
    #[serde(default)]
    pub outcome: Option<DrillOutcome>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Nodes whose effect stays, because the real operation uses it.
    #[serde(default)]
    pub keep: BTreeSet<NodeIndex>,
    /// Steps that were left out and that a person wants all the same.
    #[serde(default)]
    pub asked: BTreeSet<NodeIndex>,
    /// What a person has said about it.
    #[serde(default)]
    pub attestation: Option<Attested>,
}

/// The split clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitClock {
    /// The first step began.
    pub started_at: Option<Timestamp>,
    /// The service was touched: the first step from freezing it to moving its users began, or its source was
    /// declared lost.
    pub interrupted_at: Option<Timestamp>,
    /// The point of no return was passed.
    pub pnr_at: Option<Timestamp>,
    /// Users are on the new site.
    pub shifted_at: Option<Timestamp>,
    /// Validation has passed.
    pub healthy_at: Option<Timestamp>,
    /// A live drill began to return the service.
    #[serde(default)]
    pub return_started_at: Option<Timestamp>,
    /// Users were back on the old site.
    #[serde(default)]
    pub return_shifted_at: Option<Timestamp>,
    /// The old site was validated.
    #[serde(default)]
    pub returned_at: Option<Timestamp>,
    /// The run is over.
    pub ended_at: Option<Timestamp>,
}

/// Something a person did to the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intervention {
    /// When.
    pub at: Timestamp,
    /// What, in the words a person types.
    pub verb: String,
    /// Who.
    pub by: Identity,
    /// Why.
    pub reason: Option<String>,
}

/// State of one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct NodeState {
    /// Status.
    pub status: NodeStatus,
    /// Attempts made, over both directions.
    pub attempts: u32,
    /// Attempts that failed and count against the retry policy.
    pub failures: u32,
    /// Rises with every known outcome.
    pub generation: u32,
    /// Whether its last attempt applied the effect or took it back.
    pub direction: Direction,
    /// Mode of the last attempt to apply the effect, in which it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The attempt under way or in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<AttemptState>,
    /// The run it has begun and that is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<ChildRun>,
    /// What later nodes may read.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What it waits for: the next attempt or look, the end of a wait or of an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Successful looks in a row.
    #[serde(default)]
    pub streak: u32,
    /// Observations that could not tell.
    #[serde(default)]
    pub unknowns: u32,
    /// Only a person can tell what came of it.
    #[serde(default)]
    pub person_needed: bool,
    /// A person wants it tried again as soon as it was looked at once more.
    #[serde(default)]
    pub asked_again: bool,
    /// An earlier send of the same intent may have been applied.
    #[serde(default)]
    pub unsettled: bool,
    /// A try failed that may have done a part of its work.
    #[serde(default)]
    pub partly: bool,
    /// An earlier try was accepted and failed later, so that it is observed before another begins.
    #[serde(default)]
    pub look_first: bool,
    /// It was observed before it began, or is about to be.
    #[serde(default)]
    pub adoption: Adoption,
    /// Whether its effect is there.
    pub applied: Applied,
    /// What was read before the effect; undo needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Value>,
    /// Whether the fence holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<FenceResult>,
    /// Answers of people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<(Identity, bool)>,
    /// Why it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipCause>,
    /// Safety edges on it count as met.
    #[serde(default)]
    pub overridden: bool,
    /// It was already true.
    #[serde(default)]
    pub adopted: bool,
    /// What came of the step itself, once its effect is taken back: attempts, times and failure above are
    /// about that then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
}

/// What came of a step before its effect was taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Did {
    /// Status it had come to.
    pub status: NodeStatus,
    /// Attempts made to apply the effect.
    pub attempts: u32,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl NodeState {
    /// Keeps what came of the step itself, whose effect is taken back from here on: that is work of its own,
    /// and what the effect used up of time and retries does not count for it.
    pub(super) fn turn_back(&mut self) {
        self.did = Some(Did {
            status: self.status,
            attempts: self.attempts,
            failure: self.failure.clone(),
            started_at: self.started_at.take(),
            ended_at: self.ended_at.take(),
        });
        (self.failures, self.unsettled) = (0, false);
        self.direction = Direction::Undo;
    }
}

/// Whether a node is observed before it begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Adoption {
    /// Not asked for.
    #[default]
    No,
    /// Being observed.
    Looking,
    /// Observed; not there.
    Looked,
}

/// The attempt of a node that is under way or in doubt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptState {
    /// Number.
    pub number: u32,
    /// Apply or take back.
    pub direction: Direction,
    /// Generation it was started in.
    pub generation: u32,
    /// Which send of the same intent it is, from 1; those whose driver was lost are not counted.
    #[serde(default)]
    pub sends: u32,
    /// Token it was started under.
    pub token: u64,
    /// Machine it was started on.
    pub host: String,
    /// Where programs left their traces there; absent: nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<String>,
    /// Mode it was started in.
    pub mode: Mode,
    /// When it started.
    pub started_at: Timestamp,
    /// When it runs out of time.
    pub deadline: Timestamp,
    /// When its outcome became doubtful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted_at: Option<Timestamp>,
    /// Finds a long operation again.
    pub handle: Option<Value>,
    /// It is in doubt because its driver was lost, which uses up no attempt.
    pub driver_lost: bool,
    /// Why it is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

impl Default for NodeState {
    fn default() -> Self {
        Self {
            status: NodeStatus::Pending,
            attempts: 0,
            failures: 0,
            generation: 0,
            direction: Direction::Do,
            mode: None,
            current: None,
            child: None,
            outputs: Map::new(),
            failure: None,
            started_at: None,
            ended_at: None,
            until: None,
            streak: 0,
            unknowns: 0,
            person_needed: false,
            asked_again: false,
            unsettled: false,
            partly: false,
            look_first: false,
            adoption: Adoption::No,
            applied: Applied::No,
            prepared: None,
            fence: None,
            votes: Vec::new(),
            skipped: None,
            overridden: false,
            adopted: false,
            did: None,
        }
    }
}

impl RunState {
    /// State after the first event.
    #[must_use]
    pub fn new(plan: &IndexedPlan, created: RunCreated, at: Timestamp) -> Self {
        // All nodes share one pending state until they begin.
        let pending = Arc::new(NodeState::default());
        let nodes = plan.plan.nodes.iter().map(|_| Arc::clone(&pending)).collect();
        let mut state = Self {
            created_at: at,
            status: if created.staged_until.is_some() { RunStatus::Staged } else { RunStatus::Pending },
            cause: None,
            mode: created.mode,
            want: Want::Run,
            want_reason: None,
            wants: 0,
            tolerance: plan.plan.tolerance,
            token: 0,
            holder: None,
            host: String::new(),
            traces: None,
            begun_by: None,
            nodes,
            active: BTreeSet::new(),
            frontier: BTreeSet::new(),
            failed: BTreeSet::new(),
            open_needs: Vec::new(),
            lanes: BTreeMap::new(),
            settled: 0,
            clock: SplitClock::default(),
            burn: 0,
            forecast_breached: false,
            readings: Vec::new(),
            consents: created.consents.clone(),
            missing: Vec::new(),
            interventions: Vec::new(),
            answered: BTreeSet::new(),
            adopt: created.adopt,
            drill: DrillState::default(),
            sequence: 1,
            last_at: at,
            created: Arc::new(created),
        };
        state.recount(plan);
        state
    }

    /// Says whether somebody began the run: wanted it, or began what a webhook or somebody else had staged.
    #[must_use]
    pub fn was_begun_by(&self, who: &Identity) -> bool {
        self.created.started_by.name == who.name || self.begun_by.as_ref() == Some(&who.name)
    }

    /// The state of a node; a default one where the plan has no such node.
    #[must_use]
    pub fn node(&self, index: NodeIndex) -> &NodeState {
        static NONE: std::sync::LazyLock<NodeState> = std::sync::LazyLock::new(NodeState::default);
        self.nodes.get(index as usize).map_or(&NONE, Arc::as_ref)
    }

    /// Says whether no further attempt may begin until a person acts.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let only_undo = matches!(self.want, Want::Unwind | Want::CleanUp);
        self.want == Want::Pause || (!only_undo && self.is_in_trouble())
    }

    /// Says whether too much has gone wrong for anything else to begin.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        match self.tolerance {
            None => !self.failed.is_empty(),
            Some(most) => self.troubled().count() > most as usize,
        }
    }

    /// Nodes that failed, or whose run is stuck or paused by a failure.
    pub fn troubled(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        let child = |node: &NodeIndex| self.node(*node).child.as_ref().is_some_and(|child| child.trouble);
        self.failed.iter().copied().chain(self.active.iter().copied().filter(child))
    }

    /// The run a node has begun, while that one waits for a person.
    #[must_use]
    pub fn waiting_child(&self, node: NodeIndex) -> Option<&ChildRun> {
        // One that is to end soon is waited for, whatever it stands at now.
        let ends = matches!(self.want, Want::Abort | Want::Fail | Want::Unwind | Want::CleanUp);
        let it = self.node(node);
        it.child.as_ref().filter(|child| child.waits && it.status == NodeStatus::Running && !ends)
    }

    /// What the recovery clock counts from. A planned move leaves the service running until it touches it.
    #[must_use]
    pub fn clock_start(&self) -> ClockStart {
        let created = &self.created;
        let planned = created.operation != Operation::Failover && created.mode == Mode::Graceful;
        match created.incident_at {
            Some(_) => ClockStart::Incident,
            None if planned => ClockStart::Interruption,
            None => ClockStart::Declaration,
        }
    }

    /// Whether the recovery clock runs: that of a planned move does not before the service is touched.
    #[must_use]
    pub fn clock_runs(&self) -> bool {
        self.clock_start() != ClockStart::Interruption || self.clock.interrupted_at.is_some()
    }

    /// When the recovery clock began; the declaration stands in while a planned move has touched nothing.
    #[must_use]
    pub fn clock_zero(&self) -> Timestamp {
        let interrupted =
            self.clock.interrupted_at.filter(|_| self.clock_start() == ClockStart::Interruption);
        self.created.incident_at.or(interrupted).unwrap_or(self.created.declared_at)
    }

    /// The attempt a node has under way or in doubt.
    #[must_use]
    pub fn attempt(&self, key: AttemptKey) -> Option<&AttemptState> {
        self.node(key.node).current.as_ref().filter(|attempt| attempt.number == key.attempt)
    }

    /// Says whether an edge is waited for in the current mode.
    #[must_use]
    pub fn waits_for(&self, edge: Edge) -> bool {
        match edge.kind {
            EdgeKind::Ordinary | EdgeKind::Safety => true,
            EdgeKind::Graceful => self.mode == Mode::Graceful,
        }
    }

    /// Counts afresh which nodes have open needs; called at the start and when the mode changes.
    pub(super) fn recount(&mut self, plan: &IndexedPlan) {
        self.open_needs = Vec::with_capacity(self.nodes.len());
        self.frontier.clear();
        for (number, node) in (0..).zip(&plan.plan.nodes) {
            let open = node
                .needs
                .iter()
                .filter(|edge| self.waits_for(**edge) && !self.node(edge.node).status.is_settled());
            let open = u32::try_from(open.count()).unwrap_or(u32::MAX);
            self.open_needs.push(open);
            if open == 0 && self.node(number).status == NodeStatus::Pending {
                self.frontier.insert(number);
            }
        }
    }

    /// Time from the start of the recovery clock until now or until the service was healthy.
    #[must_use]
    pub fn elapsed(&self, now: Timestamp) -> Duration {
        if !self.clock_runs() {
            return Duration::ZERO;
        }
        self.clock.healthy_at.or(self.clock.ended_at).unwrap_or(now).since(self.clock_zero())
    }
}

impl IndexedPlan {
    /// Derives what the engine needs of a plan.
    ///
    /// # Errors
    /// When the plan refers to nodes it does not have.
    pub fn new(plan: Plan) -> Result<Self, crate::plan::Error> {
        let index = PlanIndex::new(&plan)?;
        Ok(Self { plan, index })
    }
}
