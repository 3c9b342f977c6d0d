//! The services a journal knows.

use std::collections::BTreeSet;

use crate::model::id::ServiceName;
use crate::ports::{JournalAdmin, JournalError, RunFilter};

/// How the names of services' streams begin.
const STREAMS: &str = "service/";

/// Services that have a record, or a run that was not simulated.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn names(journal: &dyn JournalAdmin) -> Result<BTreeSet<ServiceName>, JournalError> {
    let runs = journal.runs(&RunFilter::default()).await?;
    let mut names: BTreeSet<_> = runs.into_iter().map(|run| run.service).collect();
    let streams = journal.streams(STREAMS).await?;
    let services = streams.iter().filter_map(|stream| stream.as_str().strip_prefix(STREAMS));
    names.extend(services.filter_map(|name| ServiceName::new(name).ok()));
    Ok(names)
}
