//! One step: what it may say, whether it agrees with itself, and all its expressions.

use crate::compile::diagnostic::{Code, Severity};
use crate::compile::expression::{Expressions, Place, Subject};
use crate::compile::outline::{Entry, Outline, StepIndex};
use crate::compile::reporter::Reporter;
use crate::compile::tree::escape;
use crate::model::action::{ActionName, Doubt, traits};
use crate::model::drill::{DrillRule, DrillVariant};
use crate::model::limits;
use crate::model::policy::{MinSuccess, OnFailure, Reversibility};
use crate::model::run::{FailureClass, Phase};
use crate::model::step::{ForEach, OtherUse, Step, Undo, Variant};

use super::{approval, call, drill};

/// Deepest nesting of groups.
const GROUP_DEPTH: usize = 8;

pub(super) fn check(
    outline: &Outline<'_>,
    index: StepIndex,
    expressions: &mut Expressions<'_>,
    reporter: &mut Reporter<'_>,
) {
    let Some(entry) = outline.entries.get(index) else { return };
    let pointer = outline.pointer(index);
    kind(outline, index, &pointer, reporter);
    members(entry, &pointer, reporter);
    times(entry.step, &pointer, reporter);
    approval::check(entry, &pointer, reporter);
    if let Some(action) = entry.step.uses {
        safety(outline, index, action, &pointer, reporter);
    }
    let mut visit = Visit { outline, index, step: entry.step, pointer, expressions, reporter };
    visit.expressions();
    visit.checks();
}

/// A step performs an action or is a group, never both.
fn kind(outline: &Outline<'_>, index: StepIndex, pointer: &str, reporter: &mut Reporter<'_>) {
    let Some(entry) = outline.entries.get(index) else { return };
    let step = entry.step;
    let is_group = !step.parallel.is_empty();
    match (step.uses, is_group) {
        (Some(_), true) => {
            let message = format!("`{}` has both `uses` and `parallel`", step.id);
            reporter
                .key(Code::KeyWithoutMeaning, &format!("{pointer}/uses"), message)
                .help("make the action a step of its own");
        }
        (None, false) if !outline.lost(index, "uses") && !outline.lost(index, "parallel") => {
            let message = format!("`{}` has neither `uses` nor members in `parallel`", step.id);
            reporter.key(Code::NothingToDo, &format!("{pointer}/id"), message).help("say what the step does");
        }
        _ => {}
    }
    if entry.depth > GROUP_DEPTH {
        let message = format!("`{}` is nested deeper than {GROUP_DEPTH} groups", step.id);
        reporter
            .key(Code::TooDeep, &format!("{pointer}/id"), message)
            .help("put the steps side by side and use `needs`");
    }
    for (key, given) in [("before", &step.before), ("after", &step.after)] {
        if !given.is_empty() {
            let message = format!("`{key}` has an effect only on an own step beside `components`");
            reporter.key(Code::KeyWithoutMeaning, &format!("{pointer}/{key}"), message).help("write `needs`");
        }
    }
    let idle = [
        ("with", !step.with.is_empty()),
        ("retry", step.retry.is_some()),
        ("timeout", step.timeout.is_some()),
        ("estimate", step.estimate.is_some()),
        ("undo", step.undo.is_some()),
        ("undo_after_failure", step.undo_after_failure.is_some()),
        ("reversibility", step.reversibility.is_some()),
        ("outputs", !step.outputs.is_empty()),
        ("for_each", step.for_each.is_some()),
    ];
    let limits = [("timeout", step.timeout.is_some()), ("deadline", step.deadline.is_some())];
    let runs = step.uses == Some(ActionName::RunbookRun);
    for (key, _) in limits.iter().filter(|(_, given)| *given && runs) {
        let message = format!("`{}` begins a run of its own, so `{key}` has no effect", step.id);
        reporter
            .key(Code::KeyWithoutMeaning, &format!("{pointer}/{key}"), message)
            .help("its steps have limits of their own; `estimate` says how long it should take");
    }
    for (key, _) in idle.iter().filter(|(_, given)| *given && is_group && step.uses.is_none()) {
        let message = format!("`{}` is a group, so `{key}` has no effect", step.id);
        reporter
            .key(Code::KeyWithoutMeaning, &format!("{pointer}/{key}"), message)
            .help("write it on the members");
    }
}

/// Fan-out and thresholds.
fn members(entry: &Entry<'_>, pointer: &str, reporter: &mut Reporter<'_>) {
    let step = entry.step;
    let many = !step.parallel.is_empty() || step.for_each.is_some();
    let keys = [
        ("max_parallel", step.max_parallel.is_some()),
        ("min_success", step.min_success.is_some()),
        ("stragglers", step.stragglers.is_some()),
    ];
    for (key, _) in keys.iter().filter(|(_, given)| *given && !many) {
        let message = format!("`{}` runs once, so `{key}` has no effect", step.id);
        let help = "it belongs to groups and to steps with `for_each`";
        reporter.key(Code::KeyWithoutMeaning, &format!("{pointer}/{key}"), message).help(help);
    }
    if step.stragglers.is_some() && step.min_success.is_none() && many {
        let message = "`stragglers` has no effect without `min_success`";
        reporter
            .key(Code::KeyWithoutMeaning, &format!("{pointer}/stragglers"), message)
            .help("add `min_success`");
    }
    if let Some(Variant::Other(other)) = &step.ungraceful {
        variant(step, other, many, &format!("{pointer}/ungraceful"), reporter);
    }
    drill::members(step, many, pointer, reporter);
    let count = match (&step.for_each, step.parallel.len()) {
        (Some(ForEach::Items(items)), _) => {
            if items.len() > limits::FAN_OUT {
                let message =
                    format!("`for_each` has {} items; at most {} are allowed", items.len(), limits::FAN_OUT);
                reporter.key(Code::TooDeep, &format!("{pointer}/for_each"), message).help("split the step");
            }
            items.len()
        }
        (Some(ForEach::Expression(_)), _) => return,
        (None, members) => members,
    };
    if let Some(MinSuccess::Count(least)) = step.min_success
        && many
        && usize::try_from(least).is_ok_and(|least| least > count)
    {
        let message = format!("`min_success` asks for {least} of {count}");
        reporter.value(Code::OutOfRange, &format!("{pointer}/min_success"), message).help("ask for fewer");
    }
}

fn variant(step: &Step, other: &OtherUse, many: bool, at: &str, reporter: &mut Reporter<'_>) {
    let is_group = !step.parallel.is_empty();
    if other.uses.is_none() && other.with.is_empty() && other.min_success.is_none() {
        let message = "this says nothing that differs";
        reporter
            .key(Code::KeyWithoutMeaning, at, message)
            .help("write `run`, `skip`, or `uses`, `with`, `min_success`");
    }
    if other.min_success.is_some() && !many {
        let message = format!("`{}` runs once, so `min_success` has no effect", step.id);
        reporter.key(Code::KeyWithoutMeaning, &format!("{at}/min_success"), message).help("leave it out");
    }
    if is_group && (other.uses.is_some() || !other.with.is_empty()) {
        let message = format!("`{}` is a group and performs no action", step.id);
        reporter.key(Code::KeyWithoutMeaning, at, message).help("write it on the members");
    }
}

fn times(step: &Step, pointer: &str, reporter: &mut Reporter<'_>) {
    if let Some(deadline) = step.deadline {
        for (key, time) in [("timeout", step.timeout), ("estimate", step.estimate)] {
            if let Some(time) = time.filter(|time| *time > deadline) {
                let message =
                    format!("the {key} ({time}) is longer than the deadline of the whole step ({deadline})");
                let help = "the deadline holds for all attempts together";
                reporter.value(Code::BrokenTimes, &format!("{pointer}/{key}"), message).help(help);
            }
        }
    }
    if let Some(retry) = &step.retry
        && retry.backoff > retry.max_backoff
    {
        let message =
            format!("the first pause ({}) is longer than the longest ({})", retry.backoff, retry.max_backoff);
        reporter
            .value(Code::BrokenTimes, &format!("{pointer}/retry/backoff"), message)
            .help("raise `max_backoff`");
    }
}

/// Undo, doubt and reversibility of a step that performs an action.
fn safety(
    outline: &Outline<'_>,
    index: StepIndex,
    action: ActionName,
    pointer: &str,
    reporter: &mut Reporter<'_>,
) {
    let Some(entry) = outline.entries.get(index) else { return };
    let step = entry.step;
    if step.undo == Some(Undo::Auto) && !traits::restores(action, &step.with) {
        let message = format!("`{action}` does not record what it found, so `undo: auto` cannot restore it");
        let help = if action == ActionName::CommandRun {
            "set `undoes: true`, or name an action"
        } else {
            "name an action"
        };
        reporter.value(Code::NoAutomaticUndo, &format!("{pointer}/undo"), message).help(help);
    }
    if let Some(own) = &step.reversibility
        && own.class < action.spec().reversibility
        && own.reason.trim().is_empty()
    {
        let message =
            format!("`{action}` is {}; calling it {} needs a reason", action.spec().reversibility, own.class);
        reporter
            .value(Code::WeakerReversibility, &format!("{pointer}/reversibility/reason"), message)
            .help("say why it holds");
    }
    if !entry.changes() {
        return;
    }
    if needs_person(step, action) {
        let message =
            format!("if the reply of `{}` is lost, only a person can tell whether it was done", step.id);
        let help = match action {
            ActionName::CommandRun => "set `observes: true` or `idempotent: true` if the program allows it",
            ActionName::HttpRequest => "add `observe`, or `idempotent: true` if the service honours the key",
            _ => "use an action that can be observed",
        };
        reporter.value(Code::DoubtNeedsPerson, &format!("{pointer}/uses"), message).help(help);
    }
    after_failure(entry, action, pointer, reporter);
    if step.on_failure == Some(OnFailure::Unwind) && step.undo.is_none() && !entry.is_irreversible() {
        let message = format!("`{}` unwinds when it fails, but has no `undo` itself", step.id);
        let finding = reporter.value(Code::MissingUndo, &format!("{pointer}/on_failure"), message);
        finding.help("add `undo`");
        if action.spec().reversibility == Reversibility::Reversible {
            finding.as_severity(Severity::Note);
        }
    }
}

/// What becomes of a step that failed half-way.
fn after_failure(entry: &Entry<'_>, action: ActionName, pointer: &str, reporter: &mut Reporter<'_>) {
    let step = entry.step;
    let other = match &step.ungraceful {
        Some(Variant::Other(other)) => other.uses,
        Some(Variant::Run | Variant::Skip) | None => None,
    };
    let opaque = |action| traits::may_do_a_part(action, FailureClass::Transient);
    let opaque = opaque(action) || other.is_some_and(opaque);
    let unwinds = step.on_failure == Some(OnFailure::Unwind);
    match step.undo_after_failure {
        Some(_) if step.undo.is_none() => {
            let message = "`undo_after_failure` has no effect without `undo`";
            reporter
                .key(Code::KeyWithoutMeaning, &format!("{pointer}/undo_after_failure"), message)
                .help("add `undo`");
        }
        Some(true) if entry.is_irreversible() => {
            let message =
                format!("`{}` cannot be taken back, so `undo_after_failure` has no effect", step.id);
            reporter
                .key(Code::KeyWithoutMeaning, &format!("{pointer}/undo_after_failure"), message)
                .help("leave it out; a person is asked what became of it");
        }
        Some(_) if !opaque => {
            let message = format!("`{action}` says itself whether there is something to take back");
            reporter
                .key(Code::KeyWithoutMeaning, &format!("{pointer}/undo_after_failure"), message)
                .help("leave it out");
        }
        None if unwinds && opaque && step.undo.is_some() => {
            let message = if entry.phase == Some(Phase::Promote) {
                format!(
                    "a person is asked when `{}` fails: its own `undo` does not run by itself then",
                    step.id
                )
            } else {
                format!("`{}` unwinds when it fails, and its own `undo` does not run then", step.id)
            };
            reporter
                .value(Code::MissingUndo, &format!("{pointer}/on_failure"), message)
                .help("`undo_after_failure: true` where that bears that nothing was done; `false` to say so")
                .as_severity(Severity::Note);
        }
        Some(_) | None => {}
    }
}

/// Whether a lost reply would need a person. What a program that can neither be asked nor repeated has done
/// is known only while its machine lives; a manual task is a person's anyway.
fn needs_person(step: &Step, action: ActionName) -> bool {
    let flag = |key: &str| step.with.get(key) == Some(&true.into());
    match action {
        ActionName::ManualTask => false,
        ActionName::CommandRun => !flag("observes") && !traits::may_resend(action, &step.with),
        _ => traits::doubt(action, &step.with) == Doubt::Ask,
    }
}

/// Walks through everything in a step that can be an expression.
struct Visit<'a, 'e, 'r, 't> {
    outline: &'a Outline<'a>,
    index: StepIndex,
    step: &'a Step,
    pointer: String,
    expressions: &'a mut Expressions<'e>,
    reporter: &'r mut Reporter<'t>,
}

impl<'a> Visit<'a, '_, '_, '_> {
    fn subject(&self, place: Place, own: bool, action: Option<ActionName>) -> Subject<'a> {
        Subject { outline: Some(self.outline), step: self.index, place, own, action }
    }

    fn at(&self, key: &str) -> String {
        format!("{}/{key}", self.pointer)
    }

    fn expressions(&mut self) {
        let step = self.step;
        if let Some(when) = &step.when {
            let subject = self.subject(Place::When, false, None);
            self.expressions.bare(when.as_str(), &self.at("when"), subject, self.reporter);
        }
        let subject = self.subject(Place::ForEach, false, None);
        match &step.for_each {
            Some(ForEach::Expression(list)) => {
                self.expressions.bare(list.as_str(), &self.at("for_each"), subject, self.reporter);
            }
            Some(ForEach::Items(items)) => {
                for (at, item) in items.iter().enumerate() {
                    let mut pointer = self.at(&format!("for_each/{at}"));
                    self.expressions.value(item, &mut pointer, subject, self.reporter);
                }
            }
            None => {}
        }
        let message = step.approval.as_ref().and_then(|approval| approval.message.as_ref());
        for (key, text) in [("manual", step.manual.as_ref()), ("approval/message", message)] {
            let subject = self.subject(Place::When, false, None);
            if let Some(text) = text {
                self.expressions.text(text, &self.at(key), subject, self.reporter);
            }
        }
        for (name, value) in &step.outputs {
            let subject = self.subject(Place::Outputs, false, step.uses);
            let pointer = self.at(&format!("outputs/{}", escape(name)));
            if let Some(text) = value.as_str() {
                self.expressions.bare(text, &pointer, subject, self.reporter);
            }
        }
    }

    /// What the step does in a drill instead.
    fn in_drill(&mut self) {
        let step = self.step;
        for (level, variant) in step.drill.iter().flat_map(DrillRule::variants) {
            let DrillVariant::Other(other) = variant else { continue };
            let at = self.at(&drill::place(level));
            let subject = self.subject(Place::With, false, other.uses.or(step.uses));
            call::parameters(&other.with, &format!("{at}/with"), subject, self.expressions, self.reporter);
            if let Some(Undo::Use(undo)) = &other.undo {
                let subject = self.subject(Place::With, true, Some(undo.uses));
                let at = format!("{at}/undo/with");
                call::parameters(&undo.with, &at, subject, self.expressions, self.reporter);
            }
        }
    }

    fn checks(&mut self) {
        let step = self.step;
        let subject = self.subject(Place::With, false, step.uses);
        call::parameters(&step.with, &self.at("with"), subject, self.expressions, self.reporter);
        if let Some(Variant::Other(other)) = &step.ungraceful {
            let subject = self.subject(Place::With, false, other.uses.or(step.uses));
            call::parameters(
                &other.with,
                &self.at("ungraceful/with"),
                subject,
                self.expressions,
                self.reporter,
            );
        }
        self.in_drill();
        if let Some(Undo::Use(undo)) = &step.undo {
            let subject = self.subject(Place::With, true, Some(undo.uses));
            call::parameters(&undo.with, &self.at("undo/with"), subject, self.expressions, self.reporter);
        }
        for (key, checks, own) in [("precheck", &step.precheck, false), ("verify", &step.verify, true)] {
            for (at, check) in checks.iter().enumerate() {
                let subject = self.subject(Place::With, own, Some(check.uses));
                let until = self.subject(Place::Until, own, Some(check.uses));
                let pointer = self.at(&format!("{key}/{at}"));
                call::check_check(check, &pointer, subject, until, self.expressions, self.reporter);
            }
        }
    }
}
