//! Exit codes: documented constants, the same for every command.

use crate::engine::RunState;
use crate::engine::state::IndexedPlan;
use crate::evidence::verdict;
use crate::model::run::{RunStatus, Verdict};

/// All done.
pub const SUCCESS: u8 = 0;
/// A bug in drctl.
pub const BUG: u8 = 1;
/// The command line cannot be understood.
pub const USAGE: u8 = 2;
/// The runbook or the plan is invalid.
pub const INVALID: u8 = 3;
/// The run failed, was aborted or expired.
pub const FAILED: u8 = 4;
/// The run was unwound.
pub const UNWOUND: u8 = 5;
/// A person is needed.
pub const NEEDS_PERSON: u8 = 6;
/// Refused by policy, role, lint, guard or state: not ready, already active, a key that is not trusted.
pub const REFUSED: u8 = 7;
/// Another process or run holds the lease or the lock.
pub const HELD: u8 = 8;
/// Succeeded, but an objective was missed.
pub const OBJECTIVE_MISSED: u8 = 9;
/// A provider or the journal cannot be reached.
pub const UNREACHABLE: u8 = 10;
/// Journal or evidence damaged.
pub const DAMAGED: u8 = 12;

/// Code of a command that followed a run to where it stands now.
#[must_use]
pub fn of_run(plan: &IndexedPlan, state: &RunState) -> u8 {
    of_status(state.status, || verdict(plan, state))
}

/// As [`of_run`], of a run that is known by its status and verdict alone.
#[must_use]
pub fn of_status(status: RunStatus, verdict: impl FnOnce() -> Verdict) -> u8 {
    match status {
        RunStatus::Succeeded | RunStatus::SucceededWithWarnings => match verdict() {
            Verdict::Missed => OBJECTIVE_MISSED,
            Verdict::Met | Verdict::Partial | Verdict::NotMeasured | Verdict::NotValidated => SUCCESS,
        },
        RunStatus::Failed | RunStatus::Aborted | RunStatus::Expired => FAILED,
        RunStatus::Unwound => UNWOUND,
        RunStatus::Staged
        | RunStatus::Paused
        | RunStatus::AwaitingApproval
        | RunStatus::Stuck
        | RunStatus::AwaitingAttestation
        | RunStatus::CleanupIncomplete
        | RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Pausing
        | RunStatus::Unwinding
        | RunStatus::CleaningUp => NEEDS_PERSON,
    }
}

#[cfg(test)]
mod tests {
    /// The numbers are a contract with scripts and schedulers: they never change.
    #[test]
    fn codes_are_what_is_documented() {
        let codes = [
            super::SUCCESS,
            super::BUG,
            super::USAGE,
            super::INVALID,
            super::FAILED,
            super::UNWOUND,
            super::NEEDS_PERSON,
            super::REFUSED,
            super::HELD,
            super::OBJECTIVE_MISSED,
            super::UNREACHABLE,
            super::DAMAGED,
        ];
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]);
    }
}
