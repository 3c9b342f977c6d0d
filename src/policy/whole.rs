//! Judges a runbook: every plan that can be made of it, each finding once.

use std::collections::BTreeMap;

use super::Finding;
use crate::model::governance::Policy;
use crate::model::run::{Mode, Operation};
use crate::model::runbook::Runbook;
use crate::plan;

/// What the policy says to a runbook: to every plan that can be made of it, each finding once. What cannot
/// be planned has findings of its own.
#[must_use]
pub fn runbook(policy: &Policy, runbook: &Runbook) -> Vec<Finding> {
    let mut found: Vec<(Finding, Vec<(Operation, Mode)>)> = Vec::new();
    let mut all = Vec::new();
    for case in plan::cases(runbook) {
        let Ok(mut bound) = plan::plan_of(runbook, &case, &BTreeMap::new()) else {
            continue;
        };
        // A simulation is judged as what it stands for.
        bound.intent = super::stands_for(bound.intent);
        let name = (case.operation, case.mode);
        if !all.contains(&name) {
            all.push(name);
        }
        for finding in super::plan(policy, runbook, &bound) {
            match found.iter_mut().find(|(known, _)| *known == finding) {
                Some((_, cases)) if cases.contains(&name) => {}
                Some((_, cases)) => cases.push(name),
                None => found.push((finding, vec![name])),
            }
        }
    }
    let named = found.into_iter().map(|(finding, cases)| {
        let whole = cases.len() == all.len();
        let places = if whole { String::new() } else { format!(" ({})", places(&cases, &all)) };
        Finding { message: format!("{}{places}", finding.message), ..finding }
    });
    named.collect()
}

/// Operations, and where only some modes of one are meant, those.
fn places(cases: &[(Operation, Mode)], all: &[(Operation, Mode)]) -> String {
    let of = |list: &[(Operation, Mode)], operation: Operation| -> Vec<Mode> {
        list.iter().filter(|(other, _)| *other == operation).map(|(_, mode)| *mode).collect()
    };
    let operations = Operation::ALL.iter().copied();
    let named = operations.flat_map(|operation| match of(cases, operation) {
        modes if modes.is_empty() => Vec::new(),
        modes if modes == of(all, operation) => vec![operation.to_string()],
        modes => modes.iter().map(|mode| format!("{operation} {mode}")).collect(),
    });
    named.collect::<Vec<_>>().join(", ")
}
