//! Drives one run: inputs are decided, facts are appended, then what follows is dispatched. Nothing is
//! called before the
//! fact that it will be is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;

use super::Error;
use super::children::Desire;
use super::clock::{Presence, Time};
use super::dispatch::Dispatcher;
use super::lull::Awake;
use super::outputs::{self, Blob};
use super::task::{Report, Reporter, Sent};
use crate::engine::event::{self, Event};
use crate::engine::input::{Consents, Control, Input, Observation, Request};
use crate::engine::{IndexedPlan, RunState, apply, commands, decide, next_wake};
use crate::model::run::{Identity, NodeStatus, RunStatus};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{NodeIndex, NodeKind};
use crate::ports::{Clock, Journal};

/// Pause between two looks into the inbox.
const INBOX_LOOK_MS: u64 = 100;
/// As [`INBOX_LOOK_MS`], of a run that was begun by another one: there may be hundreds.
const CHILD_LOOK_MS: u64 = 500;
/// How much later than it wanted to a driver looks up before it takes the process for one that was stopped.
const AWAY: std::time::Duration = std::time::Duration::from_secs(1);
/// How long a lease that is of no use any more may take to be given back.
const GIVES_UP_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);
/// Inputs decided before one append.
const BATCH: usize = 256;

/// A fact that is durable.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Sequence in the run's stream.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The fact.
    pub event: Event,
}

/// Is told what has become durable. Must return quickly.
pub trait Follower: Send + Sync {
    /// Facts were appended; the state is what they lead to.
    fn recorded(&self, plan: &IndexedPlan, state: &RunState, facts: &[Recorded]);
    /// A line about something long; not stored.
    fn progress(&self, plan: &IndexedPlan, node: NodeIndex, line: &str);
    /// Where the run stands after a turn of its driver. `waits`: it does not go on without a person.
    fn stands(&self, _plan: &IndexedPlan, _state: &RunState, _waits: bool) {}
    /// Says whether the driver shall leave the run to others now.
    fn wants_to_leave(&self) -> bool {
        false
    }
}

/// A follower that shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Follower for Silent {
    fn recorded(&self, _: &IndexedPlan, _: &RunState, _: &[Recorded]) {}
    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}
}

/// When a driver returns although the run is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// When a person is needed.
    AtPerson,
    /// Never: it waits for people's requests.
    Never,
}

/// Answers approvals in a simulation.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedOperator {
    /// How long a person takes; absent: nobody answers.
    pub approval_delay: Option<Duration>,
}

/// Drives one run under one lease.
pub struct Driver {
    pub(super) plan: Arc<IndexedPlan>,
    pub(super) state: RunState,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) time: Time,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) token: u64,
    pub(super) dispatcher: Dispatcher,
    pub(super) sender: Reporter,
    pub(super) reports: UnboundedReceiver<Sent>,
    /// Tells the runs that this one began what is wanted of them, and when they are left to others.
    pub(super) desire: watch::Sender<Desire>,
    pub(super) leave: watch::Sender<bool>,
    pub(super) presence: Presence,
    /// Pause between two looks into the inbox.
    pub(super) looks: std::time::Duration,
    pub(super) awake: Awake,
    pub(super) operator: Option<SimulatedOperator>,
    /// The first append: the run's creation, its blobs and its key.
    pub(super) opening: Opening,
    pub(super) idempotency_key: Option<String>,
    pub(super) pending: Vec<Event>,
    /// Facts that are durable and that no follower was told of.
    pub(super) untold: Vec<Recorded>,
    pub(super) blobs: Vec<Blob>,
    pub(super) last_checkpoint: u64,
    pub(super) last_listed: Option<(RunStatus, bool)>,
}

/// What goes into the first append of this driver besides events.
pub(super) enum Opening {
    /// The run exists already.
    None,
    /// The run is created, by a plan that was made with the service record at this sequence.
    Create(Box<event::RunCreated>, Option<u64>),
}

impl Driver {
    /// Sets when the run that is about to be created was declared, where that was some time ago.
    #[must_use]
    pub fn declared(mut self, at: Timestamp) -> Self {
        if let Opening::Create(created, _) = &mut self.opening {
            created.declared_at = at.min(created.declared_at);
            self.state.created = Arc::new((**created).clone());
        }
        self
    }

    pub(super) fn channel(time: &Time) -> (Reporter, UnboundedReceiver<Sent>) {
        let (sender, receiver) = unbounded_channel();
        (Reporter::new(sender, time.clone()), receiver)
    }

    /// Where a driver begins to look into its inbox.
    pub(super) const LOOKS: std::time::Duration = std::time::Duration::from_millis(INBOX_LOOK_MS);

    /// Makes it the driver of a run that another one began: the parent's task keeps the clock for it, and
    /// tells it at once what is asked of the parent.
    #[must_use]
    pub(super) fn beside_its_parent(mut self) -> Self {
        self.presence = self.time.presence(false);
        self.looks = std::time::Duration::from_millis(CHILD_LOOK_MS);
        self
    }

    /// Brings reports to the driver.
    pub(super) fn mailbox(&self) -> Reporter {
        self.sender.clone()
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Arc<IndexedPlan> {
        &self.plan
    }

    /// The clock the run is driven by.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The state after the last decision.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Feeds one input at once, without waiting for anything.
    pub(super) fn feed(&mut self, input: Input) {
        let input = self.shrink(input);
        match decide(&self.plan, &self.state, input, self.clock.now()) {
            Ok(events) => {
                let at = self.clock.now().max(self.state.last_at);
                for event in events {
                    apply(&self.plan, &mut self.state, &event, at);
                    self.pending.push(event);
                }
            }
            Err(rejection) => tracing::debug!(%rejection, run = %self.state.created.run, "input rejected"),
        }
    }

    /// Drives until the run is over, or a person is needed and `stop` says so, or the follower wants to
    /// leave.
    ///
    /// # Errors
    /// When the journal refuses: the lease has passed on, or the store is gone. Programs under way go on.
    pub async fn drive(
        mut self,
        follower: &dyn Follower,
        stop: Stop,
    ) -> Result<(Arc<IndexedPlan>, RunState), Error> {
        // What was asked while nobody drove is decided before anything else; of a run that does not exist yet
        // nothing can have been asked.
        let waiting = match self.opening {
            Opening::Create(..) => Vec::new(),
            Opening::None => self.journal.inbox(&self.state.created.run).await?,
        };
        let seen: BTreeSet<_> = waiting.iter().map(|request| request.id.clone()).collect();
        self.hear(waiting);
        let inbox = self.watch_inbox(seen);
        let result = self.turn(follower, stop).await;
        inbox.abort();
        if result.is_ok() {
            if self.state.status.is_terminal() {
                self.dispatcher.let_end();
            } else {
                self.leave.send_replace(true);
                self.dispatcher.children_left().await;
                // Whoever drives on looks what became of them: nobody else must go on making them meanwhile.
                self.dispatcher.leave_all();
            }
            // Whoever drives on adopts what is under way.
            self.journal.release(&self.state.created.run, self.token).await?;
        } else {
            self.dispatcher.leave_all();
            // A process that lives on must not keep others away from what it does not drive any more.
            let given_up = self.journal.release(&self.state.created.run, self.token);
            let _ = tokio::time::timeout(GIVES_UP_WITHIN, given_up).await;
        }
        result.map(|()| (self.plan, self.state))
    }

    async fn turn(&mut self, follower: &dyn Follower, stop: Stop) -> Result<(), Error> {
        let mut looked = false;
        loop {
            self.record(follower).await?;
            self.publish();
            let now = self.clock.now();
            let commands = commands(&self.plan, &self.state, now);
            self.dispatcher.reconcile(&self.plan, &self.state, commands);
            if self.state.status.is_terminal() {
                return Ok(());
            }
            // The drivers of runs that wait for a person do not end by themselves.
            let idle = self.dispatcher.in_flight() <= self.waiting_children();
            let waits = self.state.status.needs_person() && self.operator_turn().is_none();
            follower.stands(&self.plan, &self.state, waits);
            if (waits && idle && stop == Stop::AtPerson) || follower.wants_to_leave() {
                // The time of what it waits for may have been up before anybody drove it.
                if !looked && waits && next_wake(&self.plan, &self.state, now).is_some_and(|at| at <= now) {
                    looked = true;
                    self.feed(Input::Tick);
                    continue;
                }
                return Ok(());
            }
            self.gather(follower).await;
        }
    }

    /// Tells the runs that this one began what is wanted now.
    fn publish(&self) {
        let desire = Desire::of(&self.state);
        self.desire.send_if_modified(|known| {
            let changed = *known != desire;
            *known = desire;
            changed
        });
    }

    fn waiting_children(&self) -> usize {
        self.state.active.iter().filter(|node| self.state.waiting_child(**node).is_some()).count()
    }

    /// Waits for the next thing to happen, and takes everything that has happened with it.
    async fn gather(&mut self, follower: &dyn Follower) {
        let wake = self.next_wake();
        let first = self.wait(wake).await;
        self.hear_what_was_asked_meanwhile().await;
        let ticks = first.is_none();
        self.take(first, follower);
        for _ in 0..BATCH {
            let Ok(report) = self.reports.try_recv() else { break };
            self.take(Some(report), follower);
        }
        if ticks {
            self.act_for_operator();
            self.feed(Input::Tick);
        }
    }

    /// After a while in which this process could do nothing, what people have asked comes before what follows
    /// from anything else: it may be to hold on.
    async fn hear_what_was_asked_meanwhile(&mut self) {
        if !self.awake.was_away(self.looks + AWAY) {
            return;
        }
        match self.journal.inbox(&self.state.created.run).await {
            Ok(requests) => self.hear(requests),
            Err(error) => tracing::warn!(%error, run = %self.state.created.run, "the inbox cannot be read"),
        }
    }

    /// Decides what was asked while nobody looked. Whoever wants the run to end comes first: an approval that
    /// waits beside it must not let one more step begin.
    fn hear(&mut self, mut requests: Vec<Request>) {
        requests.sort_by_key(|request| !matches!(request.control, Control::Abort | Control::Unwind));
        for request in requests {
            self.feed(Input::Request(request));
        }
    }

    async fn wait(&mut self, wake: Option<Timestamp>) -> Option<Sent> {
        let (clock, time) = (Arc::clone(&self.clock), self.time.clone());
        let sleep = async {
            if let Some(wake) = wake {
                clock.sleep_until(wake).await;
            } else {
                let _rest = time.rest();
                std::future::pending::<()>().await;
            }
        };
        // The follower may want to leave while nothing happens.
        let glance = tokio::time::sleep(self.looks);
        tokio::select! {
            biased;
            report = self.reports.recv() => report,
            () = sleep => None,
            () = glance => Some(Sent { report: Report::Glance, token: time.token() }),
        }
    }

    fn take(&mut self, sent: Option<Sent>, follower: &dyn Follower) {
        let (report, _token) = sent.map(|sent| (sent.report, sent.token)).unzip();
        match report {
            Some(Report::Input(input)) => self.feed(input),
            Some(Report::Landed(node, outcome)) => {
                self.dispatcher.landed(node);
                if let Some(input) = outcome {
                    self.feed(input);
                }
            }
            Some(Report::Progress(node, line)) => follower.progress(&self.plan, node, &line),
            Some(Report::Glance) | None => {}
        }
    }

    fn next_wake(&self) -> Option<Timestamp> {
        next_wake(&self.plan, &self.state, self.clock.now()).into_iter().chain(self.operator_turn()).min()
    }

    /// Moves large outputs into blobs before they become facts.
    fn shrink(&mut self, input: Input) -> Input {
        match input {
            Input::AttemptEnded { attempt, result: Ok(outputs) } => {
                let result = Ok(outputs::shrink(outputs, &mut self.blobs));
                Input::AttemptEnded { attempt, result }
            }
            Input::Observed { attempt, observation: Observation::Applied(outputs) } => {
                let observation = Observation::Applied(outputs::shrink(outputs, &mut self.blobs));
                Input::Observed { attempt, observation }
            }
            other => other,
        }
    }

    /// Brings requests from the inbox to the driver, each once.
    fn watch_inbox(&self, mut seen: BTreeSet<String>) -> tokio::task::JoinHandle<()> {
        let (journal, sender) = (Arc::clone(&self.journal), self.sender.clone());
        let (run, looks) = (self.state.created.run.clone(), self.looks);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(looks).await;
                match journal.inbox(&run).await {
                    Ok(requests) => {
                        for request in requests.into_iter().filter(|request| seen.insert(request.id.clone()))
                        {
                            sender.send(Report::Input(Input::Request(request)));
                        }
                    }
                    Err(error) => tracing::warn!(%error, %run, "the inbox cannot be read"),
                }
            }
        })
    }

    /// When the simulated operator answers next.
    fn operator_turn(&self) -> Option<Timestamp> {
        let delay = self.operator?.approval_delay?;
        self.waiting_for_operator().into_values().map(|since| since.plus(delay)).min()
    }

    fn waiting_for_operator(&self) -> BTreeMap<NodeIndex, Timestamp> {
        let waits = |node: &NodeIndex| self.state.node(*node).status == NodeStatus::AwaitingApproval;
        let plan = &self.plan.plan.nodes;
        let kind = |node: &NodeIndex| plan.get(*node as usize).map(|definition| &definition.kind);
        let asked = |node: &NodeIndex| {
            matches!(kind(node), Some(NodeKind::Approval { .. } | NodeKind::Manual { .. }))
        };
        let active = self.state.active.iter().copied().filter(|node| waits(node) && asked(node));
        active.map(|node| (node, self.state.node(node).started_at.unwrap_or(self.state.last_at))).collect()
    }

    fn act_for_operator(&mut self) {
        let Some(delay) = self.operator.and_then(|operator| operator.approval_delay) else { return };
        let now = self.clock.now();
        for (node, since) in self.waiting_for_operator() {
            let Some(definition) = self.plan.plan.nodes.get(node as usize) else { continue };
            if since.plus(delay) > now {
                continue;
            }
            let (address, by_hand) =
                (definition.address.clone(), matches!(definition.kind, NodeKind::Manual { .. }));
            let votes = self.state.node(node).votes.len();
            let roles = match &definition.kind {
                NodeKind::Approval { approval } => approval.roles.clone(),
                _ => Vec::new(),
            };
            let control = if by_hand {
                Control::Done { node: address.clone(), outputs: serde_json::Map::new() }
            } else {
                Control::Approve { node: Some(address.clone()), consents: Consents::default() }
            };
            let by = Identity { roles, ..Identity::asserted(format!("simulated-operator-{}", votes + 1)) };
            let id = format!("operator/{address}/{votes}");
            let reason = Some("simulated".to_owned());
            self.feed(Input::Request(Request { id, by, from: "simulation".to_owned(), reason, control }));
        }
    }
}
