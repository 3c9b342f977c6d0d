//! Compares recorded runs with the runbook as it is now, step by step, and counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::sides::{BranchUse, UndoUse};
use super::unit::{Unit, is_main};
use super::{Past, RunUse, Seen, StepState, StepUse, Window};
use crate::engine::event::SkipCause;
use crate::engine::state::NodeState;
use crate::evidence::exercises;
use crate::model::id::{NodeAddress, RunId};
use crate::model::run::{Mode, NodeStatus, Operation};
use crate::model::runbook::Runbook;
use crate::model::time::Timestamp;
use crate::plan::{self, Case, Node, NodeKind, Plan, Section};

/// What a runbook would do, by address.
type Nodes = BTreeMap<NodeAddress, Node>;

/// What was counted so far.
pub(super) struct Tally<'a> {
    runbook: &'a Runbook,
    digest: &'a str,
    window: Window,
    units: Vec<Unit>,
    /// By unit: by address, runs that performed it as it is now.
    same: Vec<BTreeMap<String, Seen>>,
    /// By unit: what else was seen of it, the best first.
    other: Vec<BTreeSet<StepState>>,
    /// By unit: its condition was true, was false.
    taken: Vec<(Seen, Seen)>,
    undone: Vec<Seen>,
    /// Steps that clean a drill up, by id.
    cleaned: BTreeMap<String, Seen>,
    /// What the runbook as it is now would do, by how it would be run: most runs are alike.
    planned: HashMap<String, Arc<Nodes>>,
}

/// A run as it is being counted.
struct Looked<'a> {
    run: &'a RunId,
    same_runbook: bool,
    /// What the runbook would do now, forth and back.
    forth: Arc<Nodes>,
    back: Arc<Nodes>,
    performed: BTreeSet<usize>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(runbook: &'a Runbook, digest: &'a str, units: Vec<Unit>, window: Window) -> Self {
        let count = units.len();
        let cleanup = runbook.drill.iter().flat_map(|drill| &drill.cleanup);
        let cleaned = cleanup.map(|step| (step.id.to_string(), Seen::default())).collect();
        Self {
            runbook,
            digest,
            window,
            units,
            same: vec![BTreeMap::new(); count],
            other: vec![BTreeSet::new(); count],
            taken: vec![(Seen::default(), Seen::default()); count],
            undone: vec![Seen::default(); count],
            cleaned,
            planned: HashMap::new(),
        }
    }

    /// Counts a run; `None` when it is none that exercises anything, or not of the window.
    pub(super) fn add(&mut self, past: Past<'_>) -> Option<RunUse> {
        let (plan, state) = (&past.plan.plan, past.state);
        let created = &state.created;
        let at = state.clock.ended_at.unwrap_or(state.last_at);
        let begun = state.clock.started_at.is_some();
        if !exercises(created.intent) || !begun || at < self.window.since || at > self.window.until {
            return None;
        }
        let mut looked = Looked {
            run: &created.run,
            same_runbook: plan.runbook.digest == self.digest,
            forth: self.now(plan, plan.operation, state.mode, false),
            back: Arc::default(),
            performed: BTreeSet::new(),
        };
        if plan.drill.as_ref().is_some_and(|drill| drill.returns) {
            looked.back = self.now(plan, Operation::Failback, Mode::Graceful, true);
        }
        for (node, node_state) in plan.nodes.iter().zip(&state.nodes) {
            self.node(&mut looked, plan, node, node_state, state.mode);
        }
        Some(RunUse {
            run: created.run.clone(),
            operation: created.operation,
            mode: state.mode,
            intent: created.intent,
            level: plan.drill.as_ref().map(|drill| drill.level),
            from: created.from.clone(),
            to: created.to.clone(),
            status: state.status,
            at,
            steps: looked.performed.len(),
            same_runbook: looked.same_runbook,
        })
    }

    /// What the runbook as it is now would do in the place of a run, by address. Nothing, where it cannot be
    /// planned that way any more: then nothing of the run counts.
    fn now(&mut self, past: &Plan, operation: Operation, mode: Mode, back: bool) -> Arc<Nodes> {
        let (from, to) = (past.from.clone(), past.to.clone());
        let (from, to) = if back { (to, from) } else { (from, to) };
        let way = format!("{operation} {mode} {from:?} {to:?} {:?}", past.parameters);
        if let Some(known) = self.planned.get(&way) {
            return Arc::clone(known);
        }
        let planned = plan::plan_of(self.runbook, &Case { operation, mode, from, to }, &past.parameters);
        let nodes = planned.map(|plan| plan.nodes).unwrap_or_default();
        let nodes: Nodes = nodes.into_iter().map(|node| (node.address.clone(), node)).collect();
        let nodes = Arc::new(nodes);
        self.planned.insert(way, Arc::clone(&nodes));
        nodes
    }

    fn node(&mut self, looked: &mut Looked<'_>, plan: &Plan, node: &Node, state: &NodeState, mode: Mode) {
        let at = state.ended_at.filter(|at| *at >= self.window.since);
        let (Some(at), Some(step)) = (at, &node.step) else { return };
        let workflow = match (node.section(), plan.operation) {
            (Some(Section::Cleanup), _) => {
                if let Some(seen) = self.cleaned.get_mut(step.as_str()).filter(|_| performed(node, state)) {
                    seen.add(looked.run, at);
                }
                return;
            }
            (Some(Section::Failback), _) | (Some(Section::Operation) | None, Operation::Failback) => {
                Operation::Failback
            }
            (Some(Section::Operation) | None, _) => Operation::Failover,
            (Some(Section::Guard | Section::Inject | Section::Verify | Section::Hold), _) => return,
        };
        if !is_main(node) {
            return;
        }
        let mode = state.mode.unwrap_or(mode);
        let unit = self.units.iter().position(|unit| {
            unit.workflow == workflow && unit.step == *step && unit.mode.is_none_or(|only| only == mode)
        });
        let Some(index) = unit else { return };
        let address = node.address.as_str();
        let address =
            address.strip_prefix("failback/").filter(|_| node.section().is_some()).unwrap_or(address);
        let nodes = if node.section() == Some(Section::Failback) { &looked.back } else { &looked.forth };
        let now = nodes.get(&NodeAddress::typed(address));
        let same = now.is_some_and(|now| is_same(node, now, mode));
        let same_when = now.is_some_and(|now| now.when == node.when);
        if performed(node, state) {
            if same {
                self.same[index].entry(address.to_owned()).or_default().add(looked.run, at);
                looked.performed.insert(index);
            } else {
                let other = if looked.same_runbook { StepState::Replaced } else { StepState::Changed };
                self.other[index].insert(other);
            }
            if node.when.is_some() && same_when {
                self.taken[index].0.add(looked.run, at);
            }
            if same && state.status == NodeStatus::Undone {
                self.undone[index].add(looked.run, at);
            }
        } else if state.skipped == Some(SkipCause::When) && same_when {
            self.taken[index].1.add(looked.run, at);
        } else if matches!(
            state.status,
            NodeStatus::Failed | NodeStatus::FailedIgnored | NodeStatus::TimedOut
        ) {
            self.other[index].insert(StepState::Failed);
        }
    }

    /// Every step with what became of it.
    pub(super) fn steps(&self) -> Vec<StepUse> {
        let units = self.units.iter().zip(&self.same).zip(&self.other);
        let step = |((unit, same), other): ((&Unit, &BTreeMap<String, Seen>), &BTreeSet<StepState>)| {
            let found: Vec<&Seen> = unit.items.iter().filter_map(|item| same.get(item)).collect();
            let whole = found.len() == unit.items.len();
            let state = match (whole, found.is_empty(), other.first()) {
                (true, _, _) => StepState::Exercised,
                (false, false, _) => StepState::Partial,
                (false, true, Some(other)) => *other,
                (false, true, None) => StepState::Never,
            };
            // Of all items the one that was exercised longest ago.
            let oldest = found.iter().min_by_key(|seen| seen.last_at).map(|seen| (*seen).clone());
            StepUse {
                workflow: unit.workflow,
                step: unit.step.clone(),
                name: unit.name.clone(),
                phase: unit.phase,
                action: unit.action,
                mode: unit.mode,
                state,
                items: unit.repeated.then_some(unit.items.len()),
                seen: oldest.unwrap_or_default(),
            }
        };
        units.map(step).collect()
    }

    /// Every condition, each way. What a step does in which mode says nothing about its condition.
    pub(super) fn branches(&self) -> Vec<BranchUse> {
        let mut branches: Vec<BranchUse> = Vec::new();
        for (unit, (taken, left_out)) in self.units.iter().zip(&self.taken) {
            let Some(when) = &unit.when else { continue };
            let known = branches
                .iter_mut()
                .find(|branch| branch.workflow == unit.workflow && branch.step == unit.step);
            if let Some(known) = known {
                known.taken.join(taken);
                known.left_out.join(left_out);
                continue;
            }
            branches.push(BranchUse {
                workflow: unit.workflow,
                step: unit.step.clone(),
                when: when.clone(),
                taken: taken.clone(),
                left_out: left_out.clone(),
            });
        }
        branches
    }

    /// Every way back.
    pub(super) fn undo(&self) -> Vec<UndoUse> {
        let units = self.units.iter().zip(&self.undone).filter(|(unit, _)| unit.undo);
        let undone = units.map(|(unit, seen)| UndoUse {
            kind: "undo",
            workflow: Some(unit.workflow),
            step: unit.step.to_string(),
            seen: seen.clone(),
        });
        let cleaned = self.cleaned.iter().map(|(step, seen)| UndoUse {
            kind: "cleanup",
            workflow: None,
            step: step.clone(),
            seen: seen.clone(),
        });
        undone.chain(cleaned).collect()
    }
}

impl Seen {
    /// Adds what was seen of another mode.
    fn join(&mut self, other: &Self) {
        self.times += other.times;
        if other.last_at > self.last_at {
            (self.last_at, self.last_run) = (other.last_at, other.last_run.clone());
        }
    }

    /// The time something was last seen, for a list.
    #[must_use]
    pub const fn at(&self) -> Option<Timestamp> {
        self.last_at
    }
}

/// Says whether drctl did what a node is there for. What was taken back later was done before; what people
/// have to do is done when they say so.
fn performed(node: &Node, state: &NodeState) -> bool {
    match state.status {
        NodeStatus::Succeeded => !state.adopted,
        NodeStatus::Undone | NodeStatus::UndoFailed => {
            let done = state.did.as_ref().is_some_and(|did| did.status == NodeStatus::Succeeded);
            done && !state.adopted
        }
        NodeStatus::MarkedDone => matches!(node.kind, NodeKind::Manual { .. }),
        NodeStatus::Pending
        | NodeStatus::Ready
        | NodeStatus::Running
        | NodeStatus::Waiting
        | NodeStatus::AwaitingApproval
        | NodeStatus::Retrying
        | NodeStatus::InDoubt
        | NodeStatus::Failed
        | NodeStatus::FailedIgnored
        | NodeStatus::TimedOut
        | NodeStatus::Skipped
        | NodeStatus::Cancelled => false,
    }
}

/// Says whether two nodes do the same in a mode.
fn is_same(one: &Node, other: &Node, mode: Mode) -> bool {
    match (one.call(mode), other.call(mode)) {
        (Some(one), Some(other)) => one.action == other.action && one.with == other.with,
        (None, None) => one.kind == other.kind,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
