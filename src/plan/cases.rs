//! What a runbook can be asked to do: each operation in each mode, each way where there are several, with
//! stand-ins for values that only a run is given. Never for a run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::node::{Node, PlannedUndo};
use super::{Choices, Plan, Problem, bind};
use crate::model::action::{ActionName, Adapter};
use crate::model::id::SiteName;
use crate::model::run::{Intent, Mode, Operation};
use crate::model::runbook::{Runbook, Strategy};
use crate::model::values::{Parameter, ParameterType, SiteRole};

/// One thing a runbook can be asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Case {
    /// What is done to the service.
    pub operation: Operation,
    /// Mode it starts in.
    pub mode: Mode,
    /// Site it leaves, where there are several to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SiteName>,
    /// Site it moves to, where there are several to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<SiteName>,
}

/// Everything a runbook can be asked to do.
#[must_use]
pub fn cases(runbook: &Runbook) -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in Operation::ALL.iter().filter(|operation| has_steps(runbook, **operation)) {
        for mode in Mode::ALL {
            for (from, to) in routes(runbook, runbook, *operation) {
                cases.push(Case { operation: *operation, mode: *mode, from, to });
            }
        }
    }
    cases
}

/// The plan of a case, on the simulated estate: what this build can only simulate is planned all the same.
///
/// # Errors
/// Every reason why the runbook cannot be bound this way.
pub fn plan_of(
    runbook: &Runbook,
    case: &Case,
    given: &BTreeMap<String, Value>,
) -> Result<Plan, Vec<Problem>> {
    let choices = Choices {
        operation: case.operation,
        mode: Some(case.mode),
        intent: Intent::Simulate,
        from: case.from.clone(),
        to: case.to.clone(),
        unready: BTreeMap::new(),
        parameters: parameters(runbook, given),
    };
    bind(runbook, &choices)
}

/// The actions of a plan and of the readings of its runbook that this build can only simulate: with one of
/// them a real run cannot be planned.
#[must_use]
pub fn only_simulated(runbook: &Runbook, plan: &Plan) -> BTreeSet<&'static str> {
    let called = |node: &Node| {
        let undo = match &node.undo {
            Some(PlannedUndo::Call(call)) => Some(call.action),
            Some(PlannedUndo::Auto) | None => None,
        };
        let calls = Mode::ALL.iter().filter_map(|mode| node.call(*mode)).map(|call| call.action);
        calls.chain(undo).collect::<Vec<_>>()
    };
    let of_nodes = plan.nodes.iter().filter(|node| !node.is_left_out()).flat_map(called);
    let all = of_nodes.chain(runbook.recovery_point.iter().map(|entry| entry.uses));
    all.filter(|action| action.adapter() == Adapter::SimulatedOnly).map(ActionName::as_str).collect()
}

/// Says whether a runbook has steps for an operation.
pub(super) fn has_steps(runbook: &Runbook, operation: Operation) -> bool {
    match operation {
        Operation::Failover | Operation::Switchover => runbook.workflows.failover.is_some(),
        Operation::Failback => runbook.workflows.failback.is_some(),
    }
}

/// Most ways of one operation that are looked at.
const ROUTES: usize = 8;

/// Site to leave and site to move to, as far as they must be chosen.
pub(super) type Route = (Option<SiteName>, Option<SiteName>);

/// The ways of an operation that both runbooks know.
pub(super) fn routes(old: &Runbook, new: &Runbook, operation: Operation) -> Vec<Route> {
    let has = |runbook: &Runbook, name: &SiteName, role: SiteRole| {
        runbook.sites.get(name).is_some_and(|site| site.role == role)
    };
    let of = |runbook: &Runbook, role: SiteRole| -> Vec<SiteName> {
        runbook.sites.keys().filter(|name| has(runbook, name, role)).cloned().collect()
    };
    let common = |role: SiteRole| -> Vec<SiteName> {
        of(new, role).into_iter().filter(|name| has(old, name, role)).collect()
    };
    // Where both have one site of a role, nobody chooses: it is found as a run finds it.
    let choose = |role: SiteRole| -> Vec<Option<SiteName>> {
        let needless = of(old, role).len() < 2 && of(new, role).len() < 2;
        if needless { vec![None] } else { common(role).into_iter().map(Some).collect() }
    };
    let all_active = new.strategy == Some(Strategy::ActiveActive);
    let (active, standby) = (SiteRole::Active, SiteRole::Standby);
    let (from, to) = match (all_active, operation) {
        (true, Operation::Failover | Operation::Switchover) => (choose(active), vec![None]),
        (true, Operation::Failback) => (vec![None], common(active).into_iter().map(Some).collect()),
        (false, Operation::Failover | Operation::Switchover) => (choose(active), choose(standby)),
        (false, Operation::Failback) => (choose(standby), choose(active)),
    };
    let ways = from.iter().flat_map(|from| to.iter().map(move |to| (from.clone(), to.clone())));
    ways.take(ROUTES).collect()
}

/// The values given that a runbook declares, and stand-ins for those it asks for.
fn parameters(runbook: &Runbook, given: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let of = |(name, parameter): (&String, &Parameter)| {
        let stands_in =
            || (parameter.required && parameter.default.is_none()).then(|| stand_in(name, parameter));
        Some((name.clone(), given.get(name).cloned().or_else(stands_in)?))
    };
    runbook.parameters.iter().filter_map(of).collect()
}

fn stand_in(name: &str, parameter: &Parameter) -> Value {
    if let Some(first) = parameter.allowed.first() {
        return first.clone();
    }
    match parameter.kind {
        ParameterType::String => json!(name),
        ParameterType::Integer | ParameterType::Number => {
            let least = parameter.minimum.unwrap_or(1.0).max(1.0).ceil();
            json!(parameter.maximum.map_or(least, |most| least.min(most.floor())).to_string())
        }
        ParameterType::Boolean => json!(true),
        ParameterType::Duration => json!("1m"),
        ParameterType::List => json!([name]),
        ParameterType::Map => json!({}),
    }
}
