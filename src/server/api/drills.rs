//! Drills: started here, steered and shown like any run.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::post;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::fields::{Reason, object};
use super::runs::{Simulation, Started, accepted, answer, find, settle, subject};
use crate::app;
use crate::app::launch::drill::{self, WantedDrill};
use crate::app::launch::interrupt::Interrupted;
use crate::app::launch::promote::{self, Promotion, WantedPromotion};
use crate::app::launch::source::{self, Subject};
use crate::app::launch::{self, Began, Binding};
use crate::engine::input::Consents;
use crate::model::drill::DrillLevel;
use crate::model::id::SiteName;
use crate::model::run::{Mode, Operation};
use crate::model::time::Timestamp;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, IdempotencyKey, Path};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::POST, "/api/v1/drills", "start_drill", "Starts a drill.", post(start))
            .right_for_service(Right::Operate)
            .keyed()
            .body::<Start>()
            .answers::<Started>(StatusCode::CREATED, "A new drill.")
            .answers::<Started>(StatusCode::OK, "The drill that was started with the same key."),
        Endpoint::new(
            Method::POST,
            "/api/v1/drills/{run}/promote",
            "promote_drill",
            "Makes the real operation of a drill: it goes on from what the drill has done.",
            post(promoted),
        )
        .right_for_service(Right::Operate)
        .keyed()
        .body::<Promote>()
        .answers::<Started>(StatusCode::CREATED, "A new run, and the drill is told to end.")
        .answers::<Started>(StatusCode::OK, "The run that was started with the same key."),
    ]
}

/// A drill that is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Start {
    /// Name of a service, or of a file in the configured folders without its ending.
    runbook: String,
    /// check, simulate, isolated or live; default: as the runbook says, else simulate.
    #[serde(default)]
    level: Option<DrillLevel>,
    /// failover or switchover; default: as the runbook says, else failover.
    #[serde(default)]
    operation: Option<Operation>,
    /// Why; required for a drill with real effects.
    #[serde(default)]
    reason: Option<Reason>,
    /// graceful or ungraceful.
    #[serde(default)]
    mode: Option<Mode>,
    /// Site the service leaves.
    #[serde(default)]
    from: Option<SiteName>,
    /// Site the service moves to.
    #[serde(default)]
    to: Option<SiteName>,
    /// Values of parameters.
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    /// What is accepted before the point of no return.
    #[serde(default, deserialize_with = "object")]
    consents: Consents,
    /// Errors of the runbook that are accepted for this once, by code; recorded.
    #[serde(default)]
    accept_lint: Vec<String>,
    /// How a simulated drill is lived.
    #[serde(default)]
    simulate: Simulation,
}

async fn start(
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Body(start): Body<Start>,
) -> Result<Response, Problem> {
    let mut wanted = WantedDrill {
        binding: Binding {
            runbook: start.runbook,
            mode: start.mode,
            from: start.from,
            to: start.to,
            values: start.parameters,
            accept_lint: accepted(&start.accept_lint)?,
        },
        level: start.level,
        operation: start.operation,
        reason: start.reason.map(Reason::into_text),
        trigger: "api".to_owned(),
        consents: start.consents,
        simulated: start.simulate.into(),
        idempotency_key: key,
        notes: BTreeMap::from([("command".to_owned(), "drill".to_owned())]),
    };
    let (session, said, subject) = subject(&caller, &wanted.binding)?;
    let source = match subject {
        Subject::One(source) => source,
        Subject::Fleet(fleet) => return Err(source::is_fleet(&fleet.path).into()),
    };
    wanted.reason = drill::reason(wanted.choices().level(&source.runbook), wanted.reason)?;
    let began = drill::start(&session, &wanted, &source).await;
    let began = began.map_err(|error| Problem::from(error).notes(said.lines()))?;
    answer(&caller, &session, began, || said.lines()).await
}

/// How a drill is promoted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PromoteDrill")]
struct Promote {
    /// Why: what happened.
    reason: Reason,
    /// graceful or ungraceful; default: as the drill.
    #[serde(default)]
    mode: Option<Mode>,
    /// When the incident began.
    #[serde(default)]
    incident_at: Option<Timestamp>,
    /// What is accepted before the point of no return.
    #[serde(default, deserialize_with = "object")]
    consents: Consents,
    /// Values of sensitive parameters, which are not stored.
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
}

async fn promoted(
    caller: Caller,
    Path(text): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    Body(wanted): Body<Promote>,
) -> Result<Response, Problem> {
    let drill = find(caller.server().session(), &text, true).await?;
    let (session, said) = caller.acting_on(Right::Operate, &drill).await?;
    let wanted = WantedPromotion {
        reason: wanted.reason.into_text(),
        mode: wanted.mode,
        incident_at: wanted.incident_at,
        consents: wanted.consents,
        values: wanted.parameters,
        trigger: "api".to_owned(),
        idempotency_key: key,
    };
    let refused = |error: app::Error| Problem::from(error).notes(said.lines());
    let mut interrupted = Interrupted::default();
    let began = match promote::wanted(&session, &drill, wanted).await.map_err(refused)? {
        Promotion::Before(run) => Ok(Began::Before(run)),
        Promotion::Wanted(wanted, subject) => {
            launch::start(&session, &wanted, &subject, &mut interrupted).await
        }
    };
    settle(session.clone(), interrupted);
    answer(&caller, &session, began.map_err(refused)?, || said.lines()).await
}
