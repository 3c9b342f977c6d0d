//! The guards of a drill as a plan of their own, for those who ask before there is a drill. Only reads.

use super::{DrillChoices, Section};
use crate::model::drill::Drill;
use crate::model::policy::OnFailure;
use crate::model::run::{Intent, Mode, Phase};
use crate::model::runbook::Runbook;
use crate::plan::bind::{adapters, sorted, whole};
use crate::plan::context::Scope;
use crate::plan::draft::{Draft, Setting};
use crate::plan::error::Problem;
use crate::plan::node::{CheckPurpose, Plan};
use crate::plan::{expand, graph, parameters, sites};

/// Makes a plan of the guards of a runbook's drill, each asked whatever the others say; `None` where it has
/// none. They look at what is real, also before a drill on the simulated estate.
///
/// # Errors
/// Every reason why they cannot be asked.
pub fn bind_guards(runbook: &Runbook, chosen: &DrillChoices) -> Result<Option<Plan>, Vec<Problem>> {
    let Some(Drill { guards, .. }) = runbook.drill.as_ref().filter(|drill| !drill.guards.is_empty()) else {
        return Ok(None);
    };
    let mut choices = chosen.choices(runbook);
    choices.intent = Intent::Check;
    let mut problems = Vec::new();
    let route = sites::route(runbook, &choices, &mut problems);
    let bound = parameters::bind(&runbook.parameters, &choices.parameters, &mut problems);
    if !problems.is_empty() {
        return Err(sorted(problems));
    }
    let scope = Scope::new(runbook, &choices, &route, &bound);
    let setting = Setting {
        title: Section::Guard.to_string(),
        phase: Some(Phase::Assess),
        on_failure: Some(OnFailure::Continue),
        ..Setting::default()
    };
    let nodes = expand::looks(guards, "drill/guard", CheckPurpose::Precheck, &scope, &setting, &mut problems);
    let mut draft = Draft::default();
    for node in nodes {
        draft.push(node);
    }
    adapters(&draft, &[], &mut problems);
    let order = graph::order(&draft).map_err(|problem| problems.push(problem)).ok();
    let Some(order) = order.filter(|_| problems.is_empty()) else { return Err(sorted(problems)) };
    let nodes = graph::arrange(draft, &order);
    let mode = choices.mode.unwrap_or(Mode::of(choices.operation));
    Ok(Some(whole(runbook, &choices, mode, route, bound, nodes)))
}
