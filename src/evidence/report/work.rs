//! What was done about a step, as rows of a table and bars of a picture: the step itself, and how its effect
//! was taken back. Says of each only what came of that one.

use crate::engine::event::FenceResult;
use crate::evidence::view::StepView;
use crate::model::run::Failure;
use crate::model::time::Timestamp;

/// A step, or its undo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    /// The step.
    pub(super) step: &'a StepView,
    /// Its effect was taken back.
    pub(super) is_undo: bool,
    /// What was called.
    pub(super) action: Option<&'static str>,
    /// What came of it.
    pub(super) status: &'static str,
    /// Tries.
    pub(super) attempts: u32,
    /// When it began.
    pub(super) started_at: Option<Timestamp>,
    /// When it was over.
    pub(super) ended_at: Option<Timestamp>,
    failure: Option<&'a Failure>,
}

/// What was done about steps, in the order of the plan, each before its undo.
pub(super) fn all(steps: &[StepView]) -> Vec<Work<'_>> {
    steps.iter().flat_map(|step| std::iter::once(itself(step)).chain(undo(step))).collect()
}

fn itself(step: &StepView) -> Work<'_> {
    match &step.did {
        None => Work {
            step,
            is_undo: false,
            action: step.action,
            status: step.status,
            attempts: step.attempts,
            started_at: step.started_at,
            ended_at: step.ended_at,
            failure: step.failure.as_ref(),
        },
        Some(did) => Work {
            step,
            is_undo: false,
            action: step.action,
            status: did.status,
            attempts: did.attempts,
            started_at: did.started_at,
            ended_at: did.ended_at,
            failure: did.failure.as_ref(),
        },
    }
}

fn undo(step: &StepView) -> Option<Work<'_>> {
    let did = step.did.as_ref()?;
    Some(Work {
        step,
        is_undo: true,
        action: did.undone_by,
        status: step.status,
        attempts: step.attempts.saturating_sub(did.attempts),
        started_at: step.started_at,
        ended_at: step.ended_at,
        // Until the undo fails itself, the last failure is that of the step.
        failure: step.failure.as_ref().filter(|failure| Some(*failure) != did.failure.as_ref()),
    })
}

impl Work<'_> {
    /// What stands behind the name of the step.
    pub(super) const fn suffix(&self) -> &'static str {
        if self.is_undo { " (undo)" } else { "" }
    }

    /// How long it took, in words; empty where it is not over.
    pub(super) fn took(&self) -> String {
        match (self.started_at, self.ended_at) {
            (Some(start), Some(end)) => end.since(start).to_string(),
            _ => String::new(),
        }
    }

    /// What there is to say about it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.failure.iter().map(ToString::to_string).collect();
        if self.is_undo {
            return notes;
        }
        let step = self.step;
        match &step.fence {
            Some(FenceResult::Confirmed) => notes.push("fence confirmed".to_owned()),
            Some(FenceResult::Unconfirmed(why)) => notes.push(format!("fence NOT confirmed: {why}")),
            None => {}
        }
        let marks = [(step.adopted, "was already true"), (step.overridden, "safety overridden")];
        notes.extend(marks.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()));
        notes
    }

    /// The class of its colour.
    pub(super) fn colour(&self) -> &'static str {
        match self.status {
            "succeeded" if self.attempts > 1 => "again",
            "succeeded" => "done",
            "marked_done" | "skipped" => "hand",
            "failed" | "undo_failed" | "timed_out" | "failed_ignored" => "bad",
            "undone" | "cancelled" => "back",
            _ => "open",
        }
    }
}
