//! What a person may decide about a run that goes wrong: hold, go forward, take back, or return. Told from
//! where the run stands; decides nothing.

use std::fmt::Write as _;

use serde::Serialize;

use super::people::needs_person;
use crate::engine::{IndexedPlan, RunState, applied, passed};

/// An effect a run has had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Address of its node.
    pub step: String,
    /// What it did, for people.
    pub title: String,
    /// Whether an unwind takes it back.
    pub undo: bool,
}

/// Where a run stands and which ways lead out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaysOut {
    /// What it has changed so far, in the order of the plan.
    pub applied: Vec<Held>,
    /// Leaves everything as it stands.
    pub hold: String,
    /// Goes on to the end.
    pub forward: Vec<String>,
    /// Takes back what can be taken back; absent: the point of no return is behind, or nothing is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// Returns to the site the service came from, once this run is over; only behind the point of no return.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failback: Option<String>,
    /// The irreversible step that has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<String>,
}

/// The ways out of a run that is not over.
#[must_use]
pub fn ways_out(plan: &IndexedPlan, state: &RunState) -> WaysOut {
    let run = state.created.run.as_str();
    let held = applied(plan, state).into_iter().filter_map(|(node, undo)| {
        let definition = plan.plan.nodes.get(node as usize)?;
        // A run that goes on is asked to take back what it has done, where it still can.
        let asked = state.active.contains(&node) && state.node(node).child.is_some();
        let undo = undo || asked;
        Some(Held { step: definition.address.to_string(), title: definition.title.clone(), undo })
    });
    let held: Vec<Held> = held.collect();
    let passed = passed(plan, state).map(ToString::to_string);
    let mut forward: Vec<String> =
        needs_person(plan, state).into_iter().map(|needed| needed.command).collect();
    if forward.is_empty() {
        forward.push(format!("drctl runs watch {run}"));
    }
    let undo = passed.is_none() && held.iter().any(|held| held.undo);
    WaysOut {
        hold: format!("drctl abort {run} --reason …"),
        forward,
        undo: undo.then(|| format!("drctl unwind {run} --reason …")),
        failback: passed.as_ref().map(|_| format!("drctl failback {} --reason …", plan.plan.runbook.name)),
        passed,
        applied: held,
    }
}

impl WaysOut {
    /// The ways out for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        match self.applied.as_slice() {
            [] => writeln!(text, "The run has changed nothing yet.")?,
            held => {
                writeln!(text, "The run has changed so far:")?;
                let width = held.iter().map(|held| held.step.chars().count()).max().unwrap_or(0);
                for Held { step, title, undo } in held {
                    let back = if *undo { "can be taken back" } else { "stays" };
                    writeln!(text, "  {step:width$}  {back:17}  {title}")?;
                }
            }
        }
        if let Some(passed) = &self.passed {
            writeln!(text, "The point of no return is behind: `{passed}` cannot be taken back.")?;
        }
        writeln!(text, "\nhold      leave everything as it stands       {}", self.hold)?;
        for command in &self.forward {
            writeln!(text, "forward   go on to the end                    {command}")?;
        }
        if let Some(undo) = &self.undo {
            writeln!(text, "undo      take back what can be, in reverse   {undo}")?;
        }
        if let Some(failback) = &self.failback {
            writeln!(text, "failback  return, once this run is over       {failback}")?;
        }
        Ok(())
    }
}
