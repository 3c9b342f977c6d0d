//! Keeps in flight what the engine says must be in flight: starts what is missing, gives up what is no
//! longer wanted.
//! One attempt of a node at a time: what follows waits until what went before has truly ended.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::children::{ChildTask, Children};
use super::clock::{Time, Token};
use super::redact::Redactor;
use super::task::{Landing, Reporter, Task};
use crate::engine::command::Command;
use crate::engine::context::{Confidential, render_call};
use crate::engine::input::{Direction, Input, Observation};
use crate::engine::{IndexedPlan, RunState, call_of};
use crate::model::action::Action;
use crate::model::id::SiteName;
use crate::model::run::{Failure, FailureClass};
use crate::model::values::Site;
use crate::plan::drill::boundary::outside;
use crate::plan::{ChildPlan, Node, NodeIndex, PlannedUndo};
use crate::ports::{AttemptContext, Began, CancelSignal, CancelSwitch, Precheck, Provider};

/// How long the drivers of child runs may take to leave them.
const LEAVES_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prepare,
    Try,
    Observe,
}

struct Flight {
    kind: Kind,
    attempt: u32,
    switch: CancelSwitch,
    given_up: bool,
    /// Absent when the attempt could not be made at all.
    task: Option<JoinHandle<()>>,
    /// It drives a run of its own.
    is_child: bool,
    _token: Token,
    /// Time must not run on until one that was told to give up has noticed, or the attempt that follows would
    /// be late before it begins.
    hold: Option<Token>,
}

pub(super) struct Dispatcher {
    provider: Arc<dyn Provider>,
    time: Time,
    reports: Reporter,
    children: Arc<Children>,
    flights: HashMap<NodeIndex, Flight>,
    confidential: Arc<Confidential>,
    sites: Arc<BTreeMap<SiteName, Site>>,
    redactor: Redactor,
}

impl Dispatcher {
    pub(super) fn new(
        provider: Arc<dyn Provider>,
        children: Arc<Children>,
        reports: Reporter,
        confidential: Arc<Confidential>,
        sites: Arc<BTreeMap<SiteName, Site>>,
    ) -> Self {
        let redactor = Redactor::new(&confidential);
        let time = children.runtime.time.clone();
        Self { provider, time, reports, children, flights: HashMap::new(), confidential, sites, redactor }
    }

    /// How many tasks have not ended.
    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Values of sensitive parameters.
    pub(super) fn sensitive(&self) -> &BTreeMap<String, Value> {
        &self.confidential.parameters
    }

    pub(super) fn landed(&mut self, node: NodeIndex) {
        self.flights.remove(&node);
    }

    /// Lets what was told to give up clean up after itself: the run is over.
    pub(super) fn let_end(&mut self) {
        self.flights.clear();
    }

    /// Leaves everything as it is, as if the process had died: what is under way goes on. To give it up would
    /// take from the next driver what it has adopted, and stop a promotion halfway because a disk is full.
    pub(super) fn leave_all(&mut self) {
        for task in self.flights.drain().filter_map(|(_, flight)| flight.task) {
            task.abort();
        }
    }

    /// Waits until the runs that are driven here have been left to others.
    pub(super) async fn children_left(&mut self) {
        for flight in self.flights.values_mut().filter(|flight| flight.is_child) {
            let Some(task) = flight.task.as_mut() else { continue };
            // One that does not come to an end is dropped, as if the process had died.
            let _ = tokio::time::timeout(LEAVES_WITHIN, task).await;
        }
    }

    /// Brings what is in flight in line with what must be.
    pub(super) fn reconcile(&mut self, plan: &IndexedPlan, state: &RunState, commands: Vec<Command>) {
        let wanted: HashMap<NodeIndex, (Kind, u32)> = commands.iter().map(identity).collect();
        for (node, flight) in &mut self.flights {
            let still = wanted
                .get(node)
                .is_some_and(|(kind, attempt)| *kind == flight.kind && *attempt == flight.attempt);
            if !still && !flight.given_up {
                flight.given_up = true;
                flight.hold = Some(self.time.token());
                flight.switch.cancel();
            }
        }
        for command in commands {
            let (node, (kind, attempt)) = identity(&command);
            if !self.flights.contains_key(&node) {
                self.launch(plan, state, command, node, kind, attempt);
            }
        }
    }

    fn launch(
        &mut self,
        plan: &IndexedPlan,
        state: &RunState,
        command: Command,
        node: NodeIndex,
        kind: Kind,
        attempt: u32,
    ) {
        let (switch, cancelled) = CancelSwitch::new();
        let definition = plan.plan.nodes.get(node as usize);
        let asks = definition.is_some_and(Node::only_asks);
        let landing = Landing { reports: self.reports.clone(), node, lost: Some(lost(&command)) };
        let mut is_child = false;
        let task = match self.assignment(plan, state, &command, node, attempt, cancelled) {
            Ok((_, context, Some(child))) if !asks => {
                is_child = true;
                let children = Arc::clone(&self.children);
                let (consents, of_fleet) = (state.consents.clone(), plan.plan.is_fleet());
                let task = ChildTask { children, plan: child, landing, consents, of_fleet };
                Some(tokio::spawn(task.run(command, context)))
            }
            Ok((action, context, _)) => {
                let task = Task {
                    asks,
                    provider: Arc::clone(&self.provider),
                    journal: Arc::clone(&self.children.runtime.journal),
                    clock: self.time.clock(),
                    redactor: self.redactor.clone(),
                    landing,
                    reads_first: makes_up(plan, node, &command),
                };
                Some(tokio::spawn(task.run(command, action, context)))
            }
            Err(failure) => {
                let ended = if asks { not_asked(&command, failure) } else { not_made(&command, failure) };
                landing.end(ended);
                None
            }
        };
        let flight = Flight {
            kind,
            attempt,
            switch,
            given_up: false,
            task,
            is_child,
            _token: self.time.token(),
            hold: None,
        };
        self.flights.insert(node, flight);
    }

    fn assignment(
        &self,
        plan: &IndexedPlan,
        state: &RunState,
        command: &Command,
        node: NodeIndex,
        attempt: u32,
        cancelled: CancelSignal,
    ) -> Result<(Action, AttemptContext, Option<ChildPlan>), Failure> {
        let broken = |message: &str| Failure::new(FailureClass::Refused, message);
        let definition =
            plan.plan.nodes.get(node as usize).ok_or_else(|| broken("the plan has no such node"))?;
        let (direction, key, deadline, prepared) = match command {
            Command::Prepare { .. } => (Direction::Do, String::new(), None, None),
            Command::Start { direction, key, deadline, prepared, .. }
            | Command::Poll { direction, key, deadline, prepared, .. } => {
                (*direction, key.clone(), Some(*deadline), prepared.clone())
            }
            Command::Observe { direction, key, prepared, .. } => {
                (*direction, key.clone(), None, prepared.clone())
            }
        };
        // What was read before the effect is nothing to another action that makes up for it.
        let prepared = prepared.filter(|_| !makes_up(plan, node, command));
        let mode = state.node(node).current.as_ref().map_or(state.mode, |current| current.mode);
        let call =
            call_of(definition, mode, direction).ok_or_else(|| broken("the node performs no action"))?;
        let action = render_call(plan, state, definition, call, &self.confidential)?;
        if matches!(command, Command::Start { .. }) {
            within_boundary(plan, definition, &action)?;
        }
        let context = AttemptContext {
            run: state.created.run.clone(),
            service: state.created.service.clone(),
            node: definition.address.clone(),
            attempt,
            direction: asked_of(definition, direction),
            idempotency_key: key,
            fencing_token: state.token,
            deadline: deadline.unwrap_or_else(|| self.time.clock().now().plus(definition.timeout)),
            mode,
            intent: state.created.intent,
            from: plan.plan.ends(definition).0.cloned(),
            to: plan.plan.ends(definition).1.cloned(),
            sites: Arc::clone(&self.sites),
            prepared,
            began: state
                .node(node)
                .current
                .as_ref()
                .map(|current| Began { host: current.host.clone(), traces: current.traces.clone() }),
            sensitive: call.sensitive,
            cancelled,
        };
        Ok((action, context, call.child.as_deref().cloned()))
    }
}

/// Refuses an effect of an isolated drill that lies outside its boundary: the last look, with every value
/// known.
fn within_boundary(plan: &IndexedPlan, node: &Node, action: &Action) -> Result<(), Failure> {
    let Some(boundary) = plan.plan.drill.as_ref().and_then(|drill| drill.boundary.as_ref()) else {
        return Ok(());
    };
    let trusted = node.drill.is_some_and(|place| place.trusted);
    match outside(boundary, &plan.plan.sites, action, trusted) {
        Some(why) => {
            let message = format!("outside the boundary of the drill, and not done: {why}");
            Err(Failure::new(FailureClass::Refused, message))
        }
        None => Ok(()),
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.leave_all();
    }
}

/// Whether a command is for another action that makes up for the effect of its node.
fn makes_up(plan: &IndexedPlan, node: NodeIndex, command: &Command) -> bool {
    let undoes = match command {
        Command::Prepare { .. } => false,
        Command::Start { direction, .. }
        | Command::Poll { direction, .. }
        | Command::Observe { direction, .. } => *direction == Direction::Undo,
    };
    let undo = plan.plan.nodes.get(node as usize).and_then(|definition| definition.undo.as_ref());
    undoes && matches!(undo, Some(PlannedUndo::Call(_)))
}

/// What is asked of the action itself: another action that makes up for an effect is applied, not taken back.
fn asked_of(node: &Node, direction: Direction) -> Direction {
    match (direction, &node.undo) {
        (Direction::Undo, Some(PlannedUndo::Call(_))) => Direction::Do,
        (direction, _) => direction,
    }
}

/// Node, kind and attempt of a command. Starting and polling are one flight: the task that started goes on
/// polling.
fn identity(command: &Command) -> (NodeIndex, (Kind, u32)) {
    match command {
        Command::Prepare { node } => (*node, (Kind::Prepare, 0)),
        Command::Start { attempt, .. } | Command::Poll { attempt, .. } => {
            (attempt.node, (Kind::Try, attempt.attempt))
        }
        Command::Observe { attempt, .. } => (attempt.node, (Kind::Observe, attempt.attempt)),
    }
}

/// What to report when the attempt was not made at all.
fn not_made(command: &Command, failure: Failure) -> Input {
    match command {
        Command::Prepare { node } => Input::Prepared { node: *node, result: Err(failure) },
        Command::Start { attempt, .. } | Command::Poll { attempt, .. } => {
            Input::AttemptEnded { attempt: *attempt, result: Err(failure) }
        }
        Command::Observe { attempt, .. } => {
            Input::Observed { attempt: *attempt, observation: Observation::Unknown(failure.message) }
        }
    }
}

/// What to report when an action could not even be asked: what it needs is not known before other steps.
fn not_asked(command: &Command, failure: Failure) -> Input {
    match command {
        Command::Start { attempt, .. } | Command::Poll { attempt, .. } => {
            let why = format!("not checked, its parameters are known only in the run ({})", failure.message);
            let unknown = Precheck { unknown: vec![why], ..Precheck::default() };
            Input::AttemptEnded { attempt: *attempt, result: Ok(unknown.outputs()) }
        }
        Command::Prepare { .. } | Command::Observe { .. } => not_made(command, failure),
    }
}

/// What to report when the task ends without a word, which only a bug can cause.
fn lost(command: &Command) -> Input {
    let failure =
        Failure::new(FailureClass::InDoubt, "the provider stopped without an answer; this is a bug in drctl");
    not_made(command, failure)
}
