//! `DR05xx` and `DR06xx`: steps that make a bad day worse, or a drill dangerous. Looks at one step at a time.

use serde_json::Value;

use super::fences::Fences;
use crate::compile::diagnostic::Code;
use crate::compile::outline::{Entry, Outline, StepIndex};
use crate::compile::reporter::Reporter;
use crate::model::action::{ActionName, Role};
use crate::model::drill::DrillVariant;
use crate::model::policy::{OnFailure, Reversibility};
use crate::model::run::Phase;
use crate::model::runbook::{DrillLevel, Runbook};
use crate::model::step::Undo;

/// Checks the steps of one workflow.
pub(super) fn workflow(
    runbook: &Runbook,
    outline: &Outline<'_>,
    judge: &Fences<'_>,
    reporter: &mut Reporter<'_>,
) {
    let live = runbook.drill.as_ref().is_some_and(|drill| drill.level == DrillLevel::Live);
    for (index, entry) in outline.leaves() {
        let Some(action) = entry.step.uses else { continue };
        let look = Look { entry, action, judge, pointer: outline.pointer(index) };
        look.ignored(outline, index, reporter);
        look.undo(reporter);
        look.parameters(reporter);
        // Only a live drill comes back by the failback.
        let drilled = outline.name == "failover" || runbook.drill.is_none();
        if !live && drilled {
            look.drill(outline, index, reporter);
        }
    }
}

struct Look<'a, 'o> {
    entry: &'a Entry<'o>,
    action: ActionName,
    judge: &'a Fences<'a>,
    pointer: String,
}

impl Look<'_, '_> {
    fn fences(&self) -> bool {
        self.entry.phase == Some(Phase::Fence) || self.entry.role() == Role::Fence
    }

    /// What the next phase relies on must not fail unseen.
    fn ignored(&self, outline: &Outline<'_>, index: StepIndex, reporter: &mut Reporter<'_>) {
        let relied_on = self.fences()
            || self.entry.role() == Role::Shift
            || matches!(
                self.entry.phase,
                Some(Phase::Promote | Phase::Restore | Phase::Verify | Phase::Shift)
            )
            || (self.entry.phase == Some(Phase::Scale) && self.judge.revives(self.entry).is_none());
        let after = matches!(self.entry.phase, Some(Phase::Commit | Phase::Cleanup | Phase::Reprotect));
        let relied_on = relied_on && !after;
        let around = outline.chain(index).skip(1).find(|entry| entry.step.on_failure.is_some());
        let failure = self.entry.step.on_failure.or(around.and_then(|entry| entry.step.on_failure));
        if relied_on && failure == Some(OnFailure::Continue) {
            let id = self.entry.id();
            let message = format!("the run relies on `{id}`, but its failure would be ignored");
            let key = if self.entry.step.on_failure.is_some() { "on_failure" } else { "id" };
            reporter.value(Code::FailureIgnored, &format!("{}/{key}", self.pointer), message).help(
                "leave out `on_failure: continue`; a fence that stays unconfirmed is accepted at the gate",
            );
        }
    }

    fn undo(&self, reporter: &mut Reporter<'_>) {
        let (step, id) = (self.entry.step, self.entry.id());
        if let Some(Undo::Use(undo)) = &step.undo
            && undo.uses.spec().reversibility == Reversibility::Irreversible
        {
            let message = format!("taking `{id}` back by {} could itself not be taken back", undo.uses);
            reporter
                .value(Code::UndoIrreversible, &format!("{}/undo/uses", self.pointer), message)
                .help("leave `undo` out, and let a person decide");
        }
        if !self.entry.changes() {
            return;
        }
        if self.entry.is_irreversible() && step.on_failure == Some(OnFailure::Unwind) {
            let message =
                format!("when `{id}` fails it may have happened all the same, and cannot be taken back");
            reporter
                .value(Code::UnwindBeyondReturn, &format!("{}/on_failure", self.pointer), message)
                .help("let it pause: a person decides between going on and a failback");
        }
        let stops = self.fences() || self.entry.phase == Some(Phase::Freeze);
        let nothing_left = matches!(self.action, ActionName::ManualTask | ActionName::NotifySend);
        if stops && step.undo.is_none() && !self.entry.is_irreversible() && !nothing_left && !self.is_a_mark()
        {
            let message =
                format!("`{id}` stops something, and nothing starts it again when the run is unwound");
            reporter
                .value(Code::StopWithoutUndo, &format!("{}/uses", self.pointer), message)
                .help("add `undo: auto`, or the action that makes up for it");
        }
    }

    /// A last heartbeat changes a row and stops nothing.
    fn is_a_mark(&self) -> bool {
        matches!(self.action, ActionName::PostgresHeartbeat | ActionName::PostgresQuery)
    }

    fn parameters(&self, reporter: &mut Reporter<'_>) {
        let with = &self.entry.step.with;
        let at = |key: &str| {
            let key = if with.contains_key(key) { format!("with/{key}") } else { "uses".to_owned() };
            format!("{}/{key}", self.pointer)
        };
        let text = |key: &str| with.get(key).and_then(Value::as_str);
        let id = self.entry.id();
        let (code, key, message, help) = match self.action {
            ActionName::PostgresFence if text("method") == Some("read_only") => (
                Code::AdvisoryFence,
                "method",
                format!("`{id}` is a fence that any client can undo"),
                "stop the server, or cut its address; where neither is possible, accept it with a reason",
            ),
            ActionName::AwsRdsFence
                if text("method") == Some("quarantine")
                    && matches!(with.get("end_connections"), None | Some(Value::Bool(false))) =>
            {
                (
                    Code::ConnectionsOutlive,
                    "end_connections",
                    format!("connections that are open outlive the quarantine of `{id}` and go on writing"),
                    "add `end_connections: true`",
                )
            }
            ActionName::AwsRdsPromoteReadReplica
                if with.get("backup_retention_days").and_then(Value::as_u64) == Some(0) =>
            {
                (
                    Code::NoBackupsAfterwards,
                    "backup_retention_days",
                    format!("the database that `{id}` promotes has no backups"),
                    "keep them for a few days at least; the next disaster may be a wrong statement",
                )
            }
            _ => return,
        };
        reporter.value(code, &at(key), message).help(help);
    }

    /// A drill that fences or moves users is an outage.
    fn drill(&self, outline: &Outline<'_>, index: StepIndex, reporter: &mut Reporter<'_>) {
        let moves = self.entry.phase == Some(Phase::Shift) || self.entry.role() == Role::Shift;
        let said = outline.chain(index).find_map(|entry| Some((entry, entry.step.drill.as_ref()?)));
        if !self.entry.changes() || !(self.fences() || moves) {
            return;
        }
        let isolated = said.and_then(|(entry, rule)| Some((entry, rule.at(DrillLevel::Isolated)?)));
        if let Some((entry, DrillVariant::Run)) = isolated {
            let own = entry.id() == self.entry.id();
            let key = if own { "drill" } else { "id" };
            let what = if moves { "moves users" } else { "stops the service" };
            let message = format!("`{}` {what} in every drill", self.entry.id());
            reporter
                .value(Code::DrillTouchesUsers, &format!("{}/{key}", self.pointer), message)
                .help("use `drill: skip`, or another action on something made for drills");
        }
    }
}
