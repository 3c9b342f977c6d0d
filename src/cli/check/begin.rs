//! Makes the run that makes the checks of one service. Never drives it.

use std::collections::BTreeMap;

use super::Arguments;
use crate::app::launch::estate::simulated_runtime;
use crate::app::launch::source::{self, Source};
use crate::app::launch::unfilled;
use crate::app::{self, RandomIds};
use crate::cli::session::Session;
use crate::cli::{Error, exit};
use crate::engine::input;
use crate::plan::{Nested, Plan};
use crate::ports::{Clock, IdSource};
use crate::runtime::{Driver, NewRun, Runtime, SystemClock};

/// The run that makes the checks, which has not begun.
pub(super) async fn created(
    session: &Session,
    arguments: &Arguments,
    source: &Source,
    plan: Plan,
    sensitive: BTreeMap<String, serde_json::Value>,
) -> Result<Driver, Error> {
    if !arguments.simulate {
        unfilled::refuse(&plan, &Nested::new())?;
    }
    let mut new = NewRun {
        runbook: source.text.clone(),
        reason: None,
        started_by: session.identity.clone(),
        trigger: "cli".to_owned(),
        incident_at: None,
        detected_at: None,
        consents: input::Consents::default(),
        adopt: false,
        staged_for: None,
        idempotency_key: None,
        service_head: None,
        sensitive,
        notes: BTreeMap::from([("command".to_owned(), "check".to_owned())]),
    };
    let runtime = runtime(session, arguments, &plan, &mut new)?;
    Ok(runtime.create(plan, new).await?)
}

fn runtime(
    session: &Session,
    arguments: &Arguments,
    plan: &Plan,
    new: &mut NewRun,
) -> Result<Runtime, Error> {
    if !arguments.simulate {
        return app::real_runtime(&session.config, session.journal.clone())
            .map_err(|error| Error::new(exit::BUG, error.to_string()));
    }
    let estate = format!("{}-check-{}", plan.runbook.name, RandomIds.suffix());
    new.notes.insert("estate".to_owned(), estate);
    if let Some(path) = &arguments.scenario {
        new.notes.insert("scenario".to_owned(), source::read(path)?);
    }
    simulated_runtime(session, plan, &new.notes, SystemClock::real().now())
}
