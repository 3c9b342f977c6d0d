//! Goes on with a run that nobody drives, on the runtime it was started with.

use std::collections::BTreeMap;

use serde_json::Value;

use super::estate::{credentials_of, real_runtime, simulated_runtime};
use crate::app::{Error, Session, Speed};
use crate::model::id::RunId;
use crate::model::run::Intent;
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
    // First of all: until then nobody drives the run, and what is loaded before may change.
    let token = session.journal.grant(run).await?;
    granted(session, run, token, sensitive, speed).await
}

/// As [`take_over`], under a lease that was granted already; where that fails, it is given back.
///
/// # Errors
/// When it cannot be loaded.
pub(crate) async fn granted(
    session: &Session,
    run: &RunId,
    token: u64,
    sensitive: BTreeMap<String, Value>,
    speed: Option<Speed>,
) -> Result<Driver, Error> {
    let driver = go_on(session, run, token, sensitive, speed).await;
    if driver.is_err() {
        // A lease that nobody drives under would keep everybody else away.
        let _ = session.journal.release(run, token).await;
    }
    driver
}

async fn go_on(
    session: &Session,
    run: &RunId,
    token: u64,
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
    Ok(runtime.go_on(loaded, token, sensitive).await?)
}
