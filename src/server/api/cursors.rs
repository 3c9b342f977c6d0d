//! Where a page or a stream goes on. What no page before can have given is refused: an empty answer to it
//! would look like the end.

use axum::http::{HeaderMap, StatusCode};

use crate::model::id::RunId;
use crate::ports::{Journal, RunSummary, StreamName};
use crate::server::problem::Problem;

/// The header by which a stream is gone on with.
const LAST_EVENT_ID: &str = "last-event-id";

/// Where a stream is gone on with, by the request for it.
///
/// # Errors
/// When what it gives is no id of an event.
pub(super) fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(given) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let id = given.to_str().ok().and_then(|id| id.trim().parse().ok());
    id.map(Some).ok_or_else(|| {
        refused("Last-Event-ID is no id of an event")
            .help("give the `id` of the last event as it came, a number; without the header the stream begins with the first")
    })
}

/// Refuses to go on behind a record that is not there: it is of another run or journal, or the journal was
/// set back. `stream`: absent for all streams, whose records are counted together.
///
/// # Errors
/// When there is none, or the journal cannot be read.
pub(super) async fn is_there(
    journal: &dyn Journal,
    stream: Option<&StreamName>,
    after: u64,
) -> Result<(), Problem> {
    let Some(before) = after.checked_sub(1) else { return Ok(()) };
    // Neither sequences nor positions have gaps.
    let found = match stream {
        Some(stream) => journal.read(stream, before, 1).await?,
        None => journal.read_after(before, 1).await?,
    };
    if !found.is_empty() {
        return Ok(());
    }
    let (what, of) = match stream {
        Some(stream) => ("event", stream.as_str()),
        None => ("record", "this journal"),
    };
    Err(refused(format!("there is no {what} {after} of {of} to go on after"))
        .help("it is of another run or journal, or this one was set back: begin again without it, and read what there is"))
}

/// How many of the runs that are listed come no later than a cursor. A run that is not listed any more,
/// because it has ended since, still has its place.
///
/// # Errors
/// When there is no such run, or the journal cannot be read.
pub(super) async fn passed(
    journal: &dyn Journal,
    runs: &[RunSummary],
    cursor: &RunId,
) -> Result<usize, Problem> {
    if let Some(at) = runs.iter().position(|run| run.run == *cursor) {
        return Ok(at + 1);
    }
    let known = journal.summary(cursor).await?.ok_or_else(|| {
        refused(format!("there is no run {cursor} to go on after"))
            .help("give `next` of the page before as it is, or leave `cursor` out: the first page begins with the newest")
    })?;
    let place = |run: &RunSummary| (run.created_at, run.run.clone());
    let behind = place(&known);
    Ok(runs.iter().take_while(|run| place(run) > behind).count())
}

/// Refuses to pass over more than there is.
///
/// # Errors
/// When that is asked for.
pub(super) fn is_within(after: usize, all: usize) -> Result<(), Problem> {
    if after <= all {
        return Ok(());
    }
    Err(refused(format!("there are {all} texts, not {after}"))
        .help("what is in the folders has changed since the page before: begin again with `after=0`"))
}

fn refused(what: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", what)
}
