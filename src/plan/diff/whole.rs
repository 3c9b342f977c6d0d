//! Compares two runbooks: what they say, and their plans for every operation, mode and way.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{Change, Comparison, Topic, Weight};
use super::document::document;
use crate::model::id::SiteName;
use crate::model::run::{Mode, Operation};
use crate::model::runbook::Runbook;
use crate::plan::cases::{Route, has_steps, routes};
use crate::plan::{Case, Problem, plan_of};

/// What a comparison is limited to.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// Values of parameters; those a runbook asks for and nobody gave get stand-ins.
    pub parameters: BTreeMap<String, Value>,
    /// Only this operation.
    pub operation: Option<Operation>,
    /// Only this mode.
    pub mode: Option<Mode>,
    /// Only runs that leave this site.
    pub from: Option<SiteName>,
    /// Only runs that move to this site.
    pub to: Option<SiteName>,
}

/// Every difference of two runbooks that matters for safety.
#[must_use]
pub fn runbooks(old: &Runbook, new: &Runbook, chosen: &Chosen) -> Comparison {
    let mut whole = Whole { old, new, chosen, comparison: Comparison::default() };
    whole.comparison.changes = document(old, new);
    for operation in Operation::ALL.iter().filter(|it| chosen.operation.is_none_or(|only| only == **it)) {
        whole.operation(*operation);
    }
    let mut comparison = whole.comparison;
    comparison.changes.sort_by_key(|change| (rank(change.weight), change.topic));
    comparison
}

pub(super) const fn rank(weight: Weight) -> u8 {
    match weight {
        Weight::Worse => 0,
        Weight::Neutral => 1,
        Weight::Better => 2,
    }
}

struct Whole<'a> {
    old: &'a Runbook,
    new: &'a Runbook,
    chosen: &'a Chosen,
    comparison: Comparison,
}

impl Whole<'_> {
    fn operation(&mut self, operation: Operation) {
        let change = |message: &str| Change::of(Topic::Operation, operation.as_str(), message);
        match (has_steps(self.old, operation), has_steps(self.new, operation)) {
            (false, false) => {}
            (true, false) => {
                self.comparison.changes.push(change("has no steps any more").removed().worse());
            }
            (false, true) => self.comparison.changes.push(change("has steps now").added().better()),
            (true, true) => {
                let ways = if self.chosen.from.is_some() || self.chosen.to.is_some() {
                    vec![(self.chosen.from.clone(), self.chosen.to.clone())]
                } else {
                    routes(self.old, self.new, operation)
                };
                for mode in Mode::ALL.iter().filter(|it| self.chosen.mode.is_none_or(|only| only == **it)) {
                    for way in &ways {
                        self.case(operation, *mode, way);
                    }
                }
            }
        }
    }

    fn case(&mut self, operation: Operation, mode: Mode, (from, to): &Route) {
        let case = Case { operation, mode, from: from.clone(), to: to.clone() };
        let given = &self.chosen.parameters;
        match (plan_of(self.old, &case, given), plan_of(self.new, &case, given)) {
            (Ok(old), Ok(new)) => {
                self.comparison.cases.push(case.clone());
                for change in super::plans(&old, &new) {
                    self.add(change, &case);
                }
            }
            (Ok(_), Err(problems)) => {
                self.comparison.cases.push(case.clone());
                let message = format!("cannot be planned any more: {}", first(&problems));
                let change = Change::of(Topic::Operation, operation.as_str(), message).removed().worse();
                self.add(change, &case);
            }
            (Err(problems), Ok(_)) => {
                self.comparison.cases.push(case.clone());
                let message = format!("can be planned now (was: {})", first(&problems));
                let change = Change::of(Topic::Operation, operation.as_str(), message).added().better();
                self.add(change, &case);
            }
            (Err(_), Err(problems)) => {
                let why = format!("{operation} {mode}: {}", first(&problems));
                self.comparison.not_compared.push(why);
            }
        }
    }

    /// Adds a change, or the case to one that says the same.
    fn add(&mut self, change: Change, case: &Case) {
        let known = self.comparison.changes.iter_mut();
        let same = known.into_iter().find(|known| !known.cases.is_empty() && known.says_as(&change));
        if let Some(known) = same {
            if known.cases.last() != Some(case) {
                known.cases.push(case.clone());
            }
        } else {
            let change = Change { cases: vec![case.clone()], ..change };
            self.comparison.changes.push(change);
        }
    }
}

fn first(problems: &[Problem]) -> String {
    problems.first().map_or_else(|| "for no reason given".to_owned(), ToString::to_string)
}
