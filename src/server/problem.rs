//! Errors as `application/problem+json` (RFC 9457). Never tells more than the command line would.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::words::Words;
use crate::app::{Error, exit};
use crate::ports::JournalError;
use crate::runtime;

/// What went wrong, for people and programs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Problem(Box<Document>);

#[derive(Debug, Clone, Serialize, JsonSchema)]
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
    /// Shared code says it, in the words of the command line; its notes are in the right ones already.
    #[serde(skip)]
    shared: bool,
}

/// One of the things that are wrong.
#[derive(Debug, Clone, Serialize, JsonSchema)]
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
            shared: false,
        }))
    }

    /// The same in the words of whoever is told.
    fn told_in(mut self, words: Words) -> Self {
        let Document { detail, help, details, shared, .. } = &mut *self.0;
        if std::mem::take(shared) {
            let texts = details.iter_mut().flat_map(|one| [Some(&mut one.message), one.help.as_mut()]);
            for text in texts.chain([Some(detail), help.as_mut()]).flatten() {
                *text = words.say(text);
            }
        }
        self
    }

    /// What is told in place of an answer, in the words of whoever asked: an answer cannot know them.
    pub(super) fn retold(mut response: Response, words: Words) -> Response {
        match response.extensions_mut().remove::<Self>() {
            Some(problem) if words != Words::default() => problem.told_in(words).into_response(),
            Some(_) | None => response,
        }
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
        (_, Some("no_drill" | "ambiguous_run")) => StatusCode::CONFLICT,
        (_, Some("policy_refused" | "not_allowed")) => StatusCode::FORBIDDEN,
        (_, Some("inbox_full")) => StatusCode::TOO_MANY_REQUESTS,
        (exit::USAGE, Some("unknown_code" | "unknown_site" | "day_over" | "is_fleet")) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
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
        let Error { code, message, help, reason, details } = error;
        let mut problem = Self::of(status, reason, message);
        problem.0.shared = true;
        problem.0.help = help;
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
        let shared = self.0.shared.then(|| self.clone());
        let mut response = (status, Json(self.told_in(Words::default()))).into_response();
        if let Some(problem) = shared {
            response.extensions_mut().insert(problem);
        }
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
