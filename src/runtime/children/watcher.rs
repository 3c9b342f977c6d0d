//! Tells the parent what becomes of a child, and says what is still to be asked of the child.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::super::clock::Time;
use super::super::driver::{Follower, Recorded};
use super::super::task::Report;
use super::outcome::described;
use super::{ChildTask, Desire};
use crate::engine::event::{ChildRun, Want};
use crate::engine::input::{AttemptKey, Control, Input, Request};
use crate::engine::{IndexedPlan, RunState};
use crate::model::id::RunId;
use crate::model::run::Mode;
use crate::plan::NodeIndex;

/// Tells the parent what becomes of a child.
pub(super) struct Watcher<'a> {
    task: &'a ChildTask,
    attempt: AttemptKey,
    seen: Mutex<Seen>,
}

struct Seen {
    /// What the parent knows.
    told: Option<ChildRun>,
    /// The parent knows how to find the child.
    found: bool,
    leaves: bool,
    settled: u32,
    want: Want,
    mode: Option<Mode>,
    /// Requests the child has answered.
    answered: BTreeSet<String>,
}

impl<'a> Watcher<'a> {
    pub(super) fn new(task: &'a ChildTask, attempt: AttemptKey, found: bool) -> Self {
        let answered = BTreeSet::new();
        let seen =
            Seen { told: None, found, leaves: false, settled: 0, want: Want::Run, mode: None, answered };
        Self { task, attempt, seen: Mutex::new(seen) }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn leave(&self) {
        self.seen().leaves = true;
    }

    pub(super) fn forget(&self) {
        self.seen().told = None;
    }

    pub(super) fn keep(&self, state: &RunState) {
        let mut seen = self.seen();
        (seen.want, seen.mode) = (state.want, Some(state.mode));
        if seen.answered.len() != state.answered.len() {
            seen.answered.clone_from(&state.answered);
        }
    }

    /// Tells the parent, where it is news to it.
    pub(super) fn tell(&self, child: ChildRun) {
        let mut seen = self.seen();
        let reports = &self.task.landing.reports;
        let attempt = self.attempt;
        if !seen.found {
            seen.found = true;
            let handle = json!({"run": child.run});
            reports.send(Report::Input(Input::HandleReturned { attempt, handle }));
        }
        let is_news = seen.told.as_ref().is_none_or(|told| {
            let waits = child.waits && (told.status, &told.cause) != (child.status, &child.cause);
            waits || (told.waits, told.trouble) != (child.waits, child.trouble)
        });
        if is_news && !child.status.is_terminal() {
            seen.told = Some(child.clone());
            reports.send(Report::Input(Input::ChildReported { attempt, child }));
        }
    }

    /// What is to be asked of the child. Ids are made of the parent's change, so that each is asked once.
    pub(super) fn requests(&self, parent: &RunId, desire: &Desire) -> Vec<Request> {
        let seen = self.seen();
        let id = |number: u32| format!("{parent}/{number}");
        let control = match desire.want {
            Want::Run => {
                // Who paused a member alone resumes it alone.
                let paused = desire.number.checked_sub(1).map(id);
                paused.filter(|id| seen.answered.contains(id)).map(|_| Control::Resume)
            }
            Want::Pause => (seen.want == Want::Run).then_some(Control::Pause),
            Want::Abort | Want::Fail | Want::CleanUp => Some(Control::Abort),
            Want::Unwind => Some(Control::Unwind),
        };
        let mode = (desire.mode == Mode::Ungraceful && seen.mode == Some(Mode::Graceful))
            .then_some((format!("{parent}/mode"), Control::Mode(Mode::Ungraceful)));
        let wanted = control.map(|control| (id(desire.number), control)).into_iter().chain(mode);
        let fresh = wanted.filter(|(id, _)| !seen.answered.contains(id));
        let reason = desire.reason.clone().unwrap_or_else(|| format!("asked of {parent}"));
        fresh
            .map(|(id, control)| Request {
                id,
                by: desire.by.clone(),
                from: format!("run {parent}"),
                reason: Some(reason.clone()),
                control,
            })
            .collect()
    }
}

impl Follower for Watcher<'_> {
    fn recorded(&self, plan: &IndexedPlan, state: &RunState, _: &[Recorded]) {
        self.keep(state);
        let mut seen = self.seen();
        // With virtual time nobody could read it.
        if seen.settled != state.settled && matches!(self.task.children.runtime.time, Time::System(_)) {
            seen.settled = state.settled;
            let (run, all) = (&state.created.run, plan.plan.nodes.len());
            let line = format!("{run}: {} of {all} steps", state.settled);
            self.task.landing.reports.send(Report::Progress(self.attempt.node, line));
        }
    }

    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}

    fn stands(&self, _: &IndexedPlan, state: &RunState, waits: bool) {
        // One that has yet to hear what is wanted of its parent does not wait for a person.
        let children = &self.task.children;
        let unheard = waits && {
            let desire = children.desire.borrow().clone();
            !self.requests(&children.parent.run, &desire).is_empty()
        };
        self.tell(described(state, waits && !unheard));
    }

    fn wants_to_leave(&self) -> bool {
        self.seen().leaves
    }
}
