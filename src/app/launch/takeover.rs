//! Goes on with a run that nobody drives, on the runtime it was started with.

use std::collections::BTreeMap;

use serde_json::Value;

use super::estate::{credentials_of, real_runtime, simulated_runtime};
use crate::app::{Error, Session, Speed};
use crate::model::id::RunId;
use crate::model::run::Intent;
use crate::ports::JournalError;
use crate::runtime::{self, Driver};

/// Takes a run over on the runtime it was started with. `sensitive`: values that are not stored. A simulated
/// run goes on at `speed`; absent: as before.
///
/// # Errors
/// When somebody else drives it, or it cannot be loaded.
pub(crate) async fn take_over(
    session: &Session,
    run: &RunId,
    sensitive: BTreeMap<String, Value>,
    speed: Option<Speed>,
) -> Result<Driver, Error> {
    let loaded = runtime::load(session.journal.as_ref(), run).await?;
    let created = &loaded.state.created;
    let runtime = if created.intent == Intent::Simulate {
        let mut notes = created.notes.clone();
        notes.extend(speed.map(|speed| ("speed".to_owned(), speed.to_string())));
        simulated_runtime(session, &loaded.plan.plan, &notes, loaded.state.last_at)?
    } else {
        real_runtime(session, credentials_of(&loaded.plan.plan))?
    };
    match runtime.take_over(run, sensitive).await {
        Err(runtime::Error::Journal(error @ JournalError::Held { .. })) => Err(error.into()),
        other => Ok(other?),
    }
}
