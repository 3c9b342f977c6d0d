//! What was found in a run and has to be put right: written down, and closed. They are listed by its report.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::Reason;
use super::runs::find;
use crate::app::findings::{self, Found};
use crate::model::id::RunId;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, IdempotencyKey, Path};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = Endpoint::new;
    vec![
        endpoint(
            Method::POST,
            "/api/v1/runs/{run}/findings",
            "add_finding",
            "Writes down what was found in a run and has to be put right.",
            post(add),
        )
        .right_for_service(Right::Operate)
        .keyed()
        .body::<Finding>()
        .answers::<Added>(StatusCode::CREATED, "It is written down.")
        .answers::<Added>(StatusCode::OK, "It was written down before, with the same key."),
        endpoint(
            Method::POST,
            "/api/v1/runs/{run}/findings/{finding}/close",
            "close_finding",
            "Says that a finding was put right, or is none.",
            post(close),
        )
        .right_for_service(Right::Operate)
        .keyed()
        .body::<How>()
        .answers::<Outcome>(StatusCode::OK, "It is closed."),
    ]
}

/// What was found.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewFinding")]
struct Finding {
    /// What was found.
    text: Reason,
    /// Who puts it right.
    #[schemars(length(min = 1, max = 100), regex(pattern = r"\S"))]
    owner: String,
    /// Last day to put it right, such as 2027-01-31.
    #[schemars(with = "String", extend("format" = "date"))]
    due: Date,
}

/// A finding that is written down.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AddedFinding")]
struct Added {
    run: RunId,
    /// Its number within the run.
    finding: u32,
}

async fn add(
    caller: Caller,
    Path(text): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    Body(wanted): Body<Finding>,
) -> Result<Response, Problem> {
    let run = find(caller.server().session(), &text, true).await?;
    let (session, _) = caller.acting_on(Right::Operate, &run).await?;
    let found = Found::new(&wanted.text.into_text(), &wanted.owner, wanted.due, key)?;
    let (finding, new) = findings::add(&session, &run, &found).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Added { run, finding })).into_response())
}

/// What was done about a finding.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CloseFinding")]
struct How {
    /// What was done, or why it is none.
    reason: Reason,
}

/// A finding that is closed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ClosedFinding")]
struct Outcome {
    run: RunId,
    /// Its number within the run.
    finding: u32,
    /// It is.
    closed: bool,
}

async fn close(
    caller: Caller,
    Path((text, finding)): Path<(String, String)>,
    IdempotencyKey(key): IdempotencyKey,
    Body(how): Body<How>,
) -> Result<Json<Outcome>, Problem> {
    let run = find(caller.server().session(), &text, true).await?;
    let (session, _) = caller.acting_on(Right::Operate, &run).await?;
    let unknown = || {
        let what = format!("{run} has no finding {finding}");
        Problem::new(StatusCode::NOT_FOUND, "unknown_finding", what)
    };
    let finding = finding.parse().map_err(|_| unknown())?;
    let how = how.reason.into_text();
    findings::close(&session, &run, finding, (&how, key.as_deref())).await?;
    Ok(Json(Outcome { run, finding, closed: true }))
}
