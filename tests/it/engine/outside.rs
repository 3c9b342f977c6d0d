//! What a run works on, as far as the engine can harm it: every start that was made, what came of it, and
//! what is in flight. Refuses what must never happen: two starts at once, an effect a second time, a start
//! nobody wants any more.

use std::collections::{BTreeMap, BTreeSet};

use drctl::engine::command::Command;
use drctl::engine::event::{Applied, Event, SkipCause, Want};
use drctl::engine::input::{AttemptKey, Control, Direction, Input, Observation};
use drctl::engine::{RunState, call_of, commands};
use drctl::model::action::{Doubt, traits};
use drctl::model::id::NodeAddress;
use drctl::model::run::{Failure, FailureClass, Mode, NodeStatus, RunStatus};
use drctl::plan::{Node, NodeIndex};
use serde_json::{Map, json};

use super::script::Script;

/// Something that was started.
#[derive(Debug, Clone)]
struct Operation {
    node: NodeIndex,
    direction: Direction,
    key: String,
    mode: Mode,
    alive: bool,
    /// It was accepted, and has a handle.
    accepted: bool,
}

/// What the dispatcher has a task for.
#[derive(Debug, Clone)]
struct Flight {
    kind: Kind,
    attempt: u32,
    direction: Direction,
    operation: Option<usize>,
    given_up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prepare,
    Try,
    Observe,
}

/// How a flight lands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Landing {
    /// It did what it should.
    Good,
    /// It is known not to have done anything.
    Failed(FailureClass),
    /// Nobody heard of its end; whether it did anything is in the flag.
    Silent(bool),
    /// It was accepted, and goes on.
    Handle,
    /// An observation that could not tell.
    Blind,
    /// An observation that finds somebody else's work: done already, or under way.
    Foreign(bool),
}

/// The world around a run.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    operations: Vec<Operation>,
    flights: BTreeMap<NodeIndex, Flight>,
    /// Keys under which the effect of a node has been applied and not taken back.
    there: BTreeMap<NodeIndex, BTreeSet<String>>,
    /// Nodes a person wants started again whatever came of them, having been told that nobody can tell.
    forced: BTreeSet<NodeIndex>,
    /// Nodes a person has settled: nothing may be started for them any more.
    closed: BTreeSet<NodeIndex>,
    /// Nodes a person has marked done: nothing may be started for them any more but their undo.
    by_hand: BTreeSet<NodeIndex>,
    /// Nodes a person has wanted tried again.
    retried: BTreeSet<NodeIndex>,
}

const OTHER: &str = "somebody else";
const BY_HAND: &str = "by hand";

impl Outside {
    /// Starts what is missing and gives up what is not wanted, as the dispatcher does.
    pub(crate) fn reconcile(&mut self, script: &Script) -> Result<(), String> {
        let commands = commands(&script.plan, &script.state, script.now);
        let wanted: BTreeMap<_, _> = commands.iter().map(identity).collect();
        for (node, flight) in &mut self.flights {
            flight.given_up |= wanted.get(node) != Some(&(flight.kind, flight.attempt));
        }
        for command in commands {
            let (node, (kind, attempt)) = identity(&command);
            if self.flights.contains_key(&node) {
                continue;
            }
            let (direction, operation) = match command {
                Command::Prepare { .. } => (Direction::Do, None),
                Command::Observe { direction, .. } => (direction, None),
                Command::Poll { direction, handle, .. } => {
                    (direction, Some(usize::try_from(handle.as_u64().unwrap()).unwrap()))
                }
                Command::Start { direction, key, .. } => {
                    self.may_start(script, node, direction, &key)
                        .map_err(|why| format!("{direction} {}: {why}", address(script, node)))?;
                    let mode = script.state.node(node).current.as_ref().unwrap().mode;
                    self.operations.push(Operation {
                        node,
                        direction,
                        key,
                        mode,
                        alive: true,
                        accepted: false,
                    });
                    (direction, Some(self.operations.len() - 1))
                }
            };
            let flight = Flight { kind, attempt, direction, operation, given_up: false };
            self.flights.insert(node, flight);
        }
        Ok(())
    }

    fn may_start(
        &self,
        script: &Script,
        node: NodeIndex,
        direction: Direction,
        key: &str,
    ) -> Result<(), String> {
        let state = &script.state;
        let Some((rule, resend)) = rule(script, state, node, direction) else {
            return Err("the node has nothing to do in this mode".to_owned());
        };
        let of_node = |operation: &&Operation| operation.node == node;
        let forced = self.forced.contains(&node);
        if self.operations.iter().filter(of_node).any(|operation| operation.alive) {
            return Err("an earlier one is still under way".to_owned());
        }
        let by_hand = self.by_hand.contains(&node);
        if self.closed.contains(&node) || (by_hand && direction == Direction::Do) {
            return Err("a person has settled it".to_owned());
        }
        let mode = state.node(node).current.as_ref().unwrap().mode;
        let way = |mode| call_of(definition(script, node), mode, direction);
        if let Some(earlier) = self.operations.iter().find(|it| it.key == key && way(it.mode) != way(mode)) {
            return Err(format!("it is another call under the key of a {} one", earlier.mode));
        }
        let prepares = definition(script, node).call(mode).is_some_and(|call| call.action.spec().prepares);
        let found = &state.node(node).prepared;
        // Whoever did it by hand may have been first: nothing was read then, and the undo finds nothing.
        let unread = by_hand && found.is_none();
        if direction == Direction::Undo && prepares && *found != Some(json!(false)) && !unread {
            return Err(format!("what to go back to was read as {found:?}"));
        }
        let again = self.operations.iter().filter(of_node).any(|operation| operation.key == key);
        let harmless = again && (rule == Doubt::Idempotent || resend);
        let there = self.there.get(&node).is_some_and(|keys| !keys.is_empty());
        // A person may want it done in the way of the new mode.
        let other_way = |it: &String| {
            let earlier = self.operations.iter().find(|operation| operation.key == *it);
            earlier.is_some_and(|it| way(it.mode) != way(mode)) && self.retried.contains(&node)
        };
        let same = self.there.get(&node).is_some_and(|keys| keys.iter().all(|it| it == key || other_way(it)));
        match direction {
            Direction::Do if there && rule == Doubt::Idempotent && !same => {
                Err("its effect is there under another key".to_owned())
            }
            Direction::Do if there && !forced && !(same && (harmless || rule == Doubt::Idempotent)) => {
                Err("its effect is already there".to_owned())
            }
            Direction::Do | Direction::Undo => Ok(()),
        }
    }

    /// Ends a flight and gives what is reported of it.
    pub(crate) fn land(&mut self, script: &Script, pick: u8, landing: Landing) -> Option<Input> {
        let nodes: Vec<_> = self.flights.keys().copied().collect();
        let node = *nodes.get(usize::from(pick) % nodes.len().max(1))?;
        let flight = self.flights[&node].clone();
        if matches!(landing, Landing::Handle) && flight.kind == Kind::Try && !flight.given_up {
            let attempt = AttemptKey { node, attempt: flight.attempt };
            let number = flight.operation?;
            self.operations[number].accepted = true;
            return Some(Input::HandleReturned { attempt, handle: json!(number) });
        }
        self.flights.remove(&node);
        let attempt = AttemptKey { node, attempt: flight.attempt };
        Some(match flight.kind {
            Kind::Prepare => {
                let failure = |class| Err(Failure::new(class, "x"));
                let result = match landing {
                    _ if flight.given_up => failure(FailureClass::InDoubt),
                    Landing::Failed(class) => failure(class),
                    _ => Ok(Some(json!(self.there.contains_key(&node)))),
                };
                Input::Prepared { node, result }
            }
            Kind::Try => Input::AttemptEnded { attempt, result: self.end(script, &flight, landing) },
            Kind::Observe => {
                let observation = self.look(script, node, &flight, landing);
                Input::Observed { attempt, observation }
            }
        })
    }

    fn end(
        &mut self,
        script: &Script,
        flight: &Flight,
        landing: Landing,
    ) -> Result<Map<String, serde_json::Value>, Failure> {
        let Some(operation) = flight.operation.filter(|number| self.operations[*number].alive) else {
            return Err(Failure::new(FailureClass::InDoubt, "its end was missed"));
        };
        let Operation { node, direction, key, accepted, .. } = self.operations[operation].clone();
        let rule = rule(script, &script.state, node, direction).map(|(rule, _)| rule);
        let known = accepted && self.there.get(&node).is_some_and(|keys| keys.contains(&key));
        match landing {
            // Whoever knows the key says what became of the first one.
            _ if known && rule == Some(Doubt::Idempotent) => {
                self.finish(operation, true);
                Ok(Map::new())
            }
            // The look got no answer.
            Landing::Failed(class @ (FailureClass::Unreachable | FailureClass::Throttled)) if accepted => {
                if rule != Some(Doubt::Observable) {
                    self.finish(operation, flight.attempt.is_multiple_of(2));
                }
                Err(Failure::new(class, "x"))
            }
            // What was accepted may be there all the same, whatever a later look said.
            Landing::Failed(class @ (FailureClass::Permanent | FailureClass::Refused)) if accepted => {
                self.finish(operation, flight.attempt.is_multiple_of(2));
                Err(Failure::new(class, "x"))
            }
            Landing::Failed(class) if !matches!(class, FailureClass::InDoubt | FailureClass::TimedOut) => {
                self.finish(operation, false);
                Err(Failure::new(class, "x"))
            }
            Landing::Good => {
                self.finish(operation, true);
                Ok(Map::new())
            }
            Landing::Silent(applied) => {
                self.finish(operation, applied);
                Err(Failure::new(FailureClass::InDoubt, "no reply"))
            }
            Landing::Failed(class) => {
                self.finish(operation, false);
                Err(Failure::new(class, "no reply"))
            }
            Landing::Handle | Landing::Blind | Landing::Foreign(_) => {
                self.finish(operation, flight.attempt.is_multiple_of(2));
                Err(Failure::new(FailureClass::InDoubt, "no reply"))
            }
        }
    }

    fn finish(&mut self, number: usize, applied: bool) {
        let operation = &mut self.operations[number];
        operation.alive = false;
        if !applied {
            return;
        }
        match operation.direction {
            Direction::Do => {
                self.there.entry(operation.node).or_default().insert(operation.key.clone());
            }
            Direction::Undo => {
                self.there.remove(&operation.node);
            }
        }
    }

    fn look(&mut self, script: &Script, node: NodeIndex, flight: &Flight, landing: Landing) -> Observation {
        if flight.given_up {
            return Observation::Unknown("given up".to_owned());
        }
        let before = script.state.node(node).status == NodeStatus::Ready;
        let rule = rule(script, &script.state, node, flight.direction);
        let observable = rule.is_some_and(|(rule, _)| rule == Doubt::Observable);
        match landing {
            Landing::Blind => {
                // What may be sent again whatever has become of it has ended, if nobody can tell.
                if rule.is_some_and(|(_, again)| again) {
                    self.ends(node, flight.attempt.is_multiple_of(2));
                    self.forced.insert(node);
                }
                return Observation::Unknown("x".to_owned());
            }
            Landing::Foreign(false) if before && !self.there.contains_key(&node) => {
                self.there.entry(node).or_default().insert(OTHER.to_owned());
            }
            Landing::Foreign(true)
                if before && observable && self.operations.iter().all(|it| it.node != node) =>
            {
                let (direction, key) = (Direction::Do, OTHER.to_owned());
                let mode = script.state.mode;
                self.operations.push(Operation { node, direction, key, mode, alive: true, accepted: true });
            }
            _ => {}
        }
        let live = self.operations.iter().rposition(|operation| {
            operation.node == node && operation.direction == flight.direction && operation.alive
        });
        let there = self.there.contains_key(&node);
        match (live, flight.direction) {
            (Some(number), _) => Observation::InProgress(json!(number)),
            (None, Direction::Do) if there => Observation::Applied(Map::new()),
            (None, Direction::Undo) if !there => Observation::Applied(Map::new()),
            (None, Direction::Do | Direction::Undo) => Observation::NotApplied,
        }
    }

    /// The driver dies. What can be looked at later may outlive it; of the rest nobody hears again.
    pub(crate) fn crash(&mut self, script: &Script, fate: u8) {
        self.flights.clear();
        for number in 0..self.operations.len() {
            let Operation { node, direction, alive, .. } = self.operations[number];
            let rule = rule(script, &script.state, node, direction);
            let outlives = rule.is_none_or(|(rule, _)| rule == Doubt::Observable);
            let bit = fate.rotate_right(u32::try_from(number % 8).unwrap());
            if alive && !(outlives && bit & 1 == 0) {
                self.finish(number, bit & 2 == 0);
            }
        }
    }

    fn ends(&mut self, node: NodeIndex, applied: bool) {
        for number in 0..self.operations.len() {
            if self.operations[number].node == node && self.operations[number].alive {
                self.finish(number, applied);
            }
        }
    }

    /// Something that nobody watches ends.
    pub(crate) fn end_unwatched(&mut self, applied: bool) {
        let watched: BTreeSet<_> = self.flights.values().filter_map(|flight| flight.operation).collect();
        let ends = (0..self.operations.len()).find(|it| self.operations[*it].alive && !watched.contains(it));
        if let Some(number) = ends {
            self.finish(number, applied);
        }
    }

    /// A person's word is believed, also that what is in doubt has ended.
    fn is_told_done(&mut self, before: &RunState, script: &Script, node: NodeIndex) {
        if before.node(node).status == NodeStatus::InDoubt {
            self.ends(node, true);
        }
        // What was said to be taken back is gone, also where an earlier try ended only now.
        if script.state.node(node).status == NodeStatus::Undone {
            self.there.remove(&node);
        }
    }

    /// It has ended, and what it was to do is there.
    fn is_marked_done(&mut self, node: NodeIndex) {
        self.ends(node, true);
        self.by_hand.insert(node);
        // The last word counts, where it was left out before.
        self.closed.remove(&node);
        self.there.entry(node).or_default().insert(BY_HAND.to_owned());
    }

    /// Notes what was decided, and refuses what nobody wants.
    pub(crate) fn heard(
        &mut self,
        before: &RunState,
        control: Option<&Control>,
        script: &Script,
        events: &[Event],
    ) -> Result<(), String> {
        let mut want = before.want;
        for event in events {
            match event {
                Event::WantChanged { want: now, .. } => {
                    if matches!((want, now), (Want::Abort | Want::Fail, _) | (Want::Unwind, Want::Fail)) {
                        return Err(format!("it will {now} after it was to {want}"));
                    }
                    want = *now;
                }
                Event::AttemptStarted(started) => {
                    let (node, direction) = (started.attempt.node, started.direction);
                    let doubt = before.node(node).status == NodeStatus::InDoubt
                        || before.node(node).status == NodeStatus::Running;
                    let rule = rule(script, before, node, direction);
                    let again = doubt && rule.is_some_and(|(rule, again)| rule == Doubt::Idempotent || again);
                    let wanted = match want {
                        Want::Run | Want::Pause => direction == Direction::Do,
                        Want::Unwind | Want::CleanUp => direction == Direction::Undo || again,
                        Want::Abort | Want::Fail => false,
                    };
                    if !wanted {
                        return Err(format!("{direction} {}: the run will {want}", address(script, node)));
                    }
                }
                Event::NodeSkipped { node, why: SkipCause::Person { .. } } => {
                    self.closed.insert(*node);
                }
                Event::NodeMarkedDone { node, .. } => self.is_marked_done(*node),
                Event::NodeSucceeded(it) => {
                    self.forced.remove(&it.node);
                }
                Event::NodeFailed { node, .. } | Event::UndoFailed { node, .. } => {
                    self.forced.remove(node);
                }
                Event::AttemptInDoubt { attempt, .. } => {
                    self.forced.remove(&attempt.node);
                }
                // By hand.
                Event::NodeUndone { node } if before.node(*node).status == NodeStatus::UndoFailed => {
                    self.there.remove(node);
                }
                Event::NodeUndone { node } if matches!(control, Some(Control::Done { .. })) => {
                    self.there.remove(node);
                }
                Event::RequestAnswered { refused: None, .. } => {
                    if let Some(Control::Done { node, .. }) = control {
                        self.is_told_done(before, script, script.node(node.as_str()));
                    }
                    let Some(Control::Retry { node }) = control else { continue };
                    let node = script.node(node.as_str());
                    self.retried.insert(node);
                    let it = before.node(node);
                    let blind =
                        rule(script, before, node, it.direction).is_none_or(|(rule, _)| rule == Doubt::Ask);
                    if it.status == NodeStatus::Failed || it.status == NodeStatus::InDoubt && blind {
                        self.forced.insert(node);
                    }
                }
                // Asked for again by a person, and still nobody can tell.
                Event::Observed { attempt, observation: Observation::Unknown(_), .. }
                    if before.node(attempt.node).asked_again =>
                {
                    self.ends(attempt.node, attempt.attempt.is_multiple_of(2));
                    self.forced.insert(attempt.node);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What must hold at any time.
    pub(crate) fn check(&self, script: &Script) -> Result<(), String> {
        for (node, keys) in &self.there {
            let it = script.state.node(*node);
            let name = address(script, *node);
            if keys.iter().all(|key| key == OTHER) {
                continue;
            }
            if it.applied == Applied::No {
                return Err(format!("{name} is {}, its effect is there, and nobody knows", it.status));
            }
            let left = it.status == NodeStatus::Skipped;
            let way_back = definition(script, *node).undo.is_some();
            if script.state.status == RunStatus::Unwound && way_back && !left {
                return Err(format!("{name} is {} and was not taken back", it.status));
            }
        }
        Ok(())
    }
}

fn definition(script: &Script, node: NodeIndex) -> &Node {
    &script.plan.plan.nodes[node as usize]
}

fn address(script: &Script, node: NodeIndex) -> &NodeAddress {
    &definition(script, node).address
}

/// How doubt about a node is settled, and whether it may be sent again where looking cannot tell.
fn rule(script: &Script, state: &RunState, node: NodeIndex, direction: Direction) -> Option<(Doubt, bool)> {
    let it = state.node(node);
    let mode = it.current.as_ref().map_or(state.mode, |current| current.mode);
    let call = call_of(definition(script, node), mode, direction)?;
    Some((traits::doubt(call.action, &call.with), traits::may_resend(call.action, &call.with)))
}

fn identity(command: &Command) -> (NodeIndex, (Kind, u32)) {
    match command {
        Command::Prepare { node } => (*node, (Kind::Prepare, 0)),
        Command::Start { attempt, .. } | Command::Poll { attempt, .. } => {
            (attempt.node, (Kind::Try, attempt.attempt))
        }
        Command::Observe { attempt, .. } => (attempt.node, (Kind::Observe, attempt.attempt)),
    }
}
