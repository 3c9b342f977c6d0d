//! A plan in its mode, flattened for thousands of runs: everything that is the same in each of them is
//! decided here, once. Holds no luck and no conditions.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::spread::{Basis, Spread};
use crate::model::action::{ActionName, Doubt, Effect, Role, traits};
use crate::model::expression::{Context, Expression, has_template};
use crate::model::policy::{OnExpiry, OnFailure, Stragglers};
use crate::model::run::{Mode, Operation, Phase};
use crate::model::time::Duration;
use crate::plan::{Call, CheckPurpose, EdgeKind, Node, NodeKind, NodeVariant, Plan, PlanIndex};

/// Stands for no node and no limit.
pub(super) const NONE: u32 = u32::MAX;
/// Stands for no end.
pub(super) const NEVER: u64 = u64::MAX;

/// A plan for many runs.
pub(super) struct Shape {
    pub(super) nodes: Vec<Flat>,
    /// The nodes that need each node, with how strictly.
    pub(super) successors: Vec<Vec<u32>>,
    /// The nodes each node needs in truth.
    pub(super) safety: Vec<Vec<u32>>,
    /// What is shortened and told as one: a step with its checks.
    pub(super) units: Vec<Unit>,
    pub(super) unit_of: Vec<u32>,
    /// The nodes that look or ask for each node.
    pub(super) attendants: Vec<Vec<u32>>,
    /// Highest number of a lane, and one more.
    pub(super) lanes: usize,
    /// Whether the recovery clock waits until the service is touched.
    pub(super) waits_for_touch: bool,
    /// Whether the plan validates what it has recovered; without, its last step of recovery counts.
    pub(super) validates: bool,
    pub(super) mode: Mode,
    /// Whether somebody is asked to accept a fence that nobody has confirmed before the service moves.
    pub(super) asks_first: bool,
    pub(super) rpo: Option<Duration>,
    /// Conditions that only a run can tell, and what is assumed instead.
    pub(super) assumed: Vec<String>,
}

/// A step with everything that belongs to it.
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) title: String,
}

/// One node.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Flat {
    pub(super) kind: FlatKind,
    pub(super) takes: Spread,
    pub(super) basis: Basis,
    /// How many samples stand behind its duration.
    pub(super) samples: u32,
    pub(super) needs: u32,
    pub(super) timeout: u64,
    /// Longest time with all attempts.
    pub(super) deadline: u64,
    pub(super) attempts: u32,
    pub(super) backoff: u64,
    pub(super) max_backoff: u64,
    pub(super) jitter: bool,
    pub(super) on_failure: OnFailure,
    /// Number and width of its lane.
    pub(super) lane: Option<(u32, u32)>,
    pub(super) group: u32,
    /// The step it is a precheck of.
    pub(super) guards: u32,
    pub(super) skipped: bool,
    pub(super) interrupts: bool,
    /// Whether the recovery is over only when it is.
    pub(super) recovers: bool,
}

/// What a node is, as far as time is concerned.
pub(super) enum FlatKind {
    /// An action.
    Effect { mutates: bool, doubt: Doubt, fence: bool, reading: bool, long: bool, settle: u64 },
    /// Looks until enough looks in a row succeed.
    Check { every: u64, within: Option<u64>, consecutive: u32 },
    /// People are asked.
    Person { expires: Option<u64>, refuses: bool },
    /// A wait, or a condition that holds.
    Wait,
    /// A condition that does not hold.
    Fails,
    /// The gate.
    Gate,
    /// Over when its members are.
    Group { members: Vec<u32>, needed: Option<usize>, cancels: bool },
}

/// From which estimate on an operation is accepted first and then followed.
const LONG: Duration = Duration::from_secs(10);

impl Shape {
    /// Flattens a plan.
    pub(super) fn new(plan: &Plan, index: &PlanIndex) -> Self {
        let mode = plan.mode;
        let known = Known::of(plan);
        let mut assumed = Vec::new();
        let validates = plan.nodes.iter().any(|node| node.phase == Some(Phase::Validate));
        let mut nodes: Vec<Flat> = Vec::with_capacity(plan.nodes.len());
        let (mut safety, mut successors) = (Vec::new(), vec![Vec::new(); plan.nodes.len()]);
        for (number, node) in (0_u32..).zip(&plan.nodes) {
            let waited = node.needs.iter().filter(|edge| match edge.kind {
                EdgeKind::Ordinary | EdgeKind::Safety => true,
                EdgeKind::Graceful => mode == Mode::Graceful,
            });
            let mut flat = flat(plan, node, &known, &mut assumed);
            for edge in waited {
                successors[edge.node as usize].push(number);
                flat.needs += 1;
            }
            flat.group = index.group_of.get(number as usize).copied().flatten().unwrap_or(NONE);
            if matches!(node.kind, NodeKind::Check { purpose: CheckPurpose::Precheck, .. }) {
                flat.guards = index.serves.get(number as usize).copied().flatten().unwrap_or(NONE);
            }
            if let (FlatKind::Check { within: Some(within), .. }, true) = (&flat.kind, flat.samples > 0) {
                // What was measured is all looks together.
                flat.timeout = flat.timeout.max(*within);
            }
            flat.recovers = match node.phase {
                Some(Phase::Validate) => true,
                Some(Phase::Commit | Phase::Cleanup | Phase::Reprotect) => false,
                _ => !validates,
            };
            let strict = node.needs.iter().filter(|edge| edge.kind == EdgeKind::Safety);
            safety.push(strict.map(|edge| edge.node).collect());
            nodes.push(flat);
        }
        let mut attendants = vec![Vec::new(); plan.nodes.len()];
        for (number, served) in (0_u32..).zip(&index.serves) {
            if let Some(list) = served.and_then(|served| attendants.get_mut(served as usize)) {
                list.push(number);
            }
        }
        let (units, unit_of) = units(plan);
        Self {
            attendants,
            lanes: nodes.iter().filter_map(|node| Some(node.lane?.0 as usize + 1)).max().unwrap_or(0),
            waits_for_touch: plan.operation != Operation::Failover && mode == Mode::Graceful,
            mode,
            asks_first: !plan.moves_unasked(mode),
            rpo: plan.objectives.rpo,
            nodes,
            successors,
            safety,
            units,
            unit_of,
            validates,
            assumed,
        }
    }
}

fn flat(plan: &Plan, node: &Node, known: &Known, assumed: &mut Vec<String>) -> Flat {
    let (takes, basis, samples) = duration(plan, node, known);
    let when = node.when.as_ref().map_or(Some(true), |when| known.holds(when, node));
    if when.is_none() {
        let when = node.when.as_ref().map_or("", Expression::as_str);
        assumed.push(format!("{} runs: only a run can tell whether `{when}`", node.address));
    }
    let limit = |duration: Option<Duration>| duration.map_or(NEVER, Duration::as_millis);
    Flat {
        kind: kind(node, plan.mode, known, samples > 0, assumed),
        takes,
        basis,
        samples,
        needs: 0,
        timeout: node.timeout.as_millis(),
        deadline: limit(node.deadline),
        attempts: node.retry.attempts,
        backoff: node.retry.backoff.as_millis(),
        max_backoff: node.retry.max_backoff.as_millis(),
        jitter: node.retry.jitter,
        on_failure: on_failure(node, plan.mode),
        lane: node.lane.map(|lane| (lane.id, lane.width)),
        group: NONE,
        guards: NONE,
        skipped: node.is_skipped_in(plan.mode) || when == Some(false),
        interrupts: node.interrupts(),
        recovers: false,
    }
}

/// A look at the start never holds up a run whose source is lost.
fn on_failure(node: &Node, mode: Mode) -> OnFailure {
    let start = matches!(node.kind, NodeKind::Check { purpose: CheckPurpose::Start, .. });
    if start && mode == Mode::Ungraceful { OnFailure::Continue } else { node.on_failure }
}

fn kind(node: &Node, mode: Mode, known: &Known, measured: bool, assumed: &mut Vec<String>) -> FlatKind {
    match &node.kind {
        NodeKind::Effect { .. } | NodeKind::Reading { .. } => effect(node, mode),
        NodeKind::Check { within, every, consecutive, .. } => FlatKind::Check {
            every: every.as_millis(),
            within: within.map(Duration::as_millis),
            // What was measured is the whole of it.
            consecutive: if measured { 1 } else { (*consecutive).max(1) },
        },
        NodeKind::Manual { .. } => FlatKind::Person { expires: None, refuses: false },
        NodeKind::Approval { approval } => {
            let ends = match approval.on_expiry {
                OnExpiry::Deny | OnExpiry::Proceed => approval.expires,
                OnExpiry::Hold | OnExpiry::Escalate => None,
            };
            let refuses = approval.on_expiry == OnExpiry::Deny;
            FlatKind::Person { expires: ends.map(Duration::as_millis), refuses }
        }
        NodeKind::Wait { .. } => FlatKind::Wait,
        NodeKind::Assert { call } => match known.condition(call.with.get("condition"), node) {
            Some(false) => FlatKind::Fails,
            Some(true) => FlatKind::Wait,
            None => {
                assumed.push(format!("{} holds: only a run can tell", node.address));
                FlatKind::Wait
            }
        },
        NodeKind::Gate => FlatKind::Gate,
        NodeKind::Group { members, min_success, stragglers } => {
            let other = match &node.ungraceful {
                Some(NodeVariant::MinSuccess(min)) if mode == Mode::Ungraceful => Some(*min),
                _ => None,
            };
            FlatKind::Group {
                needed: other.or(*min_success).map(|min| min.of(members.len())),
                members: members.clone(),
                cancels: *stragglers == Stragglers::Cancel,
            }
        }
    }
}

fn effect(node: &Node, mode: Mode) -> FlatKind {
    let call = node.call(mode);
    let mutates = |call: &Call| traits::effect(call.action, &call.with) == Effect::Mutate;
    let fence = match &node.kind {
        NodeKind::Effect { call } => {
            call.action.spec().role == Role::Fence || (node.phase == Some(Phase::Fence) && mutates(call))
        }
        _ => false,
    };
    let reads = matches!(node.kind, NodeKind::Reading { .. });
    FlatKind::Effect {
        mutates: call.is_some_and(mutates),
        doubt: call.map_or(Doubt::Ask, |call| traits::doubt(call.action, &call.with)),
        fence,
        reading: reads || call.is_some_and(|call| call.action.spec().role == Role::Reading),
        long: call
            .is_some_and(|call| call.action.spec().estimate >= LONG || call.action == ActionName::CommandRun),
        settle: call.map_or(0, |call| call.action.spec().settle.as_millis()),
    }
}

/// How long a node, or one look of a check, takes.
fn duration(plan: &Plan, node: &Node, known: &Known) -> (Spread, Basis, u32) {
    let nothing = (Spread::fixed(Duration::ZERO), Basis::Fixed, 0);
    if node.is_skipped_in(plan.mode) {
        return nothing;
    }
    if let Some(measured) = plan.measured.get(&node.address) {
        return (Spread::measured(measured), Basis::History, measured.samples);
    }
    match &node.kind {
        NodeKind::Gate | NodeKind::Group { .. } | NodeKind::Assert { .. } => nothing,
        NodeKind::Wait { call } => {
            let told = call.with.get("duration").and_then(|value| known.duration(value, node));
            (Spread::fixed(told.unwrap_or(node.estimate)), Basis::Fixed, 0)
        }
        NodeKind::Check { .. } => {
            let look = node.call(plan.mode).map_or(node.estimate, |call| call.action.spec().estimate);
            (Spread::estimated(look), Basis::Estimate, 0)
        }
        NodeKind::Effect { .. }
        | NodeKind::Reading { .. }
        | NodeKind::Approval { .. }
        | NodeKind::Manual { .. } => (Spread::estimated(node.estimate), Basis::Estimate, 0),
    }
}

/// Steps with their checks as one; approvals, readings and the gate alone.
fn units(plan: &Plan) -> (Vec<Unit>, Vec<u32>) {
    let mut units: Vec<Unit> = Vec::new();
    let mut by_name: HashMap<String, u32> = HashMap::new();
    let mut unit_of = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        let start = matches!(node.kind, NodeKind::Check { purpose: CheckPurpose::Start, .. });
        let alone = start || matches!(node.kind, NodeKind::Approval { .. } | NodeKind::Reading { .. });
        let name = match &node.step {
            Some(step) if !alone => step.to_string(),
            Some(_) | None => node.address.to_string(),
        };
        let number = *by_name.entry(name.clone()).or_insert_with(|| {
            units.push(Unit { name: name.clone(), title: node.title.clone() });
            u32::try_from(units.len() - 1).unwrap_or(NONE)
        });
        if let Some(unit) = units.get_mut(number as usize).filter(|unit| node.address.as_str() == unit.name) {
            unit.title.clone_from(&node.title);
        }
        unit_of.push(number);
    }
    (units, unit_of)
}

/// What is known of the names expressions read, before a run.
struct Known {
    names: Map<String, Value>,
    plain: Context,
}

/// Names that only a run has.
const OF_A_RUN: [&str; 4] = ["steps", "run", "result", "secrets"];

impl Known {
    fn of(plan: &Plan) -> Self {
        let names = plan.names();
        Self { plain: Context::new(&Value::Object(names.clone())), names }
    }

    fn context(&self, node: &Node) -> Context {
        match &node.item {
            None => self.plain.clone(),
            Some(item) => {
                let mut names = self.names.clone();
                names.insert("item".to_owned(), item.clone());
                Context::new(&Value::Object(names))
            }
        }
    }

    /// Whether an expression is true; `None`: only a run can tell.
    fn holds(&self, expression: &Expression, node: &Node) -> Option<bool> {
        let names = expression.check().ok()?;
        let first = |name: &str| name.split(['.', '[']).next().unwrap_or_default().to_owned();
        if names.iter().any(|name| OF_A_RUN.contains(&first(name).as_str())) {
            return None;
        }
        expression.is_true(&self.context(node)).ok()
    }

    fn rendered(&self, value: &Value, node: &Node) -> Option<Value> {
        if !has_template(value) {
            return Some(value.clone());
        }
        let text = value.to_string();
        if OF_A_RUN.iter().any(|name| text.contains(name)) {
            return None;
        }
        crate::model::expression::render(value, &self.context(node)).ok()
    }

    fn condition(&self, value: Option<&Value>, node: &Node) -> Option<bool> {
        Some(self.rendered(value?, node)? == Value::Bool(true))
    }

    fn duration(&self, value: &Value, node: &Node) -> Option<Duration> {
        self.rendered(value, node)?.as_str()?.parse().ok()
    }
}
