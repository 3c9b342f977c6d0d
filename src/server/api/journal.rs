//! The journal as a client of the command line reads it: records, blobs, leases; and the inbox of a run. Who
//! asks is told by the token, whatever a request says.

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::runs::find;
use crate::engine::input::{Control, Request};
use crate::journal::record::hex;
use crate::model::time::Timestamp;
use crate::ports::{Holder, Record, StreamName};
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, Path, Query};

/// Most records on one page.
const PAGE: usize = 1_000;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = Endpoint::new;
    vec![
        endpoint(Method::GET, "/api/v1/journal/records", "list_records", "Reads records.", get(records))
            .right(Right::View)
            .query::<Which>()
            .answers::<Vec<Stored>>(StatusCode::OK, "Records in order."),
        endpoint(Method::GET, "/api/v1/journal/blobs/{digest}", "show_blob", "Reads a blob.", get(blob))
            .right(Right::View)
            .text("Its bytes.", "application/octet-stream"),
        endpoint(
            Method::GET,
            "/api/v1/journal/leases/{run}",
            "show_lease",
            "Shows who drives a run.",
            get(lease),
        )
        .right(Right::View)
        .answers::<Lease>(StatusCode::OK, "Its lease."),
        endpoint(
            Method::POST,
            "/api/v1/journal/inbox/{run}",
            "submit",
            "Puts a request into an inbox.",
            post(submit),
        )
        .right(Right::View)
        .body::<Asked>()
        .answers::<Taken>(StatusCode::ACCEPTED, "It is in the inbox."),
    ]
}

/// Which records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Which {
    /// Of this stream, such as `run/pay-abcdefgh`; absent: of all.
    stream: Option<String>,
    /// After this sequence; of all streams, after this position.
    after: u64,
    /// At most this many.
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

impl Default for Which {
    fn default() -> Self {
        Self { stream: None, after: 0, limit: PAGE }
    }
}

/// A record as it lies in the journal.
#[derive(Debug, Serialize, JsonSchema)]
struct Stored {
    position: u64,
    stream: String,
    sequence: u64,
    token: u64,
    recorded_at: Timestamp,
    kind: String,
    version: u32,
    body: String,
    hash: String,
}

impl From<Record> for Stored {
    fn from(record: Record) -> Self {
        Self {
            position: record.position,
            stream: record.stream.to_string(),
            sequence: record.sequence,
            token: record.token,
            recorded_at: record.recorded_at,
            kind: record.kind,
            version: record.version,
            body: record.body,
            hash: hex(&record.hash),
        }
    }
}

async fn records(caller: Caller, Query(which): Query<Which>) -> Result<Json<Vec<Stored>>, Problem> {
    if !(1..=PAGE).contains(&which.limit) {
        let what = format!("limit is 1 to {PAGE}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", what));
    }
    let (session, _) = caller.session();
    let records = match which.stream {
        Some(name) => session.journal.read(&StreamName::typed(&name), which.after, which.limit).await?,
        None => session.journal.read_after(which.after, which.limit).await?,
    };
    Ok(Json(records.into_iter().map(Stored::from).collect()))
}

async fn blob(caller: Caller, Path(digest): Path<String>) -> Result<Response, Problem> {
    let (session, _) = caller.session();
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "unknown_blob", "there is no blob of this digest");
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let bytes = session.journal.blob(&digest).await?.ok_or_else(unknown)?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// The lease of a run.
#[derive(Debug, Serialize, JsonSchema)]
struct Lease {
    /// Fencing token.
    token: u64,
    /// Who drives the run; absent: nobody.
    holder: Option<Driving>,
    /// Whether the holder is alive.
    alive: bool,
}

/// Who drives a run.
#[derive(Debug, Serialize, JsonSchema)]
struct Driving {
    id: String,
    pid: u32,
    host: String,
    name: String,
}

async fn lease(caller: Caller, Path(text): Path<String>) -> Result<Json<Lease>, Problem> {
    let (session, _) = caller.session();
    let run = find(&session, &text, false).await?;
    let driving = |Holder { id, pid, host, name }: Holder| Driving { id, pid, host, name };
    let lease = session.journal.lease(&run).await?;
    Ok(Json(lease.map_or(Lease { token: 0, holder: None, alive: false }, |lease| Lease {
        token: lease.token,
        holder: lease.holder.map(driving),
        alive: lease.alive,
    })))
}

/// What is asked of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Unique; the same id is answered once.
    id: String,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
    /// What.
    control: Control,
}

/// A request that is in an inbox.
#[derive(Debug, Serialize, JsonSchema)]
struct Taken {
    /// Its id.
    request: String,
}

async fn submit(
    caller: Caller,
    Path(text): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<Response, Problem> {
    caller.demand(right(&asked.control))?;
    if asked.id.is_empty() || asked.id.len() > 100 {
        let what = "id is 1 to 100 characters";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_body", what));
    }
    let (session, _) = caller.session();
    let run = find(&session, &text, true).await?;
    let (by, from) = (session.identity.clone(), session.from.clone());
    let request = Request { id: asked.id.clone(), by, from, reason: asked.reason, control: asked.control };
    session.journal.submit(&run, &request).await?;
    Ok((StatusCode::ACCEPTED, Json(Taken { request: asked.id })).into_response())
}

/// What asking for something needs.
fn right(control: &Control) -> Right {
    match control {
        Control::Approve { .. } | Control::Deny { .. } | Control::Attest { .. } => Right::Approve,
        Control::Start
        | Control::Pause
        | Control::Resume
        | Control::Abort
        | Control::Unwind
        | Control::Mode(_)
        | Control::Retry { .. }
        | Control::Skip { .. }
        | Control::Done { .. }
        | Control::Adopt
        | Control::Promote { .. } => Right::Operate,
    }
}
