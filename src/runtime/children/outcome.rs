//! What the state of a child means for its parent.

use serde_json::{Map, Value};

use super::super::Error;
use crate::engine::event::{ChildRun, Want};
use crate::engine::{IndexedPlan, RunState, clock, ended_as};
use crate::model::run::{Failure, FailureClass, RunStatus};
use crate::ports::JournalError;

pub(super) fn described(state: &RunState, waits: bool) -> ChildRun {
    let by_failure = state.status == RunStatus::Paused && state.want == Want::Run;
    ChildRun {
        run: state.created.run.clone(),
        status: state.status,
        cause: state.cause.clone().filter(|_| state.status.needs_person()),
        waits,
        trouble: state.status == RunStatus::Stuck || by_failure,
    }
}

/// What a child that is over means for its parent.
pub(super) fn outcome(plan: &IndexedPlan, state: &RunState) -> Option<Result<Map<String, Value>, Failure>> {
    if !state.status.is_terminal() {
        return None;
    }
    let run = &state.created.run;
    let succeeded = matches!(state.status, RunStatus::Succeeded | RunStatus::SucceededWithWarnings);
    if !succeeded {
        let why = state.cause.as_deref().map_or_else(String::new, |cause| format!(": {cause}"));
        let message = format!("{}{why}", ended_as(run, state.status));
        return Some(Err(Failure::new(FailureClass::Permanent, message)));
    }
    let mut outputs = Map::new();
    outputs.insert("run".to_owned(), run.as_str().into());
    outputs.insert("status".to_owned(), state.status.as_str().into());
    outputs.insert("verdict".to_owned(), clock::verdict(plan, state).as_str().into());
    let healthy = state.clock.healthy_at.map(|healthy| healthy.since(state.clock_zero()));
    for (name, time) in [
        ("recovery_time_ms", healthy),
        ("rto_ms", plan.plan.objectives.rto),
        ("data_loss_ms", clock::data_loss(plan, state)),
        ("rpo_ms", plan.plan.objectives.rpo),
    ] {
        outputs.extend(time.map(|time| (name.to_owned(), time.as_millis().into())));
    }
    Some(Ok(outputs))
}

pub(super) fn left() -> Failure {
    Failure::new(FailureClass::InDoubt, "left to others before it had ended")
}

pub(super) fn failure_of(error: &Error) -> Failure {
    let class = match error {
        Error::Journal(JournalError::ServiceLocked { .. }) => FailureClass::Refused,
        Error::Journal(JournalError::Conflict { stream, .. }) if stream.as_str().starts_with("service/") => {
            FailureClass::Refused
        }
        Error::Journal(JournalError::Unavailable(_) | JournalError::Lapsed { .. }) => FailureClass::InDoubt,
        Error::Journal(_)
        | Error::Secret(_)
        | Error::NotReady(_)
        | Error::Unusable { .. }
        | Error::Pruned { .. }
        | Error::ParameterMissing(_)
        | Error::ParameterChanged(_)
        | Error::Plan(_) => FailureClass::Permanent,
    };
    Failure::new(class, error.to_string())
}
