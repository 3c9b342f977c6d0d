//! Binds a runbook for a drill of one level. Pure: the same text and the same choices give the same plan.

use std::collections::BTreeMap;

use serde_json::Value;

use super::compose::{Around, compose};
use super::{DrillPlan, InDrill, Section, steps, within};
use crate::model::action::ActionName;
use crate::model::drill::{Drill, DrillLevel};
use crate::model::id::SiteName;
use crate::model::limits;
use crate::model::run::{Intent, Mode, Operation};
use crate::model::runbook::{Runbook, Workflow};
use crate::model::step::Step;
use crate::plan::bind::{adapters, bind, sorted, whole, workflow};
use crate::plan::context::Scope;
use crate::plan::draft::{Class, Draft, Setting};
use crate::plan::error::Problem;
use crate::plan::fence::Sides;
use crate::plan::node::{EdgeKind, Node, Plan};
use crate::plan::{Choices, expand, gates, graph, parameters, readings, sites};

/// What the caller chose for one drill.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillChoices {
    /// How far it goes; default: as the runbook says, else a simulation.
    pub level: Option<DrillLevel>,
    /// What is rehearsed; default: as the runbook says, else a failover.
    pub operation: Option<Operation>,
    /// Mode; default: as the runbook says, else graceful in a live drill, else that of the operation.
    pub mode: Option<Mode>,
    /// Site to leave; default: from the roles.
    pub from: Option<SiteName>,
    /// Site to move to; default: from the roles.
    pub to: Option<SiteName>,
    /// Sites the service cannot move to now, with the reason.
    pub unready: BTreeMap<SiteName, String>,
    /// Values of parameters.
    pub parameters: BTreeMap<String, Value>,
}

impl DrillChoices {
    /// The level of a drill of a runbook.
    #[must_use]
    pub fn level(&self, runbook: &Runbook) -> DrillLevel {
        let said = runbook.drill.as_ref().map(|drill| drill.level);
        self.level.or(said).unwrap_or(DrillLevel::Simulate)
    }

    /// What a drill of a runbook rehearses.
    #[must_use]
    pub fn operation(&self, runbook: &Runbook) -> Operation {
        let said = runbook.drill.as_ref().and_then(|drill| drill.operation);
        self.operation.or(said).unwrap_or(Operation::Failover)
    }

    /// What a drill of a runbook gets into accounts with, by its name in the configuration; only a drill that
    /// keeps to a boundary has credentials of its own.
    #[must_use]
    pub fn credentials(&self, runbook: &Runbook) -> Option<String> {
        let said = runbook.drill.as_ref().and_then(|drill| drill.credentials.clone());
        said.filter(|_| self.level(runbook) == DrillLevel::Isolated)
    }

    /// As what the run of such a drill is kept: one that changes nothing real is no drill to anybody else.
    #[must_use]
    pub fn intent(&self, runbook: &Runbook) -> Intent {
        match self.level(runbook) {
            DrillLevel::Check => Intent::Check,
            DrillLevel::Simulate => Intent::Simulate,
            DrillLevel::Isolated | DrillLevel::Live => Intent::Drill,
        }
    }

    /// The same choices as those of an operation.
    #[must_use]
    pub fn choices(&self, runbook: &Runbook) -> Choices {
        let said = runbook.drill.as_ref().and_then(|drill| drill.mode);
        let live = (self.level(runbook) == DrillLevel::Live).then_some(Mode::Graceful);
        Choices {
            operation: self.operation(runbook),
            mode: self.mode.or(said).or(live),
            intent: self.intent(runbook),
            from: self.from.clone(),
            to: self.to.clone(),
            unready: self.unready.clone(),
            parameters: self.parameters.clone(),
        }
    }
}

/// Binds a runbook for a drill.
///
/// # Errors
/// Every reason why the drill cannot be planned.
pub fn bind_drill(runbook: &Runbook, drill_choices: &DrillChoices) -> Result<Plan, Vec<Problem>> {
    let level = drill_choices.level(runbook);
    let choices = drill_choices.choices(runbook);
    if level == DrillLevel::Check {
        let mut plan = bind(runbook, &choices)?;
        plan.drill =
            Some(DrillPlan { level, boundary: None, credentials: None, returns: false, attestation: None });
        return Ok(plan);
    }
    let drill = runbook.drill.clone().unwrap_or_else(|| nothing_said(level));
    let mut problems = Vec::new();
    refuse(&drill, level, &choices, &mut problems);
    let forward = workflow(runbook, choices.operation, &mut problems);
    let route = sites::route(runbook, &choices, &mut problems);
    let bound = parameters::bind(&runbook.parameters, &choices.parameters, &mut problems);
    let Some(forward) = forward.filter(|_| problems.is_empty()) else { return Err(sorted(problems)) };
    let returns =
        level == DrillLevel::Live || (level == DrillLevel::Simulate && drill.level == DrillLevel::Live);
    let mode = choices.mode.unwrap_or(Mode::of(choices.operation));
    let scope = Scope::new(runbook, &choices, &route, &bound);
    let (from, to) = (route.from.clone(), route.to.clone());
    let maker = Maker { runbook, drill: &drill, level, mode, returns, from: from.as_ref(), to: to.as_ref() };
    let back = returns.then(|| workflow(runbook, Operation::Failback, &mut problems)).flatten();
    let back = back.map(|back| {
        let (from, to) = (route.to.clone(), route.from.clone());
        let choices = Choices { operation: Operation::Failback, from, to, ..choices.clone() };
        let route = sites::route(runbook, &choices, &mut problems);
        (back, Scope::new(runbook, &choices, &route, &bound))
    });
    let nodes =
        maker.nodes(forward, &scope, back.as_ref().map(|(back, scope)| (*back, scope)), &mut problems);
    let Some(nodes) = nodes.filter(|_| problems.is_empty()) else { return Err(sorted(problems)) };
    let boundary = drill.boundary.clone().filter(|_| level == DrillLevel::Isolated);
    if let Some(boundary) = &boundary {
        within::check(&nodes, &drill, boundary, &runbook.sites, &mut problems);
    }
    if !problems.is_empty() {
        return Err(sorted(problems));
    }
    let mut plan = whole(runbook, &choices, mode, route, bound, nodes);
    let wanted = drill.success.as_ref().and_then(|success| success.recovery_time);
    plan.objectives.rto = wanted.or(plan.objectives.rto);
    // Of a simulation nothing stays that anybody could answer for.
    let attestation = drill.attestation.clone().filter(|_| level != DrillLevel::Simulate);
    let credentials = drill_choices.credentials(runbook);
    plan.drill = Some(DrillPlan { level, boundary, credentials, returns, attestation });
    Ok(plan)
}

/// The block of a runbook that has none.
fn nothing_said(level: DrillLevel) -> Drill {
    Drill {
        level,
        operation: None,
        mode: None,
        boundary: None,
        credentials: None,
        schedule: None,
        guards: Vec::new(),
        inject: Vec::new(),
        success: None,
        hold: None,
        decide: None,
        cleanup: Vec::new(),
        attestation: None,
        freshness: None,
    }
}

fn refuse(drill: &Drill, level: DrillLevel, choices: &Choices, problems: &mut Vec<Problem>) {
    if level == DrillLevel::Isolated && drill.boundary.is_none() {
        let help = "write `drill: {boundary: {sites: […], names: [\"drill-*\"]}}`, or use `--level simulate`";
        problems.push(Problem::new("an isolated drill needs a boundary, and the runbook has none", help));
    }
    if choices.operation == Operation::Failback {
        let help = "rehearse a failover or a switchover; a live drill of either ends with a failback";
        problems.push(Problem::new("a drill rehearses a move away from the active site", help));
    }
    if level == DrillLevel::Live && choices.mode == Some(Mode::Ungraceful) {
        let help = "use `--mode graceful`, or an isolated drill in ungraceful mode";
        problems.push(Problem::new("a live drill moves the real service, which must not lose data", help));
    }
}

/// Makes the nodes of one drill.
struct Maker<'a> {
    runbook: &'a Runbook,
    drill: &'a Drill,
    level: DrillLevel,
    mode: Mode,
    returns: bool,
    from: Option<&'a SiteName>,
    to: Option<&'a SiteName>,
}

impl Maker<'_> {
    fn nodes(
        &self,
        forward: &Workflow,
        scope: &Scope,
        back: Option<(&Workflow, &Scope)>,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<Node>> {
        let mut draft = self.section(&forward.steps, Section::Operation, scope, problems);
        draft.classify(&Sides { from: self.from, sites: &self.runbook.sites });
        let order = graph::order(&draft).map_err(|problem| problems.push(problem)).ok()?;
        self.refuse_gaps(&draft, problems);
        gates::safety(&mut draft, &order, self.mode, scope, problems);
        draft.start.retain(|node| node.drill.is_none_or(|place| !place.left_out));
        gates::start_checks(&mut draft);
        let irreversible = if self.returns { gates::irreversible(&draft.nodes) } else { Vec::new() };
        gates::approvals(&draft, &irreversible, problems);
        let taken = readings::add(&mut draft, &self.runbook.recovery_point, &irreversible, scope, problems);
        gates::gate(&mut draft, &irreversible, &taken, self.mode, scope);
        let failback = back.map(|(back, scope)| self.failback(back, scope, problems)).unwrap_or_default();
        let around = Around {
            inject: self.section(&self.drill.inject, Section::Inject, scope, problems),
            failback,
            cleanup: self.section(&self.drill.cleanup, Section::Cleanup, scope, problems),
        };
        compose(&mut draft, self.drill, around, scope, problems);
        if self.level != DrillLevel::Simulate {
            let readings: Vec<ActionName> =
                self.runbook.recovery_point.iter().map(|entry| entry.uses).collect();
            adapters(&draft, &readings, problems);
        }
        refuse_children(&draft, problems);
        if draft.nodes.len() > limits::PLAN_NODES || draft.edges() > graph::EDGES {
            problems.push(Problem::new("the plan would be too large", "split the runbook"));
            return None;
        }
        let order = graph::order(&draft).map_err(|problem| problems.push(problem)).ok()?;
        Some(graph::arrange(draft, &order))
    }

    /// The steps of one section, as they are at this level.
    fn section(&self, steps: &[Step], section: Section, scope: &Scope, problems: &mut Vec<Problem>) -> Draft {
        let steps = match section {
            // These exist only in drills and need not say what they do there.
            Section::Inject | Section::Cleanup => steps.to_vec(),
            _ => steps::at_level(steps, self.level, None, problems),
        };
        let base = Setting { drill: Some(InDrill::of(section)), ..Setting::default() };
        expand::expand(&steps, scope, &base, problems)
    }

    /// The way back. It is always graceful, and begins only once the drill is wound up.
    fn failback(&self, back: &Workflow, scope: &Scope, problems: &mut Vec<Problem>) -> Draft {
        let mut draft = self.section(&back.steps, Section::Failback, scope, problems);
        draft.classify(&Sides { from: self.to, sites: &self.runbook.sites });
        match graph::order(&draft) {
            Ok(order) => gates::safety(&mut draft, &order, Mode::Graceful, scope, problems),
            Err(problem) => problems.push(problem),
        }
        for node in &mut draft.nodes {
            node.ungraceful = None;
            for edge in node.needs.iter_mut().filter(|edge| edge.kind == EdgeKind::Graceful) {
                edge.kind = EdgeKind::Ordinary;
            }
        }
        draft
    }

    /// What moves the service must not have gaps: a promotion without its fence is two primaries.
    fn refuse_gaps(&self, draft: &Draft, problems: &mut Vec<Problem>) {
        if self.level != DrillLevel::Live {
            return;
        }
        let moves = |class: Class| class.fence || class.promote || class.verify || class.shift;
        let mains = draft.leaves.iter().filter(|leaf| moves(leaf.class)).flat_map(|leaf| &leaf.mains);
        for node in mains.map(|main| draft.node(*main)).filter(|node| node.is_left_out()) {
            let what =
                format!("a live drill leaves out `{}`, without which the move is not safe", node.address);
            problems.push(Problem::new(what, "write `drill: {isolated: skip, live: run}`"));
        }
    }
}

fn refuse_children(draft: &Draft, problems: &mut Vec<Problem>) {
    for node in &draft.nodes {
        let begins = node.call(Mode::Graceful).is_some_and(|call| call.action == ActionName::RunbookRun);
        if begins && node.drill.is_some_and(|place| !place.left_out) {
            let what =
                format!("`{}` begins a run of another service, which is not part of a drill", node.address);
            problems.push(Problem::new(what, "write `drill: skip`, and rehearse that service by itself"));
        }
    }
}
