//! What kept a drill away from what is real: its level, its boundary, its credentials, and the steps for
//! which nothing did. Never calls a step checked that was not.

use std::fmt::{Result, Write};

use serde::Serialize;

use super::markdown::text;
use super::plan::effect;
use crate::engine::{IndexedPlan, RunState};
use crate::model::drill::{Boundary, DrillLevel};
use crate::plan::drill::unenforced;

/// How far a drill could reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DrillFacts {
    /// check, simulate, isolated or live.
    pub level: &'static str,
    /// Whether it could change what is real.
    pub is_real: bool,
    /// What it was allowed to touch; absent: there was no boundary.
    pub boundary: Option<Boundary>,
    /// What it got into accounts with, by its name in the configuration; absent: what real runs do.
    pub credentials: Option<String>,
    /// The steps for which the boundary was not enforced: their author answers for them.
    pub not_enforced: Vec<NotEnforced>,
}

/// A step for which the boundary of a drill was not enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotEnforced {
    /// Address of the node.
    pub step: String,
    /// The action that drctl cannot see into.
    pub action: &'static str,
    /// Whether the action takes back what the step did.
    pub undo: bool,
    /// Whether the effect of the step is there: applied, taken back, not applied, unknown, already there,
    /// unconfirmed.
    pub effect: &'static str,
}

/// The facts of a drill; `None`: the run was none.
pub(super) fn facts(plan: &IndexedPlan, state: &RunState) -> Option<DrillFacts> {
    let drill = plan.plan.drill.as_ref()?;
    let trusted = unenforced(&plan.plan).into_iter().map(|it| NotEnforced {
        step: it.address,
        action: it.action.as_str(),
        undo: it.undo,
        effect: effect(state.node(it.node)),
    });
    Some(DrillFacts {
        level: drill.level.as_str(),
        is_real: matches!(drill.level, DrillLevel::Isolated | DrillLevel::Live),
        boundary: drill.boundary.clone(),
        credentials: drill.credentials.clone(),
        not_enforced: trusted.collect(),
    })
}

impl DrillFacts {
    /// What stands in each list of the boundary; an empty list allows nothing of its kind.
    pub(super) fn allowed(&self) -> Vec<(&'static str, String)> {
        let Some(boundary) = &self.boundary else { return Vec::new() };
        let sites = boundary.sites.iter().map(ToString::to_string).collect::<Vec<_>>();
        let lists = [
            ("sites", &sites),
            ("accounts", &boundary.accounts),
            ("names", &boundary.names),
            ("hosts", &boundary.hosts),
            ("databases", &boundary.databases),
        ];
        let written = |list: &Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
        lists.map(|(kind, list)| (kind, written(list))).to_vec()
    }
}

/// Writes the section, where the run was a drill.
pub(super) fn write(out: &mut String, drill: Option<&DrillFacts>) -> Result {
    let Some(drill) = drill else { return Ok(()) };
    writeln!(out, "\n## Boundary of the drill\n")?;
    if !drill.is_real {
        return writeln!(out, "A drill of level {}: nothing real could be changed.", drill.level);
    }
    writeln!(out, "| | |\n|---|---|\n| level | {} |", drill.level)?;
    if drill.boundary.is_none() {
        writeln!(out, "| boundary | none |")?;
    }
    for (kind, list) in drill.allowed() {
        writeln!(out, "| {kind} | {} |", text(&list))?;
    }
    let credentials = drill.credentials.as_deref().map_or_else(|| "those of real runs".to_owned(), text);
    writeln!(out, "| credentials | {credentials} |")?;
    if drill.boundary.is_none() {
        return Ok(());
    }
    if drill.not_enforced.is_empty() {
        return writeln!(out, "\nEvery action that changed something was checked against it.");
    }
    writeln!(
        out,
        "\n**Not enforced for the steps below**: drctl cannot see into what they do, and their author answers for \
         them. Everything else that changed something was checked.\n\n| step | action | | effect |\n|---|---|---|---|"
    )?;
    for step in &drill.not_enforced {
        let undo = if step.undo { "takes it back" } else { "" };
        writeln!(out, "| `{}` | `{}` | {undo} | {} |", step.step, step.action, step.effect)?;
    }
    Ok(())
}
