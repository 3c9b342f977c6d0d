//! Checks: whether a service, or every service of a fleet, could be moved now. Changes nothing but the
//! journal: what was found stands there.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::optional;
use super::runs::{accepted, subject};
use crate::app::Session;
use crate::app::launch::check::{self, WantedCheck};
use crate::app::launch::source::{FleetSource, Source, Subject};
use crate::app::launch::{Began, Binding, planned};
use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Mode, Operation};
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, IdempotencyKey};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            Method::POST,
            "/api/v1/checks",
            "start_checks",
            "Makes the checks that an operation would begin with, and nothing else.",
            post(start),
        )
        .right_for_service(Right::Operate)
        .keyed()
        .body::<Wanted>()
        .answers::<Checking>(StatusCode::CREATED, "They are being made: each service has a run of its own.")
        .answers::<Checking>(StatusCode::OK, "Those that were begun with the same key."),
    ]
}

/// Checks that are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WantedChecks")]
struct Wanted {
    /// Name of a service or fleet, or of a file in the configured folders without its ending.
    runbook: String,
    /// failover, switchover or failback; default failover.
    #[serde(default = "failover")]
    operation: Operation,
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
    /// Errors of the runbook that are accepted for this once, by code.
    #[serde(default)]
    accept_lint: Vec<String>,
    /// Check on the simulated estate.
    #[serde(default, deserialize_with = "optional")]
    simulate: Option<Estate>,
}

const fn failover() -> Operation {
    Operation::Failover
}

/// The simulated estate.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CheckedEstate")]
struct Estate {
    /// What is wrong there: the text of a scenario.
    scenario: Option<String>,
}

/// Checks that are being made.
#[derive(Debug, Serialize, JsonSchema)]
struct Checking {
    /// The service or fleet.
    subject: ServiceName,
    /// It is a fleet: there is one for each of its members.
    fleet: bool,
    /// By service.
    checks: Vec<Check>,
    /// What matters beside it: warnings, and what is recorded.
    notes: Vec<String>,
}

/// The checks of one service.
#[derive(Debug, Serialize, JsonSchema)]
struct Check {
    service: ServiceName,
    /// The run that makes them; absent where they cannot be made.
    run: Option<RunId>,
    /// Why they cannot be made.
    refused: Option<String>,
}

async fn start(
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let wanted = wanted.wanted(key)?;
    let (session, said, subject) = subject(&caller, &wanted.binding)?;
    let begun = match &subject {
        Subject::One(source) => one(&caller, &session, &wanted, source).await,
        Subject::Fleet(source) => members(&caller, &session, &wanted, source).await,
    };
    let Begun { checks, new } = begun.map_err(|problem| problem.notes(said.lines()))?;
    let (subject, fleet) = match subject {
        Subject::One(source) => (source.runbook.metadata.name, false),
        Subject::Fleet(source) => (source.roster.metadata.name, true),
    };
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Checking { subject, fleet, checks, notes: said.lines() })).into_response())
}

/// What has become of wanting checks.
struct Begun {
    checks: Vec<Check>,
    /// Any of them did not exist before.
    new: bool,
}

async fn one(
    caller: &Caller,
    session: &Session,
    wanted: &WantedCheck,
    source: &Source,
) -> Result<Begun, Problem> {
    let planned = wanted.planned(source, &wanted.record(session, source).await?)?;
    if let Some(nothing) = planned.says_nothing() {
        session.say(&nothing);
    }
    let (run, new) = driven(caller, wanted.begin(session, source, planned).await?);
    let service = source.runbook.metadata.name.clone();
    Ok(Begun { checks: vec![Check { service, run: Some(run), refused: None }], new })
}

/// What keeps one member from being checked never hides the others.
async fn members(
    caller: &Caller,
    session: &Session,
    wanted: &WantedCheck,
    source: &FleetSource,
) -> Result<Begun, Problem> {
    planned::refuse_values(&wanted.binding)?;
    let mut begun = Begun { checks: Vec::new(), new: false };
    for placed in &source.roster.members {
        let service = placed.service.clone();
        begun.checks.push(match wanted.begin_member(session, source, placed).await {
            Ok(member) => {
                let (run, new) = driven(caller, member);
                begun.new |= new;
                Check { service, run: Some(run), refused: None }
            }
            Err(error) => Check { service, run: None, refused: Some(caller.told(&error.in_one_line())) },
        });
    }
    Ok(begun)
}

/// Has a new run driven. Says which run it is, and whether it is new.
fn driven(caller: &Caller, began: Began) -> (RunId, bool) {
    match began {
        Began::Before(run) => (run, false),
        Began::New(driver) => {
            let run = driver.state().created.run.clone();
            caller.server().keeper.drive(*driver);
            (run, true)
        }
    }
}

impl Wanted {
    fn wanted(self, idempotency_key: Option<String>) -> Result<WantedCheck, Problem> {
        Ok(WantedCheck {
            binding: Binding {
                runbook: self.runbook,
                mode: self.mode,
                from: self.from,
                to: self.to,
                values: self.parameters,
                accept_lint: accepted(&self.accept_lint)?,
            },
            operation: self.operation,
            trigger: "api".to_owned(),
            simulated: self.simulate.map(|estate| check::Estate { scenario: estate.scenario }),
            idempotency_key,
        })
    }
}
