//! From endpoints to a router: who may ask, limits, ids of requests, headers, and the log of what was asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use tower_http::catch_panic::CatchPanicLayer;

use super::api;
use super::auth::{Need, Right, Who};
use super::listen::Peer;
use super::problem::Problem;
use super::state::{Said, Server};
use super::words::Words;
use crate::app::{About, RandomIds, Session};
use crate::model::id::RunId;
use crate::ports::IdSource;

/// A request that has not been answered by then never will be; streams of events answer at once.
const ANSWER_WITHIN: Duration = Duration::from_mins(2);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");
const FRAME_OPTIONS: HeaderName = HeaderName::from_static("x-frame-options");

/// Everything the server answers.
pub(super) fn router(server: Arc<Server>) -> Router {
    let mut router = Router::new();
    for endpoint in api::endpoints() {
        let route = match endpoint.need {
            Some(need) => endpoint.route.layer(from_fn_with_state((Arc::clone(&server), need), let_in)),
            None => endpoint.route,
        };
        router = router.route(endpoint.path, route);
    }
    let body = server.config().max_body_bytes;
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "unknown_path", "there is nothing here"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "unknown_method", "this cannot be done here")
        })
        .with_state(Arc::clone(&server))
        .layer(DefaultBodyLimit::max(body))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", "drctl has a bug; its log says more")
                .into_response()
        }))
        .layer(from_fn_with_state(server, around))
}

/// What stands around every request.
async fn around(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = request_id(request.headers());
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let words = Words::of(request.headers());
    let response = match peer {
        Some(peer) if !server.limits.admits(peer.ip()) => {
            let slow = "too many requests from this address";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", slow).into_response()
        }
        Some(_) | None => match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                Problem::new(StatusCode::GATEWAY_TIMEOUT, "too_slow", "not answered in time").into_response()
            }
        },
    };
    let mut response = Problem::retold(response, words);
    let headers = response.headers_mut();
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    let took = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    let peer = peer.map(|peer| peer.ip().to_string());
    tracing::info!(target: "drctl::access", id, %method, path, status, took_ms = took, peer);
    response
}

/// The id a caller gave its request, where it is fit for a log, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let fits = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    given.filter(fits).map_or_else(|| RandomIds.suffix(), str::to_owned)
}

/// Lets in who has the right.
async fn let_in(
    State((server, need)): State<(Arc<Server>, Need)>,
    mut request: Request,
    next: Next,
) -> Response {
    let gate = server.gate();
    match gate.admit(request.headers(), need).await {
        Ok(who) => {
            let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
            let from = peer.map_or_else(|| "api".to_owned(), |peer| format!("api@{peer}"));
            let from = match &who.proved_by {
                Some(proof) => format!("{from} by {proof}"),
                None => from,
            };
            let words = Words::of(request.headers());
            request.extensions_mut().insert(Caller { server, who, from, words });
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Caller {
    server: Arc<Server>,
    who: Who,
    from: String,
    words: Words,
}

impl Caller {
    /// The session of who asks, and what will be said to them. Their roles are those that count for every
    /// service: enough to look, and for what is about no service.
    pub(super) fn session(&self) -> (Session, Arc<Said>) {
        self.server.session_of(self.who.identity(None), self.from.clone(), self.words)
    }

    /// The session of who asks to change something about a service, with the roles that count for it.
    ///
    /// # Errors
    /// When the caller has the right not, or for other services only.
    pub(super) fn acting(&self, right: Right, about: &About) -> Result<(Session, Arc<Said>), Problem> {
        self.who.demand(right, Some(about))?;
        Ok(self.server.session_of(self.who.identity(Some(about)), self.from.clone(), self.words))
    }

    /// As [`Caller::acting`], about the service of a run.
    ///
    /// # Errors
    /// As [`Caller::acting`], and when the run cannot be loaded.
    pub(super) async fn acting_on(&self, right: Right, run: &RunId) -> Result<(Session, Arc<Said>), Problem> {
        let about = About::run(self.server.session(), run, self.who.is_limited_by_labels()).await?;
        self.acting(right, &about)
    }

    /// What shared code says, in the words of who asks.
    pub(super) fn told(&self, text: &str) -> String {
        self.words.say(text)
    }

    /// The server.
    pub(super) const fn server(&self) -> &Arc<Server> {
        &self.server
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let nobody = || Problem::new(StatusCode::UNAUTHORIZED, "not_authenticated", "this needs a token");
        parts.extensions.get::<Self>().cloned().ok_or_else(nobody)
    }
}

/// The query of a request, with a problem for what cannot be read.
pub(super) struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|query| Self(query.0))
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", error.body_text()))
    }
}

/// The parts of a path, with a problem for what cannot be read.
pub(super) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|path| Self(path.0))
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid_path", error.body_text()))
    }
}

/// The body of a request, with a problem for what cannot be read.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = axum::Json::<T>::from_request(request, state).await;
        read.map(|body| Self(body.0))
            .map_err(|error| Problem::new(error.status(), "invalid_body", error.body_text()))
    }
}

/// How the keys begin under which drctl itself starts runs.
const OWN_KEYS: [&str; 2] = ["schedule/", "trigger/"];

/// The key under which something is started once.
pub(super) struct IdempotencyKey(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = value.to_str().ok().filter(|key| (1..=200).contains(&key.len()));
        // Whoever took one of these would keep the run of a webhook or of a schedule from being started.
        if key.is_some_and(|key| OWN_KEYS.iter().any(|own| key.starts_with(own))) {
            let what = "an Idempotency-Key that begins with `schedule/` or `trigger/` is drctl's own";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_key", what));
        }
        key.map(|key| Self(Some(key.to_owned()))).ok_or_else(|| {
            let what = "Idempotency-Key is 1 to 200 visible ASCII characters";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_key", what)
        })
    }
}
