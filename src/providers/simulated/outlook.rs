//! What a scenario means for the nodes of a plan, told before anything runs. Performs nothing and draws
//! nothing.

use serde_json::Value;

use super::faults::Faults;
use super::places::{Places, Reach};
use super::scenario::Scenario;
use crate::model::action::Action;
use crate::model::time::Timestamp;
use crate::plan::{Node, Plan};

/// What a scenario means for one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// The rules about it, by their places in the scenario; those about single attempts included.
    pub rules: Vec<usize>,
    /// The faults in whose time it finds nobody who answers, by their places in the scenario.
    pub silent: Vec<usize>,
}

/// Tells what a scenario means for each node of a plan in its mode, in order.
#[must_use]
pub fn outlook(scenario: &Scenario, plan: &Plan) -> Vec<Outlook> {
    let places = Places::new(plan.sites.clone());
    let faults = Faults {
        scenario,
        places: &places,
        started_at: Timestamp::from_millis(0),
        from: plan.from.as_ref(),
        to: plan.to.as_ref(),
    };
    plan.nodes.iter().map(|node| of_node(&faults, plan, node)).collect()
}

fn of_node(faults: &Faults<'_>, plan: &Plan, node: &Node) -> Outlook {
    let Some(call) = node.call(plan.mode) else { return Outlook::default() };
    let (name, service) = (call.action.as_str(), plan.runbook.name.as_str());
    let rules = faults.scenario.rules.iter().enumerate();
    let about = rules.filter(|(_, rule)| rule.is_about(name, service, node.address.as_str()));
    let mut outlook = Outlook { rules: about.map(|(place, _)| place).collect(), silent: Vec::new() };
    // Where a template still stands in the way, nobody knows yet what will be asked.
    let Ok(action) = Action::new(call.action, Value::Object(call.with.clone())) else { return outlook };
    let reach = faults.places.reach(&action, faults.from);
    let plane = call.action.spec().plane;
    for (number, fault) in faults.scenario.faults.iter().enumerate() {
        let silent = match &reach {
            Reach::All(places) => places.iter().any(|place| faults.is_silenced(fault, place, plane)),
            Reach::Any(places) => {
                !places.is_empty() && places.iter().all(|place| faults.is_silenced(fault, place, plane))
            }
        };
        if silent {
            outlook.silent.push(number);
        }
    }
    outlook
}
