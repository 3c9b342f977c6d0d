//! The recorded runs of a service that exercise something, as coverage counts them. Writes nothing.

use crate::evidence::coverage::Past;
use crate::evidence::exercises;
use crate::model::id::ServiceName;
use crate::model::time::Timestamp;
use crate::ports::{Journal, RunFilter};
use crate::runtime::{self, Error, Loaded};

/// Runs that were loaded.
#[derive(Debug, Default)]
pub struct History {
    /// The runs, newest first.
    pub runs: Vec<Loaded>,
    /// How many more there were that were pruned from the journal.
    pub pruned: usize,
}

impl History {
    /// The runs as coverage takes them.
    #[must_use]
    pub fn past(&self) -> Vec<Past<'_>> {
        self.runs.iter().map(|loaded| Past { plan: &loaded.plan, state: &loaded.state }).collect()
    }
}

/// Loads the real runs and drills of a service that were not over before a time.
///
/// # Errors
/// When the journal cannot be read, or one of the runs is damaged.
pub async fn history(
    journal: &dyn Journal,
    service: &ServiceName,
    since: Timestamp,
) -> Result<History, Error> {
    let filter = RunFilter { service: Some(service.clone()), ..RunFilter::default() };
    let runs = journal.runs(&filter).await?;
    let wanted =
        runs.iter().filter(|run| exercises(run.intent) && run.ended_at.is_none_or(|ended| ended >= since));
    let mut history = History::default();
    for summary in wanted {
        match runtime::load(journal, &summary.run).await {
            Ok(loaded) => history.runs.push(loaded),
            Err(Error::Pruned { .. }) => history.pruned += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(history)
}
