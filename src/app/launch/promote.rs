//! The real run that a drill is promoted to: the same move, going on from what the drill has done. Never
//! starts one of a drill that has nothing to go on from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::interrupt::DrillFate;
use super::source::{self, Subject};
use super::start::{Asked, started_before};
use super::{Binding, Wanted};
use crate::app::{Error, Session, exit};
use crate::engine::input::Consents;
use crate::model::id::RunId;
use crate::model::run::{Intent, Mode};
use crate::model::time::Timestamp;
use crate::runtime;

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
    if loaded.plan.plan.drill.is_none() {
        return Err(Error::new(exit::USAGE, format!("{drill} is no drill"))
            .help(format!("`drctl abort {drill}` and `drctl resume {drill}` are for other runs"))
            .reason("no_drill"));
    }
    if created.intent != Intent::Drill || loaded.state.status.is_terminal() {
        let what =
            format!("{drill} has nothing to promote: {} drill, {}", created.intent, loaded.state.status);
        return Err(Error::new(exit::REFUSED, what)
            .help(format!("start the real run: drctl {} {}", created.operation, created.service))
            .reason("not_promotable"));
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
