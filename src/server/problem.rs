//! Errors as `application/problem+json` (RFC 9457). Never tells more than the command line would.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{Error, exit};
use crate::ports::JournalError;
use crate::runtime;

/// What went wrong, for people and programs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
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
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    details: Box<[Detail]>,
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
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            reason: Some(reason),
            help: None,
            code: None,
            details: Box::default(),
        }
    }

    /// Adds what to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

fn status(code: u8, reason: Option<&str>) -> StatusCode {
    match (code, reason) {
        (_, Some("unknown_run" | "unknown_runbook" | "unknown_service")) => StatusCode::NOT_FOUND,
        (_, Some("policy_refused" | "not_allowed")) => StatusCode::FORBIDDEN,
        (_, Some("inbox_full")) => StatusCode::TOO_MANY_REQUESTS,
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
        let detail = |problem: crate::plan::Problem| Detail { message: problem.what, help: problem.help };
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: error.message,
            reason: error.reason,
            help: error.help,
            code: Some(error.code),
            details: error.details.into_iter().map(detail).collect(),
        }
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
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
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
