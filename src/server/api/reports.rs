//! Reports of runs: as JSON, as Markdown, or as a page that needs nothing but itself.

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Deserialize;

use super::runs::find;
use crate::app::report;
use crate::evidence::Report;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Caller, Path, Query};

/// What the page may load: its own style and nothing else.
pub(super) const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            Method::GET,
            "/api/v1/runs/{run}/report",
            "show_report",
            "Shows the report of a run.",
            get(show),
        )
        .right(Right::View)
        .query::<Which>()
        .answers::<serde_json::Value>(StatusCode::OK, "As `drctl runs report` writes it.")
        .text("As Markdown.", "text/markdown")
        .text("As a page.", "text/html"),
    ]
}

/// How the report is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Which {
    /// `json`, `md` or `html`.
    format: Form,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Form {
    #[default]
    Json,
    Md,
    Html,
}

async fn show(
    caller: Caller,
    Path(text): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let (session, _) = caller.session();
    let run = find(&session, &text, false).await?;
    let report: Report = report::of(session.journal.as_ref(), &run).await?;
    Ok(match which.format {
        Form::Json => Json(report).into_response(),
        Form::Md => {
            ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], report.markdown()).into_response()
        }
        Form::Html => page(report.html()),
    })
}

/// A page of ours.
pub(super) fn page(text: String) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, PAGE_POLICY)];
    (headers, text).into_response()
}
