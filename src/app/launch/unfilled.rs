//! Keeps values that nobody has filled in from reaching a provider. Never looks at what is only for people.

use crate::app::{Error, exit};
use crate::compile::holds_placeholder;
use crate::compile::scaffold::MARK;
use crate::model::action::ActionName;
use crate::model::run::{Intent, Mode};
use crate::plan::{Nested, Node, Plan, PlannedUndo, Problem};

/// Refuses plans that would hand on a value that is still to be filled in. The simulated estate takes it.
///
/// # Errors
/// When a node of the plan, or of one inside it, has such a value in either mode, or to undo it.
pub(crate) fn refuse(plan: &Plan, nested: &Nested) -> Result<(), Error> {
    let plans = nested.values().map(|planned| &planned.plan).chain([plan]);
    let mut problems = Vec::new();
    for plan in plans.filter(|plan| plan.intent != Intent::Simulate) {
        for (node, key) in plan.nodes.iter().flat_map(unfilled) {
            problems.push(Problem::new(
                format!(
                    "`{}` of {} would be given a `{key}` that nobody has filled in",
                    node.address, plan.runbook.name
                ),
                format!("write the real value where the runbook says {MARK}"),
            ));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::new(exit::INVALID, format!("{} still has values to fill in", plan.runbook.name))
        .help("`drctl validate` shows each with its line; `--simulate` runs with them as they are")
        .reason("placeholders")
        .details(problems))
}

fn unfilled(node: &Node) -> Vec<(&Node, &str)> {
    let undo = match &node.undo {
        Some(PlannedUndo::Call(call)) => Some(call),
        Some(PlannedUndo::Auto) | None => None,
    };
    let calls = [node.call(Mode::Graceful), node.call(Mode::Ungraceful), undo];
    // What a person reads they can also judge.
    let called = calls.into_iter().flatten().filter(|call| call.action != ActionName::ManualTask);
    let mut found: Vec<(&Node, &str)> = Vec::new();
    for call in called {
        for (key, value) in &call.with {
            if holds_placeholder(value) && !found.iter().any(|(_, other)| other == key) {
                found.push((node, key));
            }
        }
    }
    found
}
