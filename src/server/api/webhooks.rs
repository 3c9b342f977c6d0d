//! What webhooks deliver: kept in the journal before it is answered, looked at afterwards; and which webhooks
//! there are.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::app;
use crate::model::trigger::TriggerSource;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Caller, Path};
use crate::server::state::Server;
use crate::webhook::Headers;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let path = "/webhooks/{kind}/{name}";
    vec![
        Endpoint::new(Method::POST, path, "deliver", "Takes a delivery of a webhook.", post(deliver))
            .answers::<Value>(StatusCode::ACCEPTED, "It is in the journal, and is looked at now."),
        Endpoint::new(Method::GET, "/api/v1/webhooks", "list_webhooks", "Lists the webhooks.", get(list))
            .right(Right::View)
            .answers::<Vec<Listed>>(StatusCode::OK, "Those that deliveries are taken from, by name."),
    ]
}

/// A webhook that deliveries are taken from.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
struct Listed {
    /// Its name in the configuration.
    name: String,
    /// Who delivers there.
    kind: TriggerSource,
}

async fn list(caller: Caller) -> Json<Vec<Listed>> {
    let hooks = caller.server().uses.iter();
    Json(hooks.map(|(name, hook)| Listed { name: name.clone(), kind: hook.source }).collect())
}

async fn deliver(
    State(server): State<Arc<Server>>,
    Path((kind, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is_there = server.intake.source(&name).is_some_and(|source| source.as_str() == kind);
    if !is_there {
        let what = format!("no webhook `{name}` of kind `{kind}` is configured");
        return Problem::new(StatusCode::NOT_FOUND, "unknown_webhook", what).into_response();
    }
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let answer = server.intake.accept(&name, &Headers::new(pairs), &body, app::now()).await;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(answer.body())).into_response();
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
