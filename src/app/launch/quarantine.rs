//! Keeps a service from going to a site that may hold writes which were never replicated.

use crate::app::{Error, exit};
use crate::engine::service::ServiceRecord;
use crate::plan::{self, Plan};

/// An old primary may hold writes that were never replicated: it must be rebuilt before the service goes
/// there.
///
/// # Errors
/// When it was not.
pub(crate) fn refuse(record: &ServiceRecord, plan: &Plan) -> Result<(), Error> {
    let Some(to) = plan.to.as_ref() else { return Ok(()) };
    let Some(run) = record.quarantined.get(to) else { return Ok(()) };
    if !plan::Protection::of(&plan.nodes).of_target.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        exit::REFUSED,
        format!("{to} is quarantined: run {run} left it, and it was not protected again"),
    )
    .help(format!(
        "rebuild replication towards {to} with a step of phase `reprotect` before the service moves, or say that it was done by hand: \
             drctl service set {} --reprotected {to}",
        plan.runbook.name
    ))
    .reason("quarantined"))
}
