//! A plan as a comparison sees it: one unit for each authored step, and which units stand before which.

use std::collections::{HashMap, HashSet};

use crate::model::action::{Effect, meaning, traits};
use crate::model::id::StepId;
use crate::model::policy::{Approval, Reversibility};
use crate::model::run::{Mode, Phase};
use crate::model::time::Duration;
use crate::plan::draft::Class;
use crate::plan::estimate::recovery;
use crate::plan::fence::Sides;
use crate::plan::gates::is_irreversible;
use crate::plan::node::{Call, CheckPurpose, EdgeKind, Node, NodeKind, Plan};

/// Most steps whose order is compared pair by pair.
pub(in crate::plan) const ORDERED: usize = 4_096;

/// One step of a plan with everything that belongs to it.
pub(in crate::plan) struct Unit<'a> {
    /// Id of the step.
    pub(in crate::plan) id: &'a str,
    /// The node that performs its action, of the first item where it is fanned out; else the group's.
    pub(in crate::plan) main: &'a Node,
    /// How many nodes perform it; 0 for a group of other steps.
    pub(in crate::plan) items: usize,
    pub(in crate::plan) prechecks: Vec<&'a Node>,
    pub(in crate::plan) verifies: Vec<&'a Node>,
    pub(in crate::plan) approval: Option<&'a Approval>,
    /// The node its items or members come together in.
    pub(in crate::plan) group: Option<&'a Node>,
    class: Class,
    at: usize,
}

/// A plan's units and their order.
pub(in crate::plan) struct View<'a> {
    pub(in crate::plan) plan: &'a Plan,
    pub(in crate::plan) units: Vec<Unit<'a>>,
    pub(in crate::plan) by_id: HashMap<&'a str, usize>,
    /// Expected recovery time.
    pub(in crate::plan) estimate: Duration,
    /// Units on the longest path, in order.
    pub(in crate::plan) critical: Vec<&'a str>,
    /// For each unit, the units before it, as bits; empty when there are too many units.
    before: Vec<Vec<u64>>,
    /// The same for the gate.
    before_gate: Option<Vec<u64>>,
}

impl<'a> Unit<'a> {
    fn new(id: &'a str, main: &'a Node, at: usize) -> Self {
        let (prechecks, verifies) = (Vec::new(), Vec::new());
        let class = Class::default();
        Self { id, main, items: 0, prechecks, verifies, approval: None, group: None, class, at }
    }

    /// What it performs in a mode; `None` when it is left out, or is no action.
    pub(in crate::plan) fn call(&self, mode: Mode) -> Option<&'a Call> {
        self.main.call(mode)
    }

    pub(in crate::plan) fn is_skipped(&self, mode: Mode) -> bool {
        self.main.is_skipped_in(mode)
    }

    /// Says whether the step holds other steps and performs nothing itself.
    pub(in crate::plan) fn is_group(&self) -> bool {
        self.items == 0 && matches!(self.main.kind, NodeKind::Group { .. })
    }

    pub(in crate::plan) fn class(&self) -> Class {
        self.class
    }

    pub(in crate::plan) fn is_irreversible(&self) -> bool {
        is_irreversible(self.main)
    }

    /// Says whether it changes anything in a mode.
    pub(in crate::plan) fn changes(&self, mode: Mode) -> bool {
        self.call(mode).is_some_and(|call| traits::effect(call.action, &call.with) == Effect::Mutate)
    }

    /// Says whether it exists to keep the recovery safe, so that losing it is a loss.
    pub(in crate::plan) fn protects(&self) -> bool {
        let looks = matches!(
            self.main.phase,
            Some(Phase::Assess | Phase::Decide | Phase::Verify | Phase::Validate | Phase::Reprotect)
        );
        let asks = matches!(self.main.kind, NodeKind::Approval { .. } | NodeKind::Assert { .. });
        self.class().fence || looks || asks
    }

    /// Says whether it moves the service or its data.
    pub(in crate::plan) fn moves(&self) -> bool {
        let class = self.class();
        class.promote || class.shift
    }

    /// Says whether it is called weaker than its action is.
    pub(in crate::plan) fn is_played_down(&self) -> bool {
        let (phase, undone) = (self.main.phase, self.main.undo.is_some());
        let by_itself = |call: &Call| meaning::reversibility(phase, call.action, &call.with, undone);
        let call = self.call(Mode::Graceful);
        call.is_some_and(|call| by_itself(call) == Reversibility::Irreversible) && !self.is_irreversible()
    }
}

impl<'a> View<'a> {
    pub(in crate::plan) fn new(plan: &'a Plan) -> Self {
        let (units, by_id) = units(plan);
        let (tails, critical) = recovery(&plan.nodes, plan.mode);
        let steps = critical.iter().filter_map(|index| plan.nodes.get(*index as usize)?.step.as_ref());
        let mut seen = HashSet::new();
        let critical = steps.map(StepId::as_str).filter(|step| seen.insert(*step)).collect();
        let estimate = tails.into_iter().max().unwrap_or_default();
        let mut view = Self { plan, by_id, estimate, critical, before: Vec::new(), before_gate: None, units };
        if view.units.len() <= ORDERED {
            view.reach();
        }
        view
    }

    /// Says whether a unit starts something at the site the service leaves.
    pub(in crate::plan) fn starts_at_source(&self, unit: &Unit<'_>) -> bool {
        let sides = Sides { from: self.plan.from.as_ref(), sites: &self.plan.sites };
        unit.items > 0 && unit.call(self.mode()).is_some_and(|call| sides.starts_at_source(call))
    }

    /// The mode the plan starts in.
    pub(in crate::plan) fn mode(&self) -> Mode {
        self.plan.mode
    }

    pub(in crate::plan) fn unit(&self, at: usize) -> Option<&Unit<'a>> {
        self.units.get(at)
    }

    /// Says whether one unit is over before another begins.
    pub(in crate::plan) fn is_before(&self, first: usize, then: usize) -> bool {
        self.before.get(then).is_some_and(|bits| has(bits, first))
    }

    /// Ids of the steps a unit waits for directly.
    pub(in crate::plan) fn needs(&self, unit: &Unit<'_>) -> Vec<&'a str> {
        let nodes = &self.plan.nodes;
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let of =
            |at: usize| nodes.get(at).into_iter().flat_map(|node| &node.needs).map(|edge| edge.node as usize);
        let mut todo: Vec<usize> = of(unit.at).collect();
        while let Some(at) = todo.pop() {
            let Some(node) = nodes.get(at).filter(|_| seen.insert(at)) else { continue };
            match performer(node).filter(|id| *id != unit.id) {
                Some(id) => found.push(id),
                None => todo.extend(of(at)),
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Says whether a unit is over before the point of no return; `None` without one.
    pub(in crate::plan) fn is_before_gate(&self, unit: usize) -> Option<bool> {
        self.before_gate.as_ref().map(|bits| has(bits, unit))
    }

    pub(in crate::plan) fn is_ordered(&self) -> bool {
        self.units.is_empty() || !self.before.is_empty()
    }

    /// The first unit that cannot be taken back.
    pub(in crate::plan) fn point_of_no_return(&self) -> Option<usize> {
        let irreversible = |unit: &Unit<'_>| unit.is_irreversible() && !unit.is_skipped(self.mode());
        (0..self.units.len()).find(|at| self.unit(*at).is_some_and(irreversible))
    }

    fn reach(&mut self) {
        let nodes = &self.plan.nodes;
        let words = self.units.len().div_ceil(64);
        let mut reached: Vec<Vec<u64>> = Vec::with_capacity(nodes.len());
        for node in nodes {
            let mut bits = vec![0_u64; words];
            for edge in &node.needs {
                if edge.kind == EdgeKind::Graceful && self.plan.mode == Mode::Ungraceful {
                    continue;
                }
                let Some(need) = nodes.get(edge.node as usize) else { continue };
                let known = reached.get(edge.node as usize);
                for (word, known) in bits.iter_mut().zip(known.into_iter().flatten()) {
                    *word |= known;
                }
                if let Some(unit) = performer(need).and_then(|id| self.by_id.get(id)) {
                    set(&mut bits, *unit);
                }
            }
            if matches!(node.kind, NodeKind::Gate) {
                self.before_gate.get_or_insert_with(|| bits.clone());
            }
            reached.push(bits);
        }
        let of = |unit: &Unit<'_>| reached.get(unit.at).cloned().unwrap_or_default();
        self.before = self.units.iter().map(of).collect();
    }
}

fn has(bits: &[u64], at: usize) -> bool {
    bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}

fn set(bits: &mut [u64], at: usize) {
    if let Some(word) = bits.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

/// The step a node performs, where it does.
fn performer(node: &Node) -> Option<&str> {
    let step = node.step.as_ref()?.as_str();
    match &node.kind {
        NodeKind::Effect { .. }
        | NodeKind::Manual { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Group { .. } => Some(step),
        NodeKind::Approval { .. } => Some(step).filter(|step| node.address.as_str() == *step),
        NodeKind::Check { .. } | NodeKind::Reading { .. } | NodeKind::Gate => None,
    }
}

fn units(plan: &Plan) -> (Vec<Unit<'_>>, HashMap<&str, usize>) {
    let mut units: Vec<Unit<'_>> = Vec::new();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (at, node) in plan.nodes.iter().enumerate() {
        let Some(id) = performer(node) else { continue };
        let is_group = matches!(node.kind, NodeKind::Group { .. });
        if is_group && node.address.as_str() != id {
            continue;
        }
        let place = *by_id.entry(id).or_insert(units.len());
        if place == units.len() {
            units.push(Unit::new(id, node, at));
        }
        let Some(unit) = units.get_mut(place) else { continue };
        if is_group {
            unit.group = Some(node);
        } else {
            unit.items += 1;
        }
    }
    for node in &plan.nodes {
        let step = node.step.as_ref().and_then(|step| by_id.get(step.as_str()));
        let Some(unit) = step.and_then(|place| units.get_mut(*place)) else { continue };
        attend(unit, node);
    }
    let sides = Sides { from: plan.from.as_ref(), sites: &plan.sites };
    for unit in &mut units {
        let mains = if unit.is_group() { Vec::new() } else { vec![unit.main] };
        unit.class = Class::of(unit.main.phase, &mains, &sides);
    }
    (units, by_id)
}

/// Takes a check or an approval that belongs to a unit; of many items, those of the first.
fn attend<'a>(unit: &mut Unit<'a>, node: &'a Node) {
    let address = node.address.as_str();
    let of_main =
        |main: &Node| address.strip_prefix(main.address.as_str()).is_some_and(|rest| rest.starts_with('/'));
    let belongs = of_main(unit.main) || unit.group.is_some_and(of_main);
    match &node.kind {
        NodeKind::Check { purpose: CheckPurpose::Precheck, .. } if belongs => unit.prechecks.push(node),
        NodeKind::Check { purpose: CheckPurpose::Verify, .. } if belongs => unit.verifies.push(node),
        NodeKind::Approval { approval } => unit.approval = Some(approval),
        NodeKind::Check { .. }
        | NodeKind::Effect { .. }
        | NodeKind::Reading { .. }
        | NodeKind::Manual { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Gate
        | NodeKind::Group { .. } => {}
    }
}
