//! Plays inputs against the engine and keeps a transcript.

use std::collections::BTreeMap;
use std::fmt::Write;

use drctl::engine::event::{Event, RunCreated};
use drctl::engine::input::{AttemptKey, Consents, Control, Input, Observation, Rejection, Request};
use drctl::engine::{IndexedPlan, RunState, apply, commands, decide, next_wake};
use drctl::model::id::{NodeAddress, RunId};
use drctl::model::run::{Failure, FailureClass, Identity, Intent, Mode, NodeStatus, Operation, RunStatus};
use drctl::model::runbook::Runbook;
use drctl::model::time::{Duration, Timestamp};
use drctl::plan::{Choices, NodeIndex, bind};
use serde_json::{Map, Value, json};

/// A runbook with the given steps, as YAML at no indentation.
pub(crate) fn runbook(steps: &str, more: &str) -> Runbook {
    let indented: String = steps.lines().fold(String::new(), |mut text, line| {
        writeln!(text, "      {line}").unwrap();
        text
    });
    let text = format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: pay}}\nsites:\n  east: {{role: active, region: us-east-1}}\n  \
         west: {{role: standby, region: us-west-2}}\n{more}\nworkflows:\n  failover:\n    steps:\n{indented}"
    );
    let value: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A run being played.
pub(crate) struct Script {
    pub plan: IndexedPlan,
    pub state: RunState,
    pub now: Timestamp,
    /// What somebody who follows the run reads.
    pub transcript: String,
    /// A line for each fact.
    pub every_fact: String,
    requests: u32,
}

impl Script {
    pub(crate) fn new(steps: &str, more: &str, mode: Mode) -> Self {
        Self::with_consents(
            steps,
            more,
            mode,
            // Most of these plans promote without a fence.
            Consents { confirm: Some("pay:west".to_owned()), accept_unfenced: true, ..Consents::default() },
        )
    }

    /// A run that waits to be begun.
    pub(crate) fn staged(steps: &str) -> Self {
        let stage = |created: &mut RunCreated, now: Timestamp| {
            created.staged_until = Some(now.plus(Duration::from_secs(3_600)));
        };
        Self::created_as(steps, "", (Mode::Graceful, Intent::Simulate), Consents::default(), stage)
    }

    /// A run on real systems: what is a person's to do waits for one.
    pub(crate) fn real(steps: &str) -> Self {
        let consents =
            Consents { confirm: Some("pay:west".to_owned()), accept_unfenced: true, ..Consents::default() };
        Self::created_as(steps, "", (Mode::Graceful, Intent::Real), consents, |_, _| ())
    }

    pub(crate) fn with_consents(steps: &str, more: &str, mode: Mode, consents: Consents) -> Self {
        Self::created_as(steps, more, (mode, Intent::Simulate), consents, |_, _| ())
    }

    fn created_as(
        steps: &str,
        more: &str,
        (mode, intent): (Mode, Intent),
        consents: Consents,
        change: impl FnOnce(&mut RunCreated, Timestamp),
    ) -> Self {
        let choices = Choices {
            operation: Operation::Failover,
            mode: Some(mode),
            intent,
            from: None,
            to: None,
            unready: BTreeMap::new(),
            parameters: BTreeMap::new(),
        };
        let plan = bind(&runbook(steps, more), &choices).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let plan = IndexedPlan::new(plan).unwrap();
        let now: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        let mut created = created(&plan, mode, consents, now);
        change(&mut created, now);
        let state = RunState::new(&plan, created, now);
        let (transcript, every_fact) = (String::new(), String::new());
        let mut script = Self { plan, state, now, transcript, every_fact, requests: 0 };
        script.take_over(1);
        script
    }

    /// Feeds an input; events go to the transcript, and the state moves on.
    pub(crate) fn input(&mut self, input: Input) -> Result<Vec<Event>, Rejection> {
        let events = decide(&self.plan, &self.state, input, self.now)?;
        for event in &events {
            apply(&self.plan, &mut self.state, event, self.now);
            let line = drctl::evidence::describe(&self.plan, event);
            writeln!(self.every_fact, "{line}").unwrap();
            if drctl::evidence::is_news(&self.plan, event) {
                writeln!(self.transcript, "{line}").unwrap();
            }
        }
        Ok(events)
    }

    pub(crate) fn take_over(&mut self, token: u64) {
        let holder = format!("driver-{token}");
        self.input(Input::TookOver {
            token,
            holder,
            host: "here".to_owned(),
            traces: None,
            skew: Duration::ZERO,
        })
        .unwrap();
    }

    pub(crate) fn node(&self, address: &str) -> NodeIndex {
        let address = NodeAddress::typed(address);
        *self.plan.index.by_address.get(&address).unwrap_or_else(|| panic!("no node {address}"))
    }

    pub(crate) fn status(&self, address: &str) -> NodeStatus {
        self.state.node(self.node(address)).status
    }

    pub(crate) fn run(&self) -> RunStatus {
        self.state.status
    }

    fn key(&self, address: &str) -> AttemptKey {
        let node = self.node(address);
        AttemptKey { node, attempt: self.state.node(node).attempts }
    }

    /// The attempt under way ends well.
    pub(crate) fn done(&mut self, address: &str, outputs: Value) {
        let Value::Object(outputs) = outputs else { panic!("outputs are an object") };
        let attempt = self.key(address);
        self.input(Input::AttemptEnded { attempt, result: Ok(outputs) }).unwrap();
    }

    pub(crate) fn ok(&mut self, address: &str) {
        self.done(address, json!({}));
    }

    /// What undo will need was read.
    pub(crate) fn prepared(&mut self, address: &str) {
        let node = self.node(address);
        self.input(Input::Prepared { node, result: Ok(Some(json!({"before": 1}))) }).unwrap();
    }

    /// The attempt under way fails.
    pub(crate) fn fail(&mut self, address: &str, class: FailureClass) {
        let attempt = self.key(address);
        let failure = Failure::new(class, "it broke");
        self.input(Input::AttemptEnded { attempt, result: Err(failure) }).unwrap();
    }

    pub(crate) fn observe(&mut self, address: &str, observation: Observation) {
        let attempt = self.key(address);
        self.input(Input::Observed { attempt, observation }).unwrap();
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, duration: &str) {
        self.now = self.now.plus(duration.parse().unwrap());
        self.input(Input::Tick).unwrap();
    }

    /// Time passes until it changes something.
    pub(crate) fn wait_for_wake(&mut self) {
        self.now =
            self.now.max(next_wake(&self.plan, &self.state, self.now).expect("nothing waits for time"));
        self.input(Input::Tick).unwrap();
    }

    /// A person asks for something; what was wrong with it comes back.
    pub(crate) fn ask_as(&mut self, who: &str, control: Control, reason: Option<&str>) -> Option<String> {
        self.requests += 1;
        let request = Request {
            id: format!("r{}", self.requests),
            by: Identity::asserted(who),
            from: "test".to_owned(),
            reason: reason.map(str::to_owned),
            control,
        };
        let events = self.input(Input::Request(request)).unwrap();
        events.into_iter().find_map(|event| match event {
            Event::RequestAnswered { refused, .. } => refused,
            _ => None,
        })
    }

    pub(crate) fn ask(&mut self, control: Control) -> Option<String> {
        self.ask_as("ann", control, Some("because"))
    }

    /// What is in flight, as `node:kind`.
    pub(crate) fn in_flight(&self) -> Vec<String> {
        use drctl::engine::command::Command;
        let name = |node: &NodeIndex| self.plan.plan.nodes[*node as usize].address.to_string();
        commands(&self.plan, &self.state, self.now)
            .iter()
            .map(|command| match command {
                Command::Prepare { node } => format!("{}:prepare", name(node)),
                Command::Start { attempt, .. } => format!("{}:start", name(&attempt.node)),
                Command::Poll { attempt, .. } => format!("{}:poll", name(&attempt.node)),
                Command::Observe { attempt, .. } => format!("{}:observe", name(&attempt.node)),
            })
            .collect()
    }
}

fn created(plan: &IndexedPlan, mode: Mode, consents: Consents, now: Timestamp) -> RunCreated {
    RunCreated {
        run: RunId::new("pay-aaaaaaaa").unwrap(),
        service: plan.plan.runbook.name.clone(),
        operation: plan.plan.operation,
        intent: plan.plan.intent,
        mode,
        from: plan.plan.from.clone(),
        to: plan.plan.to.clone(),
        plan: "0".to_owned(),
        runbook: "0".to_owned(),
        reason: None,
        started_by: Identity::asserted("starter"),
        trigger: "test".to_owned(),
        incident_at: None,
        detected_at: None,
        declared_at: now,
        consents,
        adopt: false,
        staged_until: None,
        version: "0".to_owned(),
        notes: BTreeMap::new(),
        earlier: Vec::new(),
        parent: None,
    }
}

/// Retry a node.
pub(crate) fn retry(node: &str) -> Control {
    Control::Retry { node: NodeAddress::typed(node) }
}

/// Skip a node.
pub(crate) fn skip(node: &str, override_safety: bool) -> Control {
    Control::Skip { node: NodeAddress::typed(node), override_safety }
}

/// Mark a node as done.
pub(crate) fn by_hand(node: &str) -> Control {
    Control::Done { node: NodeAddress::typed(node), outputs: Map::new() }
}

/// Approve what waits.
pub(crate) fn approve(consents: Consents) -> Control {
    Control::Approve { node: None, consents }
}
