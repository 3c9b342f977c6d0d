//! What to do when following a run came to an end because its journal did.

use crate::cli::Error;
use crate::cli::session::Session;
use crate::model::id::RunId;

/// Says how to go on when the journal could not be written in the middle of a run.
pub(super) async fn with_way_on(session: &Session, run: &RunId, error: Error) -> Error {
    if error.reason != Some("journal_unavailable") {
        return error;
    }
    let go_on = format!("`drctl resume {run}` goes on from the last fact in it");
    error.help(match session.journal.summary(run).await {
        Ok(Some(_)) => format!(
            "programs under way go on, nothing else was started; when the journal can be written again, {go_on}"
        ),
        Ok(None) => "the run was not recorded and nothing was started: run the command again when the journal \
                     can be written"
            .to_owned(),
        // Its silence says nothing about the run.
        Err(_) => format!(
            "programs under way go on, nothing else was started; when the journal can be reached again, {go_on} \
             (where it knows no such run, nothing was started)"
        ),
    })
}
