//! Errors as `application/problem+json` (RFC 9457). Never tells more than the command line would.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::words::of_the_api;
use crate::app::{Error, exit};
use crate::ports::JournalError;
use crate::runtime;

/// What went wrong, for people and programs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Problem(Box<Document>);

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProblemDocument")]
struct Document {
    /// `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong.
    detail: String,
    /// A stable word for programs, such as `already_active`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// Exit code the command line would end with.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    /// Every single thing that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    details: Vec<Detail>,
    /// What was said before, such as what does not compile and where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    notes: Vec<String>,
}

/// One of the things that are wrong.
#[derive(Debug, Serialize, JsonSchema)]
struct Detail {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Problem {
    /// A problem that the command line does not know.
    pub(super) fn new(status: StatusCode, reason: &'static str, detail: impl Into<String>) -> Self {
        Self::of(status, Some(reason), detail.into())
    }

    fn of(status: StatusCode, reason: Option<&'static str>, detail: String) -> Self {
        Self(Box::new(Document {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail,
            reason,
            help: None,
            code: None,
            details: Vec::new(),
            notes: Vec::new(),
        }))
    }

    /// Adds what to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds what was said before.
    pub(super) fn notes(mut self, notes: Vec<String>) -> Self {
        self.0.notes = notes;
        self
    }
}

fn status(code: u8, reason: Option<&str>) -> StatusCode {
    match (code, reason) {
        (_, Some("unknown_run" | "unknown_runbook" | "unknown_service" | "unknown_finding")) => {
            StatusCode::NOT_FOUND
        }
        (_, Some("no_drill")) => StatusCode::CONFLICT,
        (_, Some("policy_refused" | "not_allowed")) => StatusCode::FORBIDDEN,
        (_, Some("inbox_full")) => StatusCode::TOO_MANY_REQUESTS,
        (exit::USAGE, Some("unknown_code" | "unknown_site")) => StatusCode::UNPROCESSABLE_ENTITY,
        (exit::USAGE, _) => StatusCode::BAD_REQUEST,
        (exit::INVALID, _) => StatusCode::UNPROCESSABLE_ENTITY,
        (exit::REFUSED | exit::HELD | exit::NEEDS_PERSON | exit::FAILED | exit::UNWOUND, _) => {
            StatusCode::CONFLICT
        }
        (exit::UNREACHABLE, _) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = status(error.code, error.reason);
        if status.is_server_error() {
            tracing::error!(code = error.code, error = %error.message, "request failed");
        }
        let detail = |problem: crate::plan::Problem| Detail {
            message: of_the_api(&problem.what),
            help: problem.help.as_deref().map(of_the_api),
        };
        let Error { code, message, help, reason, details } = error;
        let mut problem = Self::of(status, reason, of_the_api(&message));
        problem.0.help = help.as_deref().map(of_the_api);
        problem.0.code = Some(code);
        problem.0.details = details.into_iter().map(detail).collect();
        problem
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        Error::from(error).into()
    }
}

impl From<runtime::Error> for Problem {
    fn from(error: runtime::Error) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"drctl\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
