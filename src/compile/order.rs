//! The safe order of a recovery: fence before promotion, promotion before traffic. Knows phases and roles,
//! not actions.

use std::collections::BTreeSet;

use super::class::{Class, classes};
use super::diagnostic::Code;
use super::graph::Graph;
use super::lint::fences::{Fences, NoFence};
use super::outline::{Entry, Outline, StepIndex};
use super::reporter::Reporter;
use crate::model::action::meaning::{Aim, Meaning, asks, meaning};
use crate::model::action::{ActionName, Plane, Role};
use crate::model::run::Phase;
use crate::model::runbook::{Runbook, Strategy};

const BOTH_WRITE: &str = "while both sides accept writes, one side's are lost";

/// The steps of a workflow by class, and what each waits for.
struct View<'a, 'o> {
    outline: &'a Outline<'o>,
    graph: &'a Graph,
    judge: &'a Fences<'a>,
    fences: Vec<StepIndex>,
    promotes: Vec<StepIndex>,
    verifies: Vec<StepIndex>,
    shifts: Vec<StepIndex>,
    /// Classes of all steps that are over before a step begins.
    waits_for: Vec<u64>,
}

/// What the order of a runbook is held to.
pub(super) struct Demands {
    strategy: Option<Strategy>,
    /// Whether the author says that there is no data to lose: an objective for the time, and none for data.
    no_data: bool,
}

impl Demands {
    pub(super) fn of(runbook: &Runbook) -> Self {
        let objectives = &runbook.objectives;
        let said = objectives.rto.is_some() && objectives.rpo.is_none();
        let may_be = matches!(runbook.strategy, Some(Strategy::WarmStandby | Strategy::PilotLight));
        let no_data = said && may_be && runbook.recovery_point.is_empty();
        Self { strategy: runbook.strategy, no_data }
    }
}

pub(super) fn check(
    outline: &Outline<'_>,
    graph: &Graph,
    demands: &Demands,
    judge: &Fences<'_>,
    reporter: &mut Reporter<'_>,
) {
    let strategy = demands.strategy;
    let bits: Vec<u64> = (outline.entries.iter())
        .map(|entry| if entry.step.parallel.is_empty() { classes(entry, judge) } else { 0 })
        .collect();
    let of = |wanted: Class| {
        bits.iter().enumerate().filter(|(_, bits)| **bits & wanted.bit() != 0).map(|(at, _)| at).collect()
    };
    let view = View {
        outline,
        graph,
        judge,
        fences: of(Class::Fence),
        promotes: of(Class::Promote),
        verifies: of(Class::Verify),
        shifts: of(Class::Shift),
        waits_for: graph.gathered(&bits),
    };
    // Data that has one primary is moved in the order of one primary, whatever the strategy is called.
    if strategy == Some(Strategy::ActiveActive) && view.promotes.is_empty() {
        view.drain(reporter);
    } else {
        view.promotion(reporter);
        view.enable(reporter);
        view.irreversible(reporter);
    }
    view.shift(reporter);
    view.wrong_side(reporter);
    view.validation(reporter);
    view.reading_phases(reporter);
    if let (Some(strategy), "failover") = (strategy, outline.name) {
        view.phases(strategy, demands.no_data, reporter);
    }
}

impl<'o> View<'_, 'o> {
    fn waits_for(&self, index: StepIndex, class: Class) -> bool {
        self.waits_for.get(index).is_some_and(|bits| bits & class.bit() != 0)
    }

    fn id(&self, index: StepIndex) -> &str {
        self.outline.entries.get(index).map_or("", Entry::id)
    }

    fn entry(&self, index: StepIndex) -> Option<&Entry<'o>> {
        self.outline.entries.get(index)
    }

    fn in_phase(&self, phase: Phase) -> impl Iterator<Item = StepIndex> + '_ {
        self.outline.leaves().filter(move |(_, entry)| entry.phase == Some(phase)).map(|(at, _)| at)
    }

    /// Reports at the step's own phase, or at its id.
    fn report(
        &self,
        code: Code,
        index: StepIndex,
        message: String,
        help: String,
        reporter: &mut Reporter<'_>,
    ) {
        let own = self.entry(index).is_some_and(|entry| entry.step.phase.is_some());
        let pointer = self.outline.pointer(index) + if own { "/phase" } else { "/id" };
        reporter.value(code, &pointer, message).help(help);
    }

    fn promotion(&self, reporter: &mut Reporter<'_>) {
        for index in self.promotes.iter().copied().filter(|index| !self.waits_for(*index, Class::Fence)) {
            let id = self.id(index);
            let message = format!("`{id}` makes data writable without waiting for a fence");
            let help = match self.fences.first() {
                Some(fence) => format!("let it wait for `{}`: {BOTH_WRITE}", self.id(*fence)),
                None => self.no_fence(),
            };
            self.report(Code::PromoteBeforeFence, index, message, help, reporter);
        }
        let fenced = self.promotes.iter().all(|index| self.waits_for(*index, Class::Fence));
        if self.promotes.is_empty() || self.fences.is_empty() || !fenced {
            return;
        }
        let mut marks = vec![false; self.outline.entries.len()];
        self.promotes.iter().for_each(|promote| marks[*promote] = true);
        let leads = self.graph.leads_to(&marks);
        let idle = |index: &StepIndex| leads.get(*index) == Some(&false);
        for index in self.fences.iter().copied().filter(idle) {
            let message = format!("`{}` is a fence, but no promotion waits for it", self.id(index));
            let promote = self.promotes.first().map_or("", |promote| self.id(*promote));
            let help =
                format!("add it to the `needs` of what it protects, such as `{promote}`: {BOTH_WRITE}");
            self.report(Code::PromoteBeforeFence, index, message, help, reporter);
        }
        self.own_fence(&idle, reporter);
    }

    /// A fence and a promotion of the same thing: they read the same value of the two sites.
    fn own_fence(&self, idle: &dyn Fn(&StepIndex) -> bool, reporter: &mut Reporter<'_>) {
        let read = |index: StepIndex, side: &str| {
            self.entry(index).map_or_else(BTreeSet::new, |entry| values_of(&entry.step.with, side))
        };
        let fences = self.fences.iter().copied().filter(|index| !idle(index));
        let fences: Vec<_> = fences.map(|index| (index, read(index, "from."))).collect();
        for promote in self.promotes.iter().copied() {
            let own = read(promote, "to.");
            let of_it =
                fences.iter().filter(|(_, values)| !values.is_disjoint(&own)).map(|(index, _)| *index);
            let pairs: Vec<_> = of_it.map(|fence| (fence, promote)).collect();
            let before = self.graph.is_before(&pairs);
            for ((fence, _), _) in pairs.iter().zip(before).filter(|(_, before)| !before) {
                let (id, fence) = (self.id(promote), self.id(*fence));
                let message =
                    format!("`{id}` makes data writable without waiting for `{fence}`, its own fence");
                let help = format!("add `{fence}` to its `needs`: {BOTH_WRITE}");
                self.report(Code::PromoteBeforeFence, promote, message, help, reporter);
            }
        }
    }

    /// What to do where nothing fences: what looks like a fence is named with what it lacks.
    fn no_fence(&self) -> String {
        let named = self.in_phase(Phase::Fence).find_map(|index| {
            let why = match self.judge.judge(self.entry(index)?).err()? {
                NoFence::StopsNothing => "stops nothing",
                NoFence::Never => "is never performed",
                NoFence::NoItems => "has nothing to work on",
                NoFence::WrongSite(_) => "works on the wrong site",
            };
            Some(format!("`{}` is in phase `fence`, but {why}", self.id(index)))
        });
        let named = named.map_or_else(String::new, |named| format!("; {named}"));
        format!("add a step of phase `fence` before it: {BOTH_WRITE}{named}")
    }

    /// What is aimed at the wrong side: a fence of the target, a start of what was stopped.
    fn wrong_side(&self, reporter: &mut Reporter<'_>) {
        for (index, entry) in self.outline.leaves() {
            let after = matches!(
                entry.phase,
                Some(Phase::Validate | Phase::Commit | Phase::Cleanup | Phase::Reprotect)
            );
            if entry.phase == Some(Phase::Fence)
                && let Err(NoFence::WrongSite(site)) = self.judge.judge(entry)
            {
                let message = format!("`{}` stops `{site}`, which the service moves to", self.id(index));
                let help = "aim it at the site that is left, `from`".to_owned();
                self.report(Code::WrongSiteFenced, index, message, help, reporter);
            } else if !after && let Some(site) = self.judge.revives(entry) {
                let message =
                    format!("`{}` starts something at `{site}`, which the service leaves", self.id(index));
                let help = format!("aim it at the target, or move it behind the recovery: {BOTH_WRITE}");
                self.report(Code::OldSiteStarted, index, message, help, reporter);
            }
        }
    }

    fn shift(&self, reporter: &mut Reporter<'_>) {
        let mut early = BTreeSet::new();
        for (index, promote) in self.graph.missing(&self.promotes, &self.shifts) {
            early.insert(index);
            let (id, promote) = (self.id(index), self.id(promote));
            let message =
                format!("`{id}` moves traffic without waiting for `{promote}`, which makes data writable");
            self.report(
                Code::ShiftBeforePromote,
                index,
                message,
                format!("add `{promote}` to its `needs`"),
                reporter,
            );
        }
        for (index, entry) in self.outline.leaves().filter(|(index, _)| self.shifts.contains(index)) {
            if self.judge.sends_to(entry) == Aim::From {
                let message = format!("`{}` sends users to the site that the service leaves", self.id(index));
                let help = "aim it at the target, `to`".to_owned();
                self.report(Code::UsersSentBack, index, message, help, reporter);
            }
        }
        if self.verifies.is_empty() || self.shifts.is_empty() {
            return;
        }
        let unverified = |index: &StepIndex| !self.waits_for(*index, Class::Verify) && !early.contains(index);
        for index in self.shifts.iter().copied().filter(unverified) {
            let message = format!("`{}` moves traffic without waiting for a verification", self.id(index));
            let verify = self.verifies.first().map_or("", |verify| self.id(*verify));
            self.report(
                Code::ShiftBeforeVerify,
                index,
                message,
                format!("add `{verify}` to its `needs`"),
                reporter,
            );
        }
        let mut marks = vec![false; self.outline.entries.len()];
        self.shifts.iter().for_each(|shift| marks[*shift] = true);
        let leads = self.graph.leads_to(&marks);
        for index in self.verifies.iter().copied().filter(|index| leads.get(*index) == Some(&false)) {
            let message =
                format!("`{}` verifies the new site, but no shift of traffic waits for it", self.id(index));
            let shift = self.shifts.first().map_or("", |shift| self.id(*shift));
            self.report(
                Code::ShiftBeforeVerify,
                index,
                message,
                format!("add it to the `needs` of `{shift}`"),
                reporter,
            );
        }
    }

    fn enable(&self, reporter: &mut Reporter<'_>) {
        let Some(promote) = self.promotes.first() else { return };
        let starts = |(_, entry): &(StepIndex, &Entry<'_>)| {
            let consumes = |action| meaning(action, &entry.step.with) == Meaning::Consumes;
            let later = matches!(entry.phase, Some(Phase::Commit | Phase::Cleanup | Phase::Reprotect));
            entry.phase == Some(Phase::Enable) || (!later && entry.step.uses.is_some_and(consumes))
        };
        let starters = self.outline.leaves().filter(starts).map(|(at, _)| at);
        for index in starters.filter(|index| !self.waits_for(*index, Class::Promote)) {
            let message = format!("`{}` starts consumers without waiting for writable data", self.id(index));
            let help = format!("add `{}` to its `needs`", self.id(*promote));
            self.report(Code::EnableBeforePromote, index, message, help, reporter);
        }
    }

    fn irreversible(&self, reporter: &mut Reporter<'_>) {
        let Some(fence) = self.fences.first() else { return };
        let exempt = |index: &StepIndex| {
            let back = self.outline.name == "failback";
            self.fences.contains(index)
                || self.promotes.contains(index)
                || (back && self.entry(*index).is_some_and(|entry| entry.phase == Some(Phase::Reprotect)))
        };
        let marked = self.outline.leaves().filter(|(_, entry)| entry.is_irreversible()).map(|(at, _)| at);
        for index in marked.filter(|index| !self.waits_for(*index, Class::Fence) && !exempt(index)) {
            let message =
                format!("`{}` cannot be taken back and does not wait for the fence", self.id(index));
            let help = format!("add `{}` to its `needs`", self.id(*fence));
            self.report(Code::IrreversibleBeforeFence, index, message, help, reporter);
        }
    }

    fn drain(&self, reporter: &mut Reporter<'_>) {
        let Some(shift) = self.shifts.first() else { return };
        for index in self.fences.iter().copied().filter(|index| !self.waits_for(*index, Class::Shift)) {
            let message = format!("`{}` fences writers without waiting for the drain", self.id(index));
            let help = format!("add `{}` to its `needs`: users leave first", self.id(*shift));
            self.report(Code::FenceBeforeDrain, index, message, help, reporter);
        }
    }

    fn validation(&self, reporter: &mut Reporter<'_>) {
        let Some(shift) = self.shifts.first() else { return };
        for index in self.in_phase(Phase::Validate).filter(|index| !self.waits_for(*index, Class::Shift)) {
            let message =
                format!("`{}` validates the recovery without waiting for traffic to move", self.id(index));
            let help = format!("add `{}` to its `needs`", self.id(*shift));
            self.report(Code::ValidateBeforeShift, index, message, help, reporter);
        }
    }

    fn reading_phases(&self, reporter: &mut Reporter<'_>) {
        for (index, entry) in self.outline.leaves() {
            let (Some(phase), Some(action)) = (entry.phase, entry.step.uses) else { continue };
            let suspicious = match phase {
                Phase::Assess | Phase::Decide => action != ActionName::ManualTask && !is_harmless(entry),
                // A real transaction writes; scaling, switching or promoting does not belong there.
                Phase::Verify | Phase::Validate => {
                    let spec = action.spec();
                    spec.plane == Plane::Control
                        || entry.is_irreversible()
                        || !matches!(spec.role, Role::Ordinary | Role::Reading)
                }
                _ => false,
            };
            if suspicious && entry.changes() {
                let message =
                    format!("`{}` changes something in phase `{phase}`, which should only look", entry.id());
                self.report(
                    Code::ChangeInReadingPhase,
                    index,
                    message,
                    "give it the phase it belongs to".to_owned(),
                    reporter,
                );
            }
        }
    }

    fn phases(&self, strategy: Strategy, no_data: bool, reporter: &mut Reporter<'_>) {
        let of_data = |phase: &Phase| matches!(phase, Phase::Fence | Phase::Promote | Phase::Restore);
        let stateless =
            no_data && !self.outline.leaves().any(|(_, entry)| entry.phase.as_ref().is_some_and(of_data));
        let grows = |index: &StepIndex| {
            self.entry(*index)
                .and_then(|entry| Some((entry, entry.step.uses?)))
                .is_some_and(|(entry, action)| meaning(action, &entry.step.with) != Meaning::Looks)
        };
        let scaling: Vec<StepIndex> = self.in_phase(Phase::Scale).filter(grows).collect();
        let scales = !scaling.is_empty();
        for (phase, done) in [(Phase::Scale, scales), (Phase::Shift, !self.shifts.is_empty())] {
            let Some(index) = self.in_phase(phase).next().filter(|_| !done) else { continue };
            let message = format!(
                "`{}` is in phase `{phase}`, but only looks, and no other step does it",
                self.id(index)
            );
            let help = "add the step that does it; where it happens by itself, accept this with a reason";
            self.report(Code::MissingPhase, index, message, help.to_owned(), reporter);
            return;
        }
        let needed = [
            // What promotes without a fence is told so itself.
            ("fence", stateless || !self.fences.is_empty() || !self.promotes.is_empty()),
            (
                "promote` or `restore",
                stateless || strategy == Strategy::ActiveActive || !self.promotes.is_empty(),
            ),
            ("shift` or `scale", scales || !self.shifts.is_empty()),
        ];
        let pointer = format!("/workflows/{}", self.outline.name);
        for (phase, _) in needed.iter().filter(|(_, there)| !there) {
            let message = format!("the strategy {strategy} needs a step of phase `{phase}`");
            reporter
                .key(Code::MissingPhase, &pointer, message)
                .help(
                    "add the step, or give an existing one its phase; a service without data has an `rto` among its \
                     objectives and no `rpo`",
                );
        }
        let asks = |index: &StepIndex| self.entry(*index).and_then(|entry| entry.step.uses).is_some_and(asks);
        if !self.in_phase(Phase::Validate).any(|index| asks(&index)) {
            let message = "no step validates the recovery, so no run can have a recovery time";
            reporter
                .key(Code::NoValidation, &pointer, message)
                .help("add a step of phase `validate` with a real transaction");
        }
    }
}

/// The values of a side that parameters read, by their path: `instance` of `{{ to.values.db.instance }}` is
/// `db.instance`.
fn values_of(with: &serde_json::Map<String, serde_json::Value>, side: &str) -> BTreeSet<String> {
    let text = serde_json::to_string(with).unwrap_or_default();
    let start = format!("{side}values.");
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let paths = text.match_indices(&start).filter_map(|(at, _)| {
        let whole = !text.get(..at)?.ends_with(|c: char| is_path(c));
        let rest = text.get(at + start.len()..)?;
        let path = rest.split(|c: char| !is_path(c)).next()?;
        (whole && !path.is_empty()).then(|| path.to_owned())
    });
    paths.collect()
}

/// A program that may be repeated is taken for one that looks.
fn is_harmless(entry: &Entry<'_>) -> bool {
    entry.step.uses == Some(ActionName::CommandRun) && entry.step.with.get("idempotent") == Some(&true.into())
}
