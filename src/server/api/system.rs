//! Whether the server is alive and ready, what it can do, and the switch that stops triggers and schedules.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::Reason;
use crate::app;
use crate::ports::RunFilter;
use crate::runtime::{self, StopSwitch, Turned};
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller};
use crate::server::state::Server;
use crate::telemetry::Exposition;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = Endpoint::new;
    vec![
        endpoint(Method::GET, "/healthz", "health", "Says that the process is alive.", get(health))
            .answers::<Health>(StatusCode::OK, "It is alive."),
        endpoint(Method::GET, "/readyz", "ready", "Says whether it can drive runs.", get(ready))
            .answers::<Health>(StatusCode::OK, "It can.")
            .answers::<Health>(StatusCode::SERVICE_UNAVAILABLE, "It cannot, or it is about to end."),
        endpoint(Method::GET, "/metrics", "metrics", "Shows metrics for Prometheus.", get(metrics))
            .text("All of them.", "text/plain"),
        endpoint(Method::GET, "/openapi.json", "openapi", "This document.", get(document))
            .answers::<serde_json::Value>(StatusCode::OK, "An OpenAPI 3.1 document."),
        endpoint(Method::GET, "/api/v1/stop-all", "show_stop_all", "Shows the stop switch.", get(show))
            .right(Right::View)
            .answers::<StopSwitch>(StatusCode::OK, "How it stands."),
        endpoint(Method::PUT, "/api/v1/stop-all", "turn_stop_all", "Turns the stop switch.", put(turn))
            .right(Right::Administer)
            .body::<Turn>()
            .answers::<StopSwitch>(StatusCode::OK, "How it stands now."),
    ]
}

/// How the server is.
#[derive(Debug, Serialize, JsonSchema)]
struct Health {
    /// `ok`, or what is wrong.
    status: String,
    /// Version of drctl.
    version: &'static str,
    /// Runs that this process drives.
    driving: usize,
}

impl Health {
    fn of(server: &Server, status: &str) -> Self {
        Self { status: status.to_owned(), version: env!("CARGO_PKG_VERSION"), driving: server.keeper.count() }
    }
}

async fn health(State(server): State<Arc<Server>>) -> Json<Health> {
    Json(Health::of(&server, "ok"))
}

async fn ready(State(server): State<Arc<Server>>) -> Response {
    let no =
        |status: &str| (StatusCode::SERVICE_UNAVAILABLE, Json(Health::of(&server, status))).into_response();
    if server.keeper.is_draining() {
        return no("about to end");
    }
    let look = RunFilter { limit: 1, ..RunFilter::default() };
    match server.session().journal.runs(&look).await {
        Ok(_) => Json(Health::of(&server, "ok")).into_response(),
        // Anybody may ask this; where the journal is, and what is wrong with it, is for the log.
        Err(error) => {
            tracing::warn!(%error, "not ready");
            no("the journal cannot be read; the log says why")
        }
    }
}

async fn metrics(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let exposition = Exposition::accepted(accept);
    ([(header::CONTENT_TYPE, exposition.content_type())], server.metrics.render(exposition)).into_response()
}

async fn document() -> Json<serde_json::Value> {
    Json(crate::server::openapi())
}

async fn show(caller: Caller) -> Result<Json<StopSwitch>, Problem> {
    Ok(Json(runtime::stop_switch(caller.session().0.journal.as_ref()).await?))
}

/// How the switch is turned.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Turn {
    /// Whether triggers and schedules are stopped.
    stopped: bool,
    /// Why.
    reason: Reason,
}

async fn turn(caller: Caller, Body(turn): Body<Turn>) -> Result<Json<StopSwitch>, Problem> {
    let (session, _) = caller.session();
    let turned = Turned { by: session.identity.clone(), reason: turn.reason.into_text() };
    let journal = session.journal.as_ref();
    runtime::turn_stop_switch(journal, turn.stopped, &turned, app::now()).await?;
    Ok(Json(runtime::stop_switch(journal).await?))
}
