//! The `drill` block and what steps say about drills. Judges what is written; what a drill may touch is
//! checked when it is planned and before every effect.

use crate::compile::diagnostic::{Code, Severity};
use crate::compile::expression::{Expressions, Place, Subject};
use crate::compile::graph::Graph;
use crate::compile::outline::{Outline, StepIndex};
use crate::compile::reporter::Reporter;
use crate::compile::schema::Gaps;
use crate::compile::suggest;
use crate::model::action::{ActionName, DrillDefault, Effect, traits};
use crate::model::drill::{Drill, DrillLevel, DrillRule, DrillUse, DrillVariant};
use crate::model::id::SiteName;
use crate::model::runbook::Runbook;
use crate::model::step::{Check, OtherUse, Step, Undo, Variant};

use super::{call, step};

/// Where a variant stands below its step.
pub(super) fn place(level: &str) -> String {
    if level.is_empty() { "drill".to_owned() } else { format!("drill/{level}") }
}

/// Checks the block, its checks and its steps.
pub(super) fn check(
    runbook: &Runbook,
    gaps: &Gaps,
    expressions: &mut Expressions<'_>,
    reporter: &mut Reporter<'_>,
) {
    let Some(drill) = &runbook.drill else { return };
    block(runbook, drill, gaps, reporter);
    looks(&drill.guards, "/drill/guards", expressions, reporter);
    if let Some(success) = &drill.success {
        looks(&success.checks, "/drill/success/checks", expressions, reporter);
    }
    for (name, steps) in [("inject", &drill.inject), ("cleanup", &drill.cleanup)] {
        let base = format!("/drill/{name}");
        let outline = Outline::at(name, base, steps, gaps);
        let graph = Graph::new(&outline, gaps, reporter);
        for index in 0..outline.entries.len() {
            step::check(&outline, index, expressions, reporter);
        }
        expressions.settle(&outline, &graph, reporter);
    }
}

fn block(runbook: &Runbook, drill: &Drill, gaps: &Gaps, reporter: &mut Reporter<'_>) {
    let isolated = drill.level == DrillLevel::Isolated;
    if isolated && drill.boundary.is_none() && !gaps.touches("/drill/boundary") {
        let message = "an isolated drill has no `boundary`";
        reporter
            .value(Code::BrokenDrill, "/drill/level", message)
            .help("say what it may touch: `boundary: {sites: […], names: [\"drill-*\"]}`");
    }
    for (at, site) in drill.boundary.iter().flat_map(|boundary| boundary.sites.iter().enumerate()) {
        if !runbook.sites.contains_key(site) && !gaps.touches("/sites") {
            let message = format!("`{site}` is no site of this runbook");
            let known = suggest::list(runbook.sites.keys().map(SiteName::as_str));
            reporter
                .value(Code::BrokenDrill, &format!("/drill/boundary/sites/{at}"), message)
                .help(format!("known here: {known}"));
        }
    }
    if drill.level == DrillLevel::Live && runbook.workflows.failback.is_none() && !gaps.touches("/workflows")
    {
        let message = "a live drill moves the service and has no way to return it";
        reporter
            .value(Code::BrokenDrill, "/drill/level", message)
            .help("write `workflows.failback`, or use `level: isolated`");
    }
    let idle = [
        ("inject", !drill.inject.is_empty()),
        ("hold", drill.hold.is_some()),
        ("decide", drill.decide.is_some()),
        ("cleanup", !drill.cleanup.is_empty()),
    ];
    for (key, _) in idle.iter().filter(|(_, given)| *given && drill.level == DrillLevel::Check) {
        let message = format!("a drill of level check only looks, so `{key}` has no effect");
        reporter
            .key(Code::KeyWithoutMeaning, &format!("/drill/{key}"), message)
            .help("use another level, or leave it out");
    }
}

fn looks(checks: &[Check], base: &str, expressions: &mut Expressions<'_>, reporter: &mut Reporter<'_>) {
    for (at, check) in checks.iter().enumerate() {
        let subject =
            |place| Subject { outline: None, step: usize::MAX, place, own: false, action: Some(check.uses) };
        let pointer = format!("{base}/{at}");
        let (with, until) = (subject(Place::Reading), subject(Place::Until));
        call::check_check(check, &pointer, with, until, expressions, reporter);
    }
}

/// Whether what a step says about drills fits the step.
pub(super) fn members(step: &Step, many: bool, pointer: &str, reporter: &mut Reporter<'_>) {
    for (level, variant) in step.drill.iter().flat_map(DrillRule::variants) {
        let DrillVariant::Other(other) = variant else { continue };
        self::variant(step, other, many, &format!("{pointer}/{}", place(level)), reporter);
    }
}

fn variant(step: &Step, other: &DrillUse, many: bool, at: &str, reporter: &mut Reporter<'_>) {
    let is_group = !step.parallel.is_empty();
    if *other == DrillUse::default() {
        let message = "this says nothing that differs";
        reporter
            .key(Code::KeyWithoutMeaning, at, message)
            .help("write `run`, `skip`, or `uses`, `with`, `undo`, `min_success`, `boundary`");
    }
    if other.min_success.is_some() && !many {
        let message = format!("`{}` runs once, so `min_success` has no effect", step.id);
        reporter.key(Code::KeyWithoutMeaning, &format!("{at}/min_success"), message).help("leave it out");
    }
    if is_group && (other.uses.is_some() || !other.with.is_empty() || other.undo.is_some()) {
        let message = format!("`{}` is a group and performs no action", step.id);
        reporter.key(Code::KeyWithoutMeaning, at, message).help("write it on the members");
    }
    if let Some(Variant::Other(OtherUse { uses: Some(action), .. })) = &step.ungraceful
        && other.uses.is_none()
        && !other.with.is_empty()
    {
        let message = format!("this says nothing of `{action}`, which `{}` does when ungraceful", step.id);
        reporter
            .value(Code::BrokenDrill, &format!("{at}/with"), message)
            .help("write `uses` beside `with`: what a drill does instead holds in both modes");
    }
    let action = other.uses.or(step.uses);
    if let (Some(action), Some(Undo::Auto)) = (action, &other.undo) {
        let mut with = if other.uses.is_some() { serde_json::Map::new() } else { step.with.clone() };
        with.extend(other.with.clone());
        if !traits::restores(action, &with) {
            let message =
                format!("`{action}` does not record what it found, so `undo: auto` cannot restore it");
            reporter.value(Code::NoAutomaticUndo, &format!("{at}/undo"), message).help("name an action");
        }
    }
}

/// What the steps of one workflow lack for the drills of their runbook.
pub(super) fn workflow(runbook: &Runbook, outline: &Outline<'_>, reporter: &mut Reporter<'_>) {
    let drill = runbook.drill.as_ref();
    for (index, entry) in outline.leaves() {
        let Some(action) = entry.step.uses.filter(|_| entry.changes()) else { continue };
        let pointer = outline.pointer(index);
        let said = undeclared(drill, outline, index, action, &pointer, reporter);
        if outline.name == "failover"
            && let Some(drill) = drill.filter(|drill| drill.level == DrillLevel::Isolated && said)
        {
            isolated(drill, outline, index, action, &pointer, reporter);
        }
    }
}

/// Reports a step that does not say how it behaves in a drill: an error once the runbook has drills with real
/// effects. Returns whether it is said.
fn undeclared(
    drill: Option<&Drill>,
    outline: &Outline<'_>,
    index: StepIndex,
    action: ActionName,
    pointer: &str,
    reporter: &mut Reporter<'_>,
) -> bool {
    let level = drill.map(|drill| drill.level);
    let real = level.filter(|level| matches!(level, DrillLevel::Isolated | DrillLevel::Live));
    let said = outline.chain(index).any(|entry| {
        // Of a group only what concerns its members counts for them.
        let counts = |variant: &DrillVariant| entry.step.parallel.is_empty() || variant.is_for_members();
        let says = |rule: &DrillRule| match real {
            Some(level) => rule.at(level).is_some_and(counts),
            None => rule.variants().any(|(_, variant)| counts(variant)),
        };
        entry.step.drill.as_ref().is_some_and(says)
    });
    // A failback is part of a live drill only.
    let concerned = outline.name == "failover" || real == Some(DrillLevel::Live);
    if action.spec().drill != DrillDefault::MustDeclare || said || outline.lost(index, "drill") {
        return true;
    }
    let id = outline.entries.get(index).map_or("", |entry| entry.step.id.as_str());
    let message = match real.filter(|_| concerned) {
        Some(level) => format!("`{id}` does not say what it does in a drill of level {level}"),
        None => format!("`{id}` does not say what it does in a drill"),
    };
    let finding = reporter.value(Code::DrillUndeclared, &format!("{pointer}/uses"), message);
    finding.help("add `drill: run`, `skip`, or another action");
    if real.is_some() && concerned {
        finding.as_severity(Severity::Error);
    }
    false
}

/// Reports what an isolated drill of a step cannot be held to.
fn isolated(
    drill: &Drill,
    outline: &Outline<'_>,
    index: StepIndex,
    action: ActionName,
    pointer: &str,
    reporter: &mut Reporter<'_>,
) {
    let Some(entry) = outline.entries.get(index) else { return };
    let rule = outline.chain(index).find_map(|entry| {
        let said = entry.step.drill.as_ref()?.at(DrillLevel::Isolated)?;
        (entry.step.parallel.is_empty() || said.is_for_members()).then_some(said)
    });
    let (other, own) = match rule {
        Some(DrillVariant::Skip) => return,
        Some(DrillVariant::Other(other)) => (Some(other.as_ref()), entry.step.undo.is_some()),
        Some(DrillVariant::Run) | None if action.spec().drill == DrillDefault::Skip && rule.is_none() => {
            return;
        }
        Some(DrillVariant::Run) | None => (None, entry.step.undo.is_some()),
    };
    let performed = other.and_then(|other| other.uses);
    let action = performed.unwrap_or(action);
    let trusted = other.is_some_and(|other| other.boundary.is_some());
    if action == ActionName::CommandRun && !trusted {
        let message = format!("what `{}` touches cannot be checked against the boundary", entry.id());
        reporter
            .value(Code::DrillUnbounded, &format!("{pointer}/uses"), message)
            .help("add `drill: {boundary: trusted}` if it stays inside, or `drill: skip`");
    }
    if let Some(undo) = other.and_then(|other| other.foreign_undo(entry.step.undo.as_ref())) {
        let message = format!("a drill would take `{}` back as for real, by `{undo}`", entry.id());
        reporter
            .value(Code::DrillUnbounded, &format!("{pointer}/undo"), message)
            .help("write `undo` beside `with` under `drill`: nothing can tell what the real one touches");
    }
    let has_undo = other.is_some_and(|other| other.undo.is_some()) || (own && performed.is_none());
    let changes = match (performed, other) {
        (Some(action), Some(other)) => traits::effect(action, &other.with) == Effect::Mutate,
        _ => true,
    };
    if changes && !has_undo && drill.cleanup.is_empty() && action != ActionName::ManualTask {
        let message = format!("a drill would leave behind what `{}` does", entry.id());
        reporter
            .value(Code::DrillLeavesBehind, &format!("{pointer}/uses"), message)
            .help("add `undo`, or a step to `drill.cleanup` that takes it away");
    }
}
