//! The journal as a client of the command line reads it: records, blobs, leases; and the inbox of a run. Who
//! asks is told by the token, whatever a request says.

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::controls::asking;
use super::cursors;
use super::runs::{find, settle};
use crate::app;
use crate::app::launch::inbox;
use crate::app::launch::interrupt::Interrupted;
use crate::engine::input::Control;
use crate::journal::FORMAT;
use crate::journal::record::hex;
use crate::model::time::Timestamp;
use crate::ports::{Holder, Record, StreamName, Verification};
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, Path, Query};

/// Most records on one page.
const PAGE: usize = 1_000;
/// Bytes of bodies after which a page ends.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Version of the API: it rises when a client of before can no longer understand an answer.
const API: u32 = 1;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = Endpoint::new;
    vec![
        endpoint(Method::GET, "/api/v1/journal", "show_journal", "Says what keeps the journal.", get(about))
            .right(Right::View)
            .answers::<About>(StatusCode::OK, "Which versions it speaks."),
        endpoint(Method::GET, "/api/v1/journal/records", "list_records", "Reads records.", get(records))
            .right(Right::View)
            .query::<Which>()
            .answers::<Records>(StatusCode::OK, "Records in order."),
        endpoint(Method::GET, "/api/v1/journal/streams", "list_streams", "Lists streams.", get(streams))
            .right(Right::View)
            .query::<Beginning>()
            .answers::<Vec<String>>(StatusCode::OK, "Their names in order."),
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
            "/api/v1/journal/verify",
            "verify_journal",
            "Checks every chain, head, digest and the store itself.",
            post(verify),
        )
        .right(Right::Administer)
        .body::<Everything>()
        .answers::<Verification>(StatusCode::OK, "What was found; damage is no error of the request."),
        endpoint(
            Method::POST,
            "/api/v1/journal/inbox/{run}",
            "submit",
            "Puts a request into an inbox.",
            post(submit),
        )
        .right_for_service(Right::View)
        .body::<Asked>()
        .answers::<Taken>(StatusCode::ACCEPTED, "It is in the inbox."),
    ]
}

/// What keeps the journal.
#[derive(Debug, Serialize, JsonSchema)]
struct About {
    /// Version of drctl.
    version: &'static str,
    /// Version of the API.
    api: u32,
    /// Version of the journal's format.
    format: u32,
}

async fn about(_: Caller) -> Json<About> {
    Json(About { version: env!("CARGO_PKG_VERSION"), api: API, format: FORMAT })
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

/// A page of records.
#[derive(Debug, Serialize, JsonSchema)]
struct Records {
    records: Vec<Stored>,
    /// There may be further records behind them.
    more: bool,
}

async fn records(caller: Caller, Query(which): Query<Which>) -> Result<Json<Records>, Problem> {
    if !(1..=PAGE).contains(&which.limit) {
        let what = format!("limit is 1 to {PAGE}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", what));
    }
    let (session, _) = caller.session();
    let (journal, stream) = (session.journal.as_ref(), which.stream.map(StreamName::typed));
    let records = match &stream {
        Some(stream) => journal.read(stream, which.after, which.limit).await?,
        None => journal.read_after(which.after, which.limit).await?,
    };
    if records.is_empty() {
        cursors::is_there(journal, stream.as_ref(), which.after).await?;
    }
    let mut bytes = 0;
    let fits = |record: &Record| {
        let first = bytes == 0;
        bytes += record.body.len().max(1);
        first || bytes <= PAGE_BYTES
    };
    let found = records.len();
    let records: Vec<_> = records.into_iter().take_while(fits).map(Stored::from).collect();
    let more = found == which.limit || records.len() < found;
    Ok(Json(Records { records, more }))
}

/// Which streams.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Beginning {
    /// Those whose name begins like this.
    prefix: String,
}

async fn streams(caller: Caller, Query(which): Query<Beginning>) -> Result<Json<Vec<String>>, Problem> {
    let (session, _) = caller.session();
    let names = session.journal.streams(&which.prefix).await?;
    Ok(Json(names.into_iter().map(|name| name.to_string()).collect()))
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

/// Nothing is left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Everything {}

async fn verify(
    caller: Caller,
    Body(Everything {}): Body<Everything>,
) -> Result<Json<Verification>, Problem> {
    let server = caller.server();
    Ok(Json(server.verifying.look(&server.session().journal).await?))
}

/// What is asked of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Unique; the same id is answered once.
    #[schemars(length(min = 1, max = 100))]
    id: String,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
    /// What.
    #[serde(deserialize_with = "control")]
    control: Control,
}

/// Reads a control. By itself it would take a list of consents for the object that they are.
fn control<'de, D: Deserializer<'de>>(from: D) -> Result<Control, D::Error> {
    let value = Value::deserialize(from)?;
    if value.pointer("/approve/consents").is_some_and(|consents| !consents.is_object()) {
        return Err(D::Error::custom("consents are an object"));
    }
    serde_json::from_value(value).map_err(D::Error::custom)
}

/// A request that is in an inbox.
#[derive(Debug, Serialize, JsonSchema)]
struct Taken {
    /// Its id.
    request: String,
    /// What matters beside it.
    notes: Vec<String>,
}

async fn submit(
    caller: Caller,
    Path(text): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<Response, Problem> {
    if asked.id.is_empty() || asked.id.len() > 100 {
        let what = "id is 1 to 100 characters";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_body", what));
    }
    let run = find(caller.server().session(), &text, true).await?;
    let (session, said) = asking(&caller, &run, &asked.control).await?;
    let reason = if needs_reason(&asked.control) {
        let said = app::reason(asked.control.verb(), asked.reason.as_deref());
        let invalid =
            |error: app::Error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", error.message);
        Some(said.map_err(invalid)?)
    } else {
        asked.reason
    };
    let mut interrupted = Interrupted::default();
    let taken = inbox::ask_as(&session, &run, asked.id, (asked.control, reason), &mut interrupted).await;
    settle(session.clone(), interrupted);
    let request = taken.map_err(|error| Problem::from(error).notes(said.lines()))?.id;
    Ok((StatusCode::ACCEPTED, Json(Taken { request, notes: said.lines() })).into_response())
}

/// Whether what is asked for must be explained.
const fn needs_reason(control: &Control) -> bool {
    match control {
        Control::Abort
        | Control::Unwind
        | Control::Mode(_)
        | Control::Skip { .. }
        | Control::Done { .. }
        | Control::Attest { passed: false } => true,
        Control::Approve { .. }
        | Control::Deny { .. }
        | Control::Attest { passed: true }
        | Control::Start
        | Control::Pause
        | Control::Resume
        | Control::Retry { .. }
        | Control::Adopt
        | Control::Promote { .. } => false,
    }
}
