//! `DR03xx`: what each strategy needs beside the safe order. Knows phases, roles and actions, not sites.

use serde_json::Value;

use crate::compile::diagnostic::Code;
use crate::compile::graph::Graph;
use crate::compile::outline::{Entry, Outline, StepIndex};
use crate::compile::reporter::Reporter;
use crate::model::action::meaning::asks;
use crate::model::action::{ActionName, Role};
use crate::model::expression;
use crate::model::run::Phase;
use crate::model::runbook::Strategy;

/// Checks one workflow.
pub(super) fn workflow(
    outline: &Outline<'_>,
    graph: &Graph,
    strategy: Option<Strategy>,
    reporter: &mut Reporter<'_>,
) {
    let view = View { outline, graph };
    view.fixed_backups(reporter);
    view.capacity_first(strategy, reporter);
    match outline.name {
        "failback" => view.rebuilt(reporter),
        _ => {
            if let Some(strategy) = strategy {
                view.demands(strategy, reporter);
            }
        }
    }
}

struct View<'a, 'o> {
    outline: &'a Outline<'o>,
    graph: &'a Graph,
}

impl View<'_, '_> {
    fn leaves(&self) -> impl Iterator<Item = (StepIndex, &Entry<'_>)> {
        self.outline.leaves()
    }

    fn of_phase(&self, phase: Phase) -> Vec<StepIndex> {
        self.leaves().filter(|(_, entry)| entry.phase == Some(phase)).map(|(at, _)| at).collect()
    }

    fn any(&self, wanted: impl Fn(&Entry<'_>) -> bool) -> bool {
        self.leaves().any(|(_, entry)| wanted(entry))
    }

    /// A backup named in the text is the newest one only on the day it was written.
    fn fixed_backups(&self, reporter: &mut Reporter<'_>) {
        for (index, entry) in self.leaves() {
            let key = match entry.step.uses {
                Some(ActionName::AwsBackupRestore) => "recovery_point_arn",
                Some(ActionName::AwsRdsRestoreFromSnapshot) => "snapshot",
                _ => continue,
            };
            let fixed = entry.step.with.get(key).filter(|value| !expression::has_template(value));
            if fixed.and_then(Value::as_str).is_some() {
                let message =
                    format!("`{}` restores one fixed backup, however old it is by then", entry.id());
                let pointer = format!("{}/with/{key}", self.outline.pointer(index));
                reporter.value(Code::FixedBackup, &pointer, message).help(
                    "find the newest one in a step before, such as `aws.backup.find_recovery_point`, and read its output",
                );
            }
        }
    }

    /// Users must not arrive before the capacity for them.
    fn capacity_first(&self, strategy: Option<Strategy>, reporter: &mut Reporter<'_>) {
        if strategy.is_none() {
            return;
        }
        let (scales, shifts) = (self.of_phase(Phase::Scale), self.of_phase(Phase::Shift));
        for (shift, scale) in self.graph.missing(&scales, &shifts) {
            let id = |index: StepIndex| self.outline.entries.get(index).map_or("", Entry::id);
            let message = format!("`{}` moves traffic without waiting for `{}`", id(shift), id(scale));
            reporter
                .value(Code::ShiftBeforeScale, &format!("{}/id", self.outline.pointer(shift)), message)
                .help(format!(
                    "add `{}` to its `needs`: a small standby falls over under all users",
                    id(scale)
                ));
        }
    }

    fn demands(&self, strategy: Strategy, reporter: &mut Reporter<'_>) {
        let has = |phase: Phase| !self.of_phase(phase).is_empty();
        let looks = has(Phase::Assess) || self.any(|entry| !entry.step.precheck.is_empty());
        let room = |entry: &Entry<'_>| {
            matches!(
                entry.step.uses,
                Some(ActionName::AwsCloudwatchCheckAlarms | ActionName::AssertThat | ActionName::CommandRun)
            )
        };
        let restores = |entry: &Entry<'_>| {
            matches!(
                entry.step.uses,
                Some(ActionName::AwsBackupRestore | ActionName::AwsRdsRestoreFromSnapshot)
            )
        };
        let finds = |entry: &Entry<'_>| entry.role() == Role::Reading;
        let verified = |entry: &Entry<'_>| {
            let asks = entry.step.uses.is_some_and(asks);
            (entry.phase == Some(Phase::Verify) && asks) || !entry.step.verify.is_empty()
        };
        let active = strategy == Strategy::ActiveActive;
        let demands = [
            (Code::NothingAssessed, !looks, "nothing looks at the target before it is used"),
            (
                Code::NoRecoveryPoint,
                strategy == Strategy::BackupRestore && self.any(restores) && !self.any(finds),
                "data is restored, but no step looks for the newest usable backup",
            ),
            (
                Code::NothingStarted,
                strategy == Strategy::PilotLight && !has(Phase::Scale),
                "in a pilot light nothing runs, and no step of phase `scale` starts it",
            ),
            (
                Code::NotVerified,
                !active && has(Phase::Shift) && !self.any(verified),
                "traffic moves to a site that no step has verified",
            ),
            (
                Code::NoHeadroom,
                active && !has(Phase::Scale) && !self.any(room),
                "the sites that are left take the lost one's users, and nothing makes or checks room for them",
            ),
            (
                Code::NoDrain,
                active && !has(Phase::Shift),
                "no step of phase `shift` takes the users away from the lost site",
            ),
        ];
        let pointer = format!("/workflows/{}", self.outline.name);
        for (code, wrong, message) in demands {
            if wrong {
                let help = format!("the strategy {strategy} needs it; see `drctl explain {code}`");
                reporter.key(code, &pointer, message).help(help);
            }
        }
    }

    /// The site left behind holds writes that nobody else has: it cannot simply take over again.
    fn rebuilt(&self, reporter: &mut Reporter<'_>) {
        let rebuilds: Vec<bool> = (self.outline.entries.iter())
            .map(|entry| matches!(entry.phase, Some(Phase::Reprotect | Phase::Restore)))
            .collect();
        let bits: Vec<u64> = rebuilds.iter().map(|rebuild| u64::from(*rebuild)).collect();
        let before = self.graph.gathered(&bits);
        for (index, entry) in self.leaves() {
            let promotes = entry.phase == Some(Phase::Promote)
                || (entry.role() == Role::Promote && entry.changes() && rebuilds.get(index) == Some(&false));
            if promotes && before.get(index) == Some(&0) {
                let message = format!(
                    "`{}` makes the old site the primary again, but nothing rebuilt it before",
                    entry.id()
                );
                reporter
                    .value(Code::ReturnNotRebuilt, &format!("{}/id", self.outline.pointer(index)), message)
                    .help("add a step of phase `reprotect` that makes it follow the present primary, and wait for it");
            }
        }
    }
}
