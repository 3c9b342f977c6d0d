//! The real run that a drill is promoted to: the same move, going on from what the drill has done. Never
//! starts one of a drill that has nothing to go on from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::interrupt::DrillFate;
use super::source::{self, Subject};
use super::start::{Asked, started_before};
use super::{Binding, Wanted, promoted};
use crate::app::{Error, Session, exit};
use crate::engine::event::RunCreated;
use crate::engine::input::Consents;
use crate::engine::is_made_real;
use crate::model::id::RunId;
use crate::model::run::{Intent, Mode, RunStatus};
use crate::model::time::Timestamp;
use crate::ports::RunSummary;
use crate::runtime::{self, Loaded};

/// Somebody wants a drill to become the real operation.
#[derive(Debug, Clone)]
pub(crate) struct WantedPromotion {
    /// Why.
    pub reason: String,
    /// Mode of the real run; default: the drill's.
    pub mode: Option<Mode>,
    /// When the incident began.
    pub incident_at: Option<Timestamp>,
    /// What is accepted before the point of no return.
    pub consents: Consents,
    /// Values of sensitive parameters, which are not stored.
    pub values: BTreeMap<String, Value>,
    /// What asked for it.
    pub trigger: String,
    /// The same key promotes once.
    pub idempotency_key: Option<String>,
}

/// What a promotion comes to.
pub(crate) enum Promotion {
    /// This run is wanted.
    Wanted(Box<Wanted>, Subject),
    /// The run that was started with the same key before.
    Before(RunId),
}

/// What is wanted of a drill that is promoted. The runbook is the one the drill was started with, whatever
/// has become of its file.
///
/// # Errors
/// When the run is no drill with real effects that goes on, or the journal cannot be read.
pub(crate) async fn wanted(
    session: &Session,
    drill: &RunId,
    promotion: WantedPromotion,
) -> Result<Promotion, Error> {
    let loaded = runtime::load(session.journal.as_ref(), drill).await?;
    let created = &loaded.state.created;
    let (service, operation) = (created.service.clone(), created.operation);
    // Asked first: after the run of the first request the drill is over.
    let asked = Asked { service, operation, intent: Intent::Real };
    if let Some(run) = started_before(session, promotion.idempotency_key.as_deref(), &asked).await? {
        return Ok(Promotion::Before(run));
    }
    if let Some(refused) = refused(session, drill, &loaded).await? {
        return Err(refused);
    }
    let text = session.journal.blob(&created.runbook).await?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let plan = &loaded.plan.plan;
    // What was accepted for the drill is accepted for what it turns into.
    let accept_lint = source::accepted_before(&created.notes);
    let path = PathBuf::from(plan.runbook.name.as_str());
    let source = source::compiled(&session.config, path, text, Some(&accept_lint), session.voice.as_ref())?;
    let mut values = plan.parameters.clone();
    values.extend(promotion.values);
    let wanted = Wanted {
        operation: plan.operation,
        binding: Binding {
            runbook: plan.runbook.name.to_string(),
            mode: Some(promotion.mode.unwrap_or(plan.mode)),
            from: plan.from.clone(),
            to: plan.to.clone(),
            values,
            accept_lint,
        },
        reason: Some(promotion.reason),
        trigger: promotion.trigger,
        incident_at: promotion.incident_at,
        detected_at: None,
        consents: promotion.consents,
        staged_for: None,
        adopt: true,
        drill: DrillFate::Auto,
        break_glass: false,
        broken_glass: None,
        simulated: None,
        idempotency_key: promotion.idempotency_key,
        notes: BTreeMap::new(),
    };
    Ok(Promotion::Wanted(Box::new(wanted), Subject::One(Box::new(source))))
}

/// Why there is nothing to promote, and what to do instead; `None`: there is.
async fn refused(session: &Session, drill: &RunId, loaded: &Loaded) -> Result<Option<Error>, Error> {
    let (created, status) = (&loaded.state.created, loaded.state.status);
    if loaded.plan.plan.drill.is_none() {
        return Ok(Some(no_drill(drill)));
    }
    let start = format!("`drctl {} {} --reason \"…\"`", created.operation, created.service);
    let over = status.is_terminal() || status == RunStatus::AwaitingAttestation;
    let (what, help) = match created.intent {
        Intent::Drill if !over => return Ok(None),
        Intent::Drill if is_made_real(&loaded.state) => {
            match promoted::gone_on(session, drill, &created.service).await? {
                Some(real) => made_real(drill, &real),
                None => not_gone_on(drill, created),
            }
        }
        Intent::Drill => (
            format!("{drill} is over ({}): nothing of it is left to go on from", words(status)),
            format!("{start} starts the real run"),
        ),
        Intent::Check | Intent::Simulate | Intent::Real => (
            format!("{drill} has changed nothing real ({}): there is nothing to go on from", created.intent),
            format!("{start} starts the real run"),
        ),
    };
    Ok(Some(Error::new(exit::REFUSED, what).help(help).reason("not_promotable")))
}

/// Says that a run is no drill.
pub(crate) fn no_drill(run: &RunId) -> Error {
    Error::new(exit::USAGE, format!("{run} is no drill"))
        .help(format!(
            "nothing was asked of it: `drctl runs show {run}` says what it is and what can be done"
        ))
        .reason("no_drill")
}

/// What is said of a drill that was made real, and that no run has gone on from.
pub(crate) fn not_gone_on(drill: &RunId, created: &RunCreated) -> (String, String) {
    let start = format!("`drctl {} {} --reason \"…\"`", created.operation, created.service);
    (
        format!("{drill} was made real before, and no run has gone on from it yet"),
        format!("{start} goes on from what it was told to keep"),
    )
}

/// What is said of a drill that a real run has gone on from.
pub(crate) fn made_real(drill: &RunId, real: &RunSummary) -> (String, String) {
    let run = &real.run;
    let verb = if real.status.is_terminal() { "show" } else { "watch" };
    (
        format!("{drill} was made real before: {run} has gone on from it, and is {}", words(real.status)),
        format!("nothing was asked of it again: see `drctl runs {verb} {run}`"),
    )
}

fn words(status: RunStatus) -> String {
    status.as_str().replace('_', " ")
}
