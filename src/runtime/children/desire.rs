//! What is wanted of a run, as its children are told. Reads it from the state; decides nothing.

use crate::engine::RunState;
use crate::engine::event::Want;
use crate::model::run::{Identity, Mode};

/// What is wanted of a run, for those it began.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::runtime) struct Desire {
    pub(super) want: Want,
    /// How often it has changed.
    pub(super) number: u32,
    pub(super) mode: Mode,
    pub(super) by: Identity,
    pub(super) reason: Option<String>,
}

impl Desire {
    /// What is wanted of a run in this state.
    pub(in crate::runtime) fn of(state: &RunState) -> Self {
        let verb = match state.want {
            Want::Run => "resume",
            Want::Pause => "pause",
            Want::Abort | Want::Fail | Want::CleanUp => "abort",
            Want::Unwind => "unwind",
        };
        let asked = state.interventions.iter().rev().find(|asked| asked.verb == verb);
        Self {
            want: state.want,
            number: state.wants,
            mode: state.mode,
            by: asked.map_or(&state.created.started_by, |asked| &asked.by).clone(),
            reason: state.want_reason.clone(),
        }
    }
}
