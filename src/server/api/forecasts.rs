//! Forecasts of operations, as `drctl simulate` makes them: bounded, one after the other, beside everything
//! else the server does.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::reports::page;
use crate::app::launch::Binding;
use crate::app::launch::outlook::{self, Wanted};
use crate::model::id::SiteName;
use crate::model::run::{Mode, Operation};
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, Path};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            Method::POST,
            "/api/v1/runbooks/{name}/forecast",
            "forecast_runbook",
            "Forecasts an operation from simulated runs. Starts nothing.",
            post(make),
        )
        .right(Right::View)
        .body::<Asked>()
        .answers::<Value>(StatusCode::OK, "As `drctl simulate --output json` prints it.")
        .text("As a page.", "text/html"),
    ]
}

/// What is forecast.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ForecastAsked")]
struct Asked {
    /// failover, switchover or failback.
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
    /// How many runs of each scenario are lived; default 1,000.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 10_000))]
    runs: u32,
    /// Everything drawn follows from it; default 1.
    #[serde(default = "one")]
    seed: u64,
    /// What goes wrong: texts of scenarios. Default: nothing does.
    #[serde(default)]
    #[schemars(length(max = 5))]
    scenarios: Vec<String>,
    /// Answer with a page instead of JSON.
    #[serde(default)]
    html: bool,
}

const fn thousand() -> u32 {
    1_000
}

const fn one() -> u64 {
    1
}

async fn make(
    caller: Caller,
    Path(name): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<Response, Problem> {
    let (session, said) = caller.session();
    let binding = Binding {
        runbook: name,
        mode: asked.mode,
        from: asked.from,
        to: asked.to,
        values: asked.parameters,
        accept_lint: Vec::new(),
    };
    let (operation, runs, seed, scenarios) = (asked.operation, asked.runs, asked.seed, asked.scenarios);
    let wanted = Wanted { binding, operation, runs, seed, scenarios };
    let made = outlook::outlook(&session, &wanted).await;
    let made = made.map_err(|error| Problem::from(error).notes(said.lines()))?;
    Ok(if asked.html { page(made.html()) } else { Json(made.json()).into_response() })
}
