//! What a person may decide about a run that goes wrong: hold, go forward, take back, or return. Told from
//! where the run stands; decides nothing.

use std::fmt::Write as _;

use serde::Serialize;

use super::members::{LeftView, moved};
use super::people::needs_person;
use crate::engine::{Doubtful, IndexedPlan, RunState, applied, passed, perhaps, perhaps_for_good};
use crate::model::action::ActionName;
use crate::model::run::{NodeStatus, RunStatus};
use crate::plan::NodeIndex;

/// Most runs of one kind that are named.
const NAMED: usize = 8;

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

/// A step that may have changed something, although it is not known to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Perhaps {
    /// Address of its node.
    pub step: String,
    /// What it was to do, for people.
    pub title: String,
    /// Why: it failed, or a person was asked to do it.
    pub why: &'static str,
}

/// A run that is under way inside another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnderWay {
    /// The node that began it; of a fleet, the service.
    pub step: String,
    /// Its id.
    pub run: String,
    /// Its status when it was last heard of.
    pub status: RunStatus,
}

/// The runs inside a run, by what an end of it means for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inside {
    /// They have succeeded and are over: neither a hold nor an undo changes anything about them.
    pub succeeded: Vec<LeftView>,
    /// A hold stops them as they stand; an undo takes each back that is before its own point of no return.
    pub under_way: Vec<UnderWay>,
    /// They do not begin.
    pub not_begun: Vec<String>,
}

/// Where a run stands and which ways lead out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaysOut {
    /// What it has changed so far, in the order of the plan.
    pub applied: Vec<Held>,
    /// What else may have changed something: nobody knows, and no undo does anything about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub perhaps: Vec<Perhaps>,
    /// What becomes of the runs inside it; absent: there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Inside>,
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
    /// The irreversible step that may have begun: a person was asked to do it by hand, or it failed and only
    /// its own code knows how far it had come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perhaps_passed: Option<String>,
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
    let perhaps_passed = perhaps_for_good(plan, state).filter(|_| passed.is_none());
    let perhaps_passed = perhaps_passed.map(|(address, _)| address.to_string());
    let undo = passed.is_none() && perhaps_passed.is_none() && held.iter().any(|held| held.undo);
    WaysOut {
        members: inside(plan, state),
        hold: format!("drctl abort {run} --reason …"),
        forward,
        undo: undo.then(|| format!("drctl unwind {run} --reason …")),
        failback: passed.as_ref().map(|_| format!("drctl failback {} --reason …", plan.plan.runbook.name)),
        passed,
        perhaps_passed,
        applied: held,
        perhaps: perhaps_changed(plan, state),
    }
}

fn perhaps_changed(plan: &IndexedPlan, state: &RunState) -> Vec<Perhaps> {
    let told = |(node, doubtful): (NodeIndex, Doubtful)| {
        let definition = plan.plan.nodes.get(node as usize)?;
        let why = match doubtful {
            Doubtful::Asked => "asked of a person",
            Doubtful::Failed => "failed",
        };
        Some(Perhaps { step: definition.address.to_string(), title: definition.title.clone(), why })
    };
    perhaps(plan, state).into_iter().filter_map(told).collect()
}

/// The runs inside a run; nothing where there are none.
fn inside(plan: &IndexedPlan, state: &RunState) -> Option<Inside> {
    let mut inside = Inside { succeeded: moved(plan, state), under_way: Vec::new(), not_begun: Vec::new() };
    for (definition, node) in plan.plan.nodes.iter().zip(&state.nodes) {
        let begins = definition.call(state.mode).is_some_and(|call| call.action == ActionName::RunbookRun);
        if !begins {
            continue;
        }
        let step = definition.address.to_string();
        match (&node.child, node.status) {
            (None, NodeStatus::Pending | NodeStatus::Ready) => inside.not_begun.push(step),
            (Some(child), _) if !child.status.is_terminal() => {
                inside.under_way.push(UnderWay { step, run: child.run.to_string(), status: child.status });
            }
            _ => {}
        }
    }
    let is_empty = inside.succeeded.is_empty() && inside.under_way.is_empty() && inside.not_begun.is_empty();
    Some(inside).filter(|_| !is_empty)
}

impl Inside {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "The runs inside it:")?;
        let Self { succeeded, under_way, not_begun } = self;
        if !succeeded.is_empty() {
            let names = names(succeeded.iter().map(|run| run.step.clone()));
            writeln!(text, "  {} succeeded, and stay where they are either way: {names}", succeeded.len())?;
            if let Some(command) = succeeded.first().and_then(|run| run.command.as_ref()) {
                writeln!(text, "    each is taken back by itself, such as {command}")?;
            }
        }
        if !under_way.is_empty() {
            let names = names(under_way.iter().map(|run| format!("{} ({})", run.step, run.status)));
            writeln!(text, "  {} under way: {names}", under_way.len())?;
            writeln!(
                text,
                "    hold stops each as it stands; undo takes each back, before its own point of no return"
            )?;
        }
        if !not_begun.is_empty() {
            let names = names(not_begun.iter().cloned());
            writeln!(text, "  {} not begun, and do not begin: {names}", not_begun.len())?;
        }
        Ok(())
    }
}

fn names(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(NAMED);
    let named: Vec<_> = all.take(NAMED).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
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
        let members = self.members.as_ref();
        let is_inside = |held: &&Held| {
            let steps = members.iter().flat_map(|members| {
                let succeeded = members.succeeded.iter().map(|run| &run.step);
                succeeded.chain(members.under_way.iter().map(|run| &run.step))
            });
            steps.into_iter().any(|step| *step == held.step)
        };
        let own: Vec<&Held> = self.applied.iter().filter(|held| !is_inside(held)).collect();
        if let Some(members) = members {
            members.write(text)?;
        }
        match own.as_slice() {
            [] if members.is_some() || !self.perhaps.is_empty() => {}
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
        if !self.perhaps.is_empty() {
            writeln!(text, "May have changed something, look at it; no undo runs for it:")?;
            let width = self.perhaps.iter().map(|it| it.step.chars().count()).max().unwrap_or(0);
            for Perhaps { step, title, why } in &self.perhaps {
                writeln!(text, "  {step:width$}  {why:17}  {title}")?;
            }
        }
        if let Some(passed) = &self.passed {
            writeln!(text, "The point of no return is behind: `{passed}` cannot be taken back.")?;
        }
        if let Some(step) = &self.perhaps_passed {
            writeln!(
                text,
                "The point of no return may be behind: `{step}` cannot be taken back, and may have begun or done \
                 a\npart of its work. Nothing is undone before that is known."
            )?;
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
