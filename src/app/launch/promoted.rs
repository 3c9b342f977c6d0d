//! Drills that were told to make way for a real run which was never recorded: whoever began it was lost in
//! between. The next real start goes on from them as that one would have. Changes nothing.

use super::interrupt::Open;
use crate::app::{Error, Session};
use crate::engine::is_handed_over;
use crate::model::id::{RunId, ServiceName};
use crate::model::run::{Intent, RunStatus};
use crate::ports::{RunFilter, RunSummary};
use crate::runtime::{self, Loaded};

/// Newest runs of a service that are looked at.
const RUNS: usize = 50;

/// The drills of a service that were made real and that no real run has gone on from since, the newest first.
///
/// # Errors
/// When the journal cannot be read.
pub(super) async fn without_run(session: &Session, service: &ServiceName) -> Result<Vec<Open>, Error> {
    let filter = RunFilter { service: Some(service.clone()), limit: RUNS, ..RunFilter::default() };
    let mut found = Vec::new();
    for line in session.journal.runs(&filter).await? {
        match line.intent {
            Intent::Check | Intent::Simulate => {}
            Intent::Drill if !may_be_made_real(line.status) => {}
            Intent::Drill => {
                if let Some(loaded) = loaded(session, &line).await?
                    && is_handed_over(&loaded.plan, &loaded.state)
                {
                    found.push(Open { run: line.run, loaded });
                }
            }
            Intent::Real if has_begun(session, &line).await? => break,
            Intent::Real => {}
        }
    }
    Ok(found)
}

/// The real run that has gone on from a drill that was made real; `None`: none has.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn gone_on(
    session: &Session,
    drill: &RunId,
    service: &ServiceName,
) -> Result<Option<RunSummary>, Error> {
    let filter = RunFilter { service: Some(service.clone()), ..RunFilter::default() };
    let mut first = None;
    for line in session.journal.runs(&filter).await? {
        if line.run == *drill {
            break;
        }
        if line.intent == Intent::Real && has_begun(session, &line).await? {
            // The first that began after the drill has met it.
            first = Some(line);
        }
    }
    Ok(first)
}

/// A drill that is made real ends as aborted, or with something left behind.
pub(crate) const fn may_be_made_real(status: RunStatus) -> bool {
    matches!(status, RunStatus::Aborted | RunStatus::CleaningUp | RunStatus::CleanupIncomplete)
}

/// Says whether a real run has done anything: one that only waited for its start has gone on from nothing.
async fn has_begun(session: &Session, line: &RunSummary) -> Result<bool, Error> {
    match may_have_begun(line.status) {
        Some(begun) => Ok(begun),
        None => Ok(is_begun(loaded(session, line).await?.as_ref())),
    }
}

/// Says by its status alone whether a real run has begun; `None`: only the run itself can tell.
pub(crate) fn may_have_begun(status: RunStatus) -> Option<bool> {
    let unclear = matches!(status, RunStatus::Expired | RunStatus::Aborted);
    (!unclear).then_some(status != RunStatus::Staged)
}

/// Says whether a run that is over had begun; one whose facts were pruned counts as begun.
pub(crate) fn is_begun(loaded: Option<&Loaded>) -> bool {
    loaded.is_none_or(|loaded| loaded.state.clock.started_at.is_some())
}

/// A run; `None`: what it did was pruned.
async fn loaded(session: &Session, line: &RunSummary) -> Result<Option<Loaded>, Error> {
    match runtime::load(session.journal.as_ref(), &line.run).await {
        Ok(loaded) => Ok(Some(loaded)),
        Err(runtime::Error::Pruned { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
