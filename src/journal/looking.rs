//! Finds runs that nobody drives by looking at each: for journals that keep no list of who drives what. Never
//! takes a lease.

use crate::ports::{Journal, JournalError, Lease, RunFilter, RunSummary};

/// As [`Journal::undriven`].
///
/// # Errors
/// When the journal cannot be read.
pub(super) async fn undriven(journal: &dyn Journal, limit: usize) -> Result<Vec<RunSummary>, JournalError> {
    let filter = RunFilter { open: true, ..RunFilter::default() };
    without(journal, &filter, limit, |lease| lease.alive).await
}

/// As [`Journal::free`].
///
/// # Errors
/// When the journal cannot be read.
pub(super) async fn free(journal: &dyn Journal, limit: usize) -> Result<Vec<RunSummary>, JournalError> {
    let filter = RunFilter { open: true, outermost: true, simulated: true, ..RunFilter::default() };
    without(journal, &filter, limit, |lease| lease.alive && lease.holder.is_some()).await
}

/// Runs without a lease of which something is so, oldest first.
async fn without(
    journal: &dyn Journal,
    filter: &RunFilter,
    limit: usize,
    is_driven: impl Fn(&Lease) -> bool,
) -> Result<Vec<RunSummary>, JournalError> {
    let mut found = Vec::new();
    for run in journal.runs(filter).await?.into_iter().rev() {
        if found.len() >= limit {
            break;
        }
        if !journal.lease(&run.run).await?.as_ref().is_some_and(&is_driven) {
            found.push(run);
        }
    }
    Ok(found)
}

/// What a journal of one machine says of nodes: there are no others to tell, and no list of them is kept.
macro_rules! alone {
    () => {
        fn undriven(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
            Box::pin($crate::journal::looking::undriven(self, limit))
        }

        fn free(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
            Box::pin($crate::journal::looking::free(self, limit))
        }

        fn announce<'a>(
            &'a self,
            _: &'a $crate::ports::NodeFacts,
        ) -> BoxFuture<'a, Result<(), JournalError>> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn withdraw(&self) -> BoxFuture<'_, Result<(), JournalError>> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn nodes(&self) -> BoxFuture<'_, Result<Vec<$crate::ports::Node>, JournalError>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }

        fn takeovers(&self, _: usize) -> BoxFuture<'_, Result<Vec<$crate::ports::Takeover>, JournalError>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }
    };
}

pub(super) use alone;
