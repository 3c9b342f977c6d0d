//! Plans the runs that nodes of a plan begin, before the run itself: what cannot be planned refuses the
//! whole. Knows runbooks only as far as they are handed in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::bind::{Choices, bind};
use super::digest::of_bytes;
use super::error::{ONLY_SIMULATED, Problem, did_you_mean};
use super::index::PlanIndex;
use super::node::{Call, ChildPlan, Node, NodeKind, NodeVariant, Plan, PlannedUndo};
use crate::model::action::core::RunbookRun;
use crate::model::action::{Action, ActionName};
use crate::model::id::{ServiceName, SiteName};
use crate::model::limits;
use crate::model::run::Mode;
use crate::model::runbook::Runbook;
use crate::model::step::{Step, Undo, Variant};
use crate::model::time::Duration;

/// A runbook that others may run, and where its service goes when nobody says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The runbook.
    pub runbook: Runbook,
    /// Its text.
    pub text: String,
    /// Site the service leaves.
    pub from: Option<SiteName>,
    /// Site it moves to.
    pub to: Option<SiteName>,
    /// Sites it cannot move to now, with the reason.
    pub unready: BTreeMap<SiteName, String>,
}

/// Runbooks by the name of their service.
pub type Library = BTreeMap<ServiceName, Known>;

/// A plan of a child run with what it was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The plan as it is stored.
    pub bytes: Vec<u8>,
    /// SHA-256 of the runbook's text, in hex.
    pub runbook: String,
    /// The runbook's text.
    pub text: String,
}

/// The plans of all child runs of a plan, those of their own children included, by digest.
pub type Nested = BTreeMap<String, Planned>;

/// Plans every run that a node of a plan begins.
///
/// # Errors
/// Every reason why one of them cannot be planned.
pub fn nest(mut plan: Plan, library: &Library) -> Result<(Plan, Nested), Vec<Problem>> {
    let mut nest = Nest {
        library,
        path: vec![plan.runbook.name.clone()],
        planned: Nested::new(),
        known: BTreeMap::new(),
        problems: Vec::new(),
        simulated: BTreeMap::new(),
    };
    nest.plan(&mut plan);
    nest.tell_simulated();
    nest.problems.sort();
    nest.problems.dedup();
    if nest.problems.is_empty() { Ok((plan, nest.planned)) } else { Err(nest.problems) }
}

/// The services whose runs the nodes of a plan begin, in either mode and in taking back.
#[must_use]
pub fn begun(plan: &Plan) -> BTreeSet<ServiceName> {
    let of = |node: &Node| {
        let undo = match &node.undo {
            Some(PlannedUndo::Call(call)) => Some(call.clone()),
            Some(PlannedUndo::Auto) | None => None,
        };
        let calls = [node.call(Mode::Graceful).cloned(), node.call(Mode::Ungraceful).cloned(), undo];
        calls.into_iter().flatten().collect::<Vec<Call>>()
    };
    let calls = plan.nodes.iter().flat_map(of).filter(|call| call.action == ActionName::RunbookRun);
    let name = |call: Call| call.with.get("runbook").and_then(Value::as_str).map(str::to_owned);
    calls.filter_map(name).filter_map(|name| ServiceName::new(name).ok()).collect()
}

/// The services whose runbooks the steps of a runbook run, as far as they are written out.
#[must_use]
pub fn runs(runbook: &Runbook) -> BTreeSet<ServiceName> {
    let workflows = [&runbook.workflows.failover, &runbook.workflows.failback];
    let steps = workflows.into_iter().flatten().flat_map(|workflow| &workflow.steps);
    let mut found = BTreeSet::new();
    steps.for_each(|step| of_step(step, &mut found));
    found
}

fn of_step(step: &Step, found: &mut BTreeSet<ServiceName>) {
    let mut take = |uses: Option<ActionName>, with: &serde_json::Map<String, Value>| {
        if uses == Some(ActionName::RunbookRun) {
            let name = with.get("runbook").and_then(Value::as_str);
            found.extend(name.and_then(|name| ServiceName::new(name).ok()));
        }
    };
    take(step.uses, &step.with);
    if let Some(Undo::Use(undo)) = &step.undo {
        take(Some(undo.uses), &undo.with);
    }
    if let Some(Variant::Other(other)) = &step.ungraceful {
        take(other.uses.or(step.uses), &other.with);
    }
    step.parallel.iter().for_each(|inner| of_step(inner, found));
}

struct Nest<'a> {
    library: &'a Library,
    /// The services whose runs lie around what is being planned, from the outside.
    path: Vec<ServiceName>,
    planned: Nested,
    /// What was planned before, by everything that makes a difference.
    known: BTreeMap<String, Option<(ChildPlan, Duration)>>,
    problems: Vec<Problem>,
    /// Who needs an action that this build can only simulate: each with what its own plan said of it.
    simulated: BTreeMap<String, BTreeMap<String, Problem>>,
}

impl Nest<'_> {
    fn plan(&mut self, plan: &mut Plan) {
        let base = Choices {
            operation: plan.operation,
            mode: Some(plan.mode),
            intent: plan.intent,
            from: None,
            to: None,
            unready: BTreeMap::new(),
            parameters: BTreeMap::new(),
        };
        for node in &mut plan.nodes {
            self.node(node, &base);
        }
    }

    fn node(&mut self, node: &mut Node, base: &Choices) {
        let at = node.address.to_string();
        if let NodeKind::Effect { call } = &mut node.kind {
            let takes = self.call(&at, call, base);
            let untold = node.estimate == ActionName::RunbookRun.spec().estimate;
            if let Some(takes) = takes.filter(|_| untold) {
                node.estimate = takes;
            }
        }
        if let Some(NodeVariant::Call(call)) = &mut node.ungraceful {
            self.call(&at, call, base);
        }
        if let Some(PlannedUndo::Call(call)) = &mut node.undo {
            self.call(&at, call, base);
        }
    }

    /// Plans the run that a call begins. Returns how long it is expected to take.
    fn call(&mut self, at: &str, call: &mut Call, base: &Choices) -> Option<Duration> {
        if call.action != ActionName::RunbookRun {
            return None;
        }
        if call.deferred || call.sensitive {
            let help = "a child run is planned before the run: its parameters may read params, sites, from, to, \
                        survivors, operation, intent and item, and nothing that is sensitive";
            self.refuse(at, "the parameters of a child run are not known when the plan is made", help);
            return None;
        }
        let action = Action::new(call.action, Value::Object(call.with.clone()));
        let Ok(Action::RunbookRun(run)) = action else { return None };
        let key = format!("{} {}", run.runbook, Value::Object(call.with.clone()));
        let found = if let Some(found) = self.known.get(&key) {
            found.clone()
        } else {
            let made = self.child(at, &run, base);
            self.known.insert(key, made.clone());
            made
        };
        let (child, takes) = found?;
        call.child = Some(Box::new(child));
        Some(takes)
    }

    fn child(&mut self, at: &str, run: &RunbookRun, base: &Choices) -> Option<(ChildPlan, Duration)> {
        let name = &run.runbook;
        if self.path.contains(name) {
            let path: Vec<_> = self.path.iter().chain([name]).map(ServiceName::as_str).collect();
            let what = format!("runbook `{name}` would run itself: {}", path.join(" → "));
            self.refuse(at, &what, "take one of these child runs out");
            return None;
        }
        if self.path.len() >= limits::NESTED_RUNS {
            let help = format!("at most {} runs may lie inside each other", limits::NESTED_RUNS);
            self.refuse(at, "child runs are nested too deep", &help);
            return None;
        }
        let Some(known) = self.library.get(name) else {
            let near = did_you_mean(name.as_str(), self.library.keys().map(ServiceName::as_str));
            self.refuse(at, &format!("there is no runbook `{name}`"), &near);
            return None;
        };
        let choices = Choices {
            from: run.from.clone().or_else(|| known.from.clone()),
            to: run.to.clone().or_else(|| known.to.clone()),
            unready: known.unready.clone(),
            parameters: run.with.clone().into_iter().collect(),
            ..base.clone()
        };
        let mut plan = match bind(&known.runbook, &choices) {
            Ok(plan) => plan,
            Err(problems) => {
                // A member of a fleet is at the address of its service.
                let whose = if at == name.as_str() { String::new() } else { format!("{name}: ") };
                for problem in problems {
                    let action = problem.what.split_once(ONLY_SIMULATED).map(|(_, action)| action.to_owned());
                    let told = told_at(at, &format!("{whose}{}", problem.what), problem.help);
                    match action {
                        Some(action) => {
                            self.simulated.entry(action).or_default().insert(format!("`{at}`"), told);
                        }
                        None => self.problems.push(told),
                    }
                }
                return None;
            }
        };
        if let Some(parameter) = plan.sensitive.keys().next() {
            let what = format!(
                "parameter `{parameter}` of {name} is sensitive, and nothing can hand it to a child run"
            );
            self.refuse(at, &what, "read it as a secret of that runbook");
            return None;
        }
        let before = self.found();
        self.path.push(name.clone());
        self.plan(&mut plan);
        self.path.pop();
        if self.found() > before {
            return None;
        }
        self.keep(at, plan, known)
    }

    fn keep(&mut self, at: &str, plan: Plan, known: &Known) -> Option<(ChildPlan, Duration)> {
        let takes = match PlanIndex::new(&plan) {
            Ok(index) => index.estimate,
            Err(error) => {
                self.refuse(at, &format!("the plan of the child run is not sound: {error}"), "");
                return None;
            }
        };
        // A plan has only strings as keys and finite numbers, so it always has a JSON form.
        let bytes = serde_json::to_vec(&plan).unwrap_or_default();
        let (digest, runbook) = (of_bytes(&bytes), of_bytes(known.text.as_bytes()));
        let (service, from, to) = (plan.runbook.name.clone(), plan.from.clone(), plan.to.clone());
        let planned = Planned { plan, bytes, runbook: runbook.clone(), text: known.text.clone() };
        self.planned.insert(digest.clone(), planned);
        Some((ChildPlan { service, plan: digest, runbook, from, to }, takes))
    }

    fn refuse(&mut self, at: &str, what: &str, help: &str) {
        self.problems.push(told_at(at, what, Some(help.to_owned())));
    }

    /// How much was found.
    fn found(&self) -> usize {
        self.problems.len() + self.simulated.values().map(BTreeMap::len).sum::<usize>()
    }

    /// Says of each action that this build can only simulate who needs it: many services need the same ones.
    fn tell_simulated(&mut self) {
        for (action, by) in std::mem::take(&mut self.simulated) {
            if by.len() > 1 {
                let owners = by.into_keys().collect();
                self.problems.push(Problem::only_simulated(&owners, &action));
            } else {
                self.problems.extend(by.into_values());
            }
        }
    }
}

fn told_at(at: &str, what: &str, help: Option<String>) -> Problem {
    Problem { what: format!("`{at}`: {what}"), help: help.filter(|help| !help.is_empty()) }
}
