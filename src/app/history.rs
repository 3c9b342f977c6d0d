//! The recorded runs of a service that exercise something, as coverage counts them. Writes nothing.

use crate::evidence::coverage::Past;
use crate::evidence::exercises;
use crate::model::id::ServiceName;
use crate::model::run::RunStatus;
use crate::model::time::Timestamp;
use crate::ports::{Journal, RunFilter};
use crate::runtime::{self, Error, Loaded};

/// Most runs that are loaded to say what was exercised.
pub const LOADED: usize = 1_000;

/// Runs that were loaded.
#[derive(Debug, Default)]
pub struct History {
    /// The runs, newest first.
    pub runs: Vec<Loaded>,
    /// How many more there were that were pruned from the journal.
    pub pruned: usize,
    /// How many more there are that were not loaded, older than those that were.
    pub left_out: usize,
}

impl History {
    /// The runs as coverage takes them.
    #[must_use]
    pub fn past(&self) -> Vec<Past<'_>> {
        self.runs.iter().map(|loaded| Past { plan: &loaded.plan, state: &loaded.state }).collect()
    }
}

/// Loads the real runs and drills of a service that were not over before a time: the newest, at most
/// [`LOADED`].
///
/// # Errors
/// When the journal cannot be read, or one of the runs is damaged.
pub async fn history(
    journal: &dyn Journal,
    service: &ServiceName,
    since: Timestamp,
) -> Result<History, Error> {
    newest(journal, service, since, LOADED).await
}

/// As [`history`], at most so many.
///
/// # Errors
/// As [`history`].
pub async fn newest(
    journal: &dyn Journal,
    service: &ServiceName,
    since: Timestamp,
    most: usize,
) -> Result<History, Error> {
    let filter = RunFilter { service: Some(service.clone()), ..RunFilter::default() };
    let runs = journal.runs(&filter).await?;
    // What expired has never begun.
    let wanted = runs.iter().filter(|run| {
        let over_before = run.ended_at.is_some_and(|ended| ended < since);
        exercises(run.intent) && run.status != RunStatus::Expired && !over_before
    });
    let mut history = History::default();
    for summary in wanted {
        if history.runs.len() >= most {
            history.left_out += 1;
            continue;
        }
        match runtime::load(journal, &summary.run).await {
            Ok(loaded) => history.runs.push(loaded),
            Err(Error::Pruned { .. }) => history.pruned += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(history)
}
