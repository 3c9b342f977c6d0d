//! What to do when following a run came to an end because its journal did.

use crate::cli::Error;
use crate::cli::session::Session;
use crate::model::id::RunId;
use crate::runtime;

/// Says how to go on when the journal could not be written in the middle of a run.
pub(super) async fn with_way_on(session: &Session, run: &RunId, error: Error) -> Error {
    if error.reason != Some("journal_unavailable") {
        return error;
    }
    let exists = runtime::load(session.journal.as_ref(), run).await.is_ok();
    error.help(if exists {
        format!(
            "programs under way go on, nothing else was started; when the journal can be written again, \
             `drctl resume {run}` goes on from the last fact in it"
        )
    } else {
        "the run was not recorded and nothing was started: run the command again when the journal can be written"
            .to_owned()
    })
}
