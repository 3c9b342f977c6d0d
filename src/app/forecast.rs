//! Says in the words of a forecast what a scenario means for a plan. Changes nothing and draws nothing.

use crate::forecast::{Conditions, Hazard, Kind, NodeConditions, Person, Silence, Spread};
use crate::model::run::Phase;
use crate::model::time::Duration;
use crate::plan::{NodeKind, Plan};
use crate::providers::simulated::{
    Backups, CapacityShare, Fault, Outlook, Percent, Replication, Rule, Scenario, outlook,
};

/// The conditions of a forecast under a scenario.
#[must_use]
pub fn conditions(scenario: &Scenario, plan: &Plan) -> Conditions {
    let people = &scenario.approvals;
    Conditions {
        name: scenario.metadata.name.clone(),
        description: scenario.metadata.description.clone(),
        notes: notes(scenario),
        people: match (people.never, people.after) {
            (true, _) => Some(Person::Never),
            (false, after) => after.map(|after| {
                Person::After(
                    people.p95.map_or_else(|| Spread::estimated(after), |p95| Spread::between(after, p95)),
                )
            }),
        },
        gate: people.gate.map(Spread::fixed),
        faults: scenario.faults.iter().map(|fault| likely(fault.probability)).collect(),
        nodes: outlook(scenario, plan).iter().map(|outlook| of_node(scenario, outlook)).collect(),
        lag: lag(scenario, plan),
    }
}

fn likely(probability: Option<Percent>) -> f64 {
    probability.map_or(1.0, Percent::share)
}

fn of_node(scenario: &Scenario, outlook: &Outlook) -> NodeConditions {
    let silence = |number: &usize| {
        let fault: &Fault = scenario.faults.get(*number)?;
        Some(Silence { fault: *number, from: fault.at, until: fault.until })
    };
    NodeConditions {
        hazards: outlook.rules.iter().filter_map(|rule| Some(hazard(scenario.rules.get(*rule)?))).collect(),
        silences: outlook.silent.iter().filter_map(silence).collect(),
    }
}

fn hazard(rule: &Rule) -> Hazard {
    let takes =
        |take: Duration| rule.take_p95.map_or_else(|| Spread::fixed(take), |p95| Spread::between(take, p95));
    Hazard {
        attempt: rule.matching.attempt,
        times: rule.times,
        probability: likely(rule.probability),
        takes: rule.take.map(takes),
        kind: match rule.fail {
            Some(fail) => Kind::Fail { class: fail.class(), retry_after: rule.retry_after },
            None if rule.hang => Kind::Hang { applied: rule.reply_lost },
            None if rule.reply_lost => Kind::ReplyLost,
            None => Kind::Slow,
        },
    }
}

/// What only the simulated estate knows.
fn notes(scenario: &Scenario) -> Vec<String> {
    let mut notes = Vec::new();
    if scenario.capacity != CapacityShare::default() {
        notes.push("that capacity is short is left out; a simulated run shows it".to_owned());
    }
    if scenario.replication != Replication::default() || scenario.backups != Backups::default() {
        let note = "checks of lag and age are taken to pass; a simulated run shows those that do not";
        notes.push(note.to_owned());
    }
    if scenario.rules.iter().any(|rule| !rule.outputs.is_empty()) {
        notes.push("outputs of rules are left out; a simulated run shows what follows from them".to_owned());
    }
    notes
}

/// What is lost, where the scenario says something of its own about it.
fn lag(scenario: &Scenario, plan: &Plan) -> Option<Duration> {
    let restores = plan
        .nodes
        .iter()
        .any(|node| node.phase == Some(Phase::Restore) && matches!(node.kind, NodeKind::Effect { .. }));
    if restores {
        return Some(scenario.backups.age).filter(|_| scenario.backups != Backups::default());
    }
    Some(scenario.replication.lag).filter(|_| scenario.replication != Replication::default())
}
