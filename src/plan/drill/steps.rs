//! The steps of a workflow as they are at one level of a drill: what they say, else what their action says.
//! Refuses what is not said.

use crate::model::action::{ActionName, DrillDefault, Effect, traits};
use crate::model::drill::{DrillLevel, DrillRule, DrillUse, DrillVariant};
use crate::model::step::{OtherUse, Step, Variant};
use crate::plan::error::Problem;

/// Steps whose rule is resolved: each says `run`, `skip`, or what it does instead, or nothing at all on the
/// simulated estate.
pub(super) fn at_level(
    steps: &[Step],
    level: DrillLevel,
    around: Option<&DrillVariant>,
    problems: &mut Vec<Problem>,
) -> Vec<Step> {
    steps.iter().map(|step| at(step, level, around, problems)).collect()
}

fn at(step: &Step, level: DrillLevel, around: Option<&DrillVariant>, problems: &mut Vec<Problem>) -> Step {
    let own = step.drill.as_ref().and_then(|rule| rule.at(level));
    let said = own.or(around);
    let mut step = step.clone();
    let around = own.filter(|variant| variant.is_for_members()).or(around);
    step.parallel = at_level(&step.parallel, level, around, problems);
    let resolved = match step.uses {
        Some(action) => said.cloned().or_else(|| unsaid(&step, action, level, problems)),
        None => said.cloned(),
    };
    // What a group does instead concerns the group alone; its members take over only whether they run.
    match (&resolved, own) {
        (Some(DrillVariant::Other(other)), Some(_)) => {
            refuse(&step, other, level, problems);
            replace(&mut step, other);
        }
        (Some(DrillVariant::Other(_) | DrillVariant::Run | DrillVariant::Skip) | None, _) => {}
    }
    step.drill = resolved.map(DrillRule::Always);
    step
}

/// What the action says where its step does not.
fn unsaid(
    step: &Step,
    action: ActionName,
    level: DrillLevel,
    problems: &mut Vec<Problem>,
) -> Option<DrillVariant> {
    if level == DrillLevel::Simulate || traits::effect(action, &step.with) == Effect::Read {
        return None;
    }
    match action.spec().drill {
        DrillDefault::Run => None,
        DrillDefault::Skip => Some(DrillVariant::Skip),
        DrillDefault::MustDeclare => {
            let what = format!("step `{}` does not say what it does in a drill of level {level}", step.id);
            let help = "add `drill: run`, `skip`, or another action (DR0601)";
            problems.push(Problem::new(what, help));
            None
        }
    }
}

/// What a drill says of a step must hold in both modes, and for what takes it back.
fn refuse(step: &Step, other: &DrillUse, level: DrillLevel, problems: &mut Vec<Problem>) {
    if other.with.is_empty() || other.uses.is_some() {
        return;
    }
    if let Some(Variant::Other(OtherUse { uses: Some(action), .. })) = &step.ungraceful {
        let what =
            format!("what `{}` does in a drill says nothing of {action}, its ungraceful action", step.id);
        let help = "write `drill: {uses: …, with: …}`, which holds in both modes (DR0603)";
        problems.push(Problem::new(what, help));
    }
    if level == DrillLevel::Isolated
        && let Some(action) = other.foreign_undo(step.undo.as_ref())
    {
        let what = format!("in a drill `{}` would be taken back as for real, by {action}", step.id);
        let help = "write `drill: {with: …, undo: …}`: nothing can tell what it touches (DR0604)";
        problems.push(Problem::new(what, help));
    }
}

fn replace(step: &mut Step, other: &DrillUse) {
    if let Some(uses) = other.uses {
        step.uses = Some(uses);
        step.with.clear();
        // What takes the effect of one action back is nothing to another; nor is what the mode changes.
        step.undo = None;
        step.ungraceful = None;
        step.reversibility = None;
    }
    step.with.extend(other.with.clone());
    // A drill is often ungraceful: what it says is laid over what that mode changes as well.
    if let Some(Variant::Other(ungraceful)) = &mut step.ungraceful {
        if !ungraceful.with.is_empty() {
            ungraceful.with.extend(other.with.clone());
        }
        if other.min_success.is_some() {
            ungraceful.min_success = None;
        }
    }
    if other.undo.is_some() {
        step.undo.clone_from(&other.undo);
    }
    if other.min_success.is_some() {
        step.min_success = other.min_success;
    }
}
