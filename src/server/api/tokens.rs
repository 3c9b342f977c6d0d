//! Whom the configuration lets in, for those who answer for it. Never shows a token or its digest.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app;
use crate::config::TokenEntry;
use crate::model::time::Timestamp;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::router::Caller;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            Method::GET,
            "/api/v1/tokens",
            "list_tokens",
            "Lists whose tokens are let in.",
            get(list),
        )
        .right(Right::Administer)
        .answers::<Vec<Entry>>(StatusCode::OK, "Those of the configuration, without the tokens."),
    ]
}

/// A token of the configuration.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TokenListed")]
struct Entry {
    /// Whose it is.
    name: String,
    /// What it may do.
    roles: Vec<String>,
    /// From when on it is refused.
    expires: Option<Timestamp>,
    /// It is refused already.
    expired: bool,
}

async fn list(caller: Caller) -> Json<Vec<Entry>> {
    let now = app::now();
    let entry = |token: &TokenEntry| Entry {
        name: token.name.clone(),
        roles: token.roles.clone(),
        expires: token.expires,
        expired: token.expires.is_some_and(|expires| expires <= now),
    };
    // Not those of the start: they may have been read again since.
    Json(caller.server().gate().entries().iter().map(entry).collect())
}
