//! The events of a run: as pages, and as a stream that goes on exactly where it was broken off.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::cursors;
use super::runs::find;
use crate::app::view;
use crate::model::id::RunId;
use crate::ports::StreamName;
use crate::server::auth::Right;
use crate::server::hub::Line;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Caller, Path, Query};
use crate::server::state::Server;

/// Most events on one page.
const PAGE: usize = 1_000;
/// Events that wait for a viewer who is slow.
const WAITING: usize = 64;
/// A line that says nothing is sent this often, so that nobody in between takes the stream for dead.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

pub(super) fn endpoints() -> Vec<Endpoint> {
    let what = "Lists the events of a run, or streams them where `text/event-stream` is asked for: the id of an event is \
                its sequence, and `Last-Event-ID` goes on after it.";
    vec![
        Endpoint::new(Method::GET, "/api/v1/runs/{run}/events", "list_events", what, get(events))
            .right(Right::View)
            .query::<After>()
            .answers::<Page>(StatusCode::OK, "A page of events, or a stream without end.")
            .text("A page of events, or a stream without end.", "text/event-stream"),
    ]
}

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct After {
    /// Only events after this sequence.
    after: u64,
    /// At most this many on a page.
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

impl Default for After {
    fn default() -> Self {
        Self { after: 0, limit: PAGE }
    }
}

/// A page of events.
#[derive(Debug, Serialize, JsonSchema)]
struct Page {
    /// As `drctl schema event` describes them.
    events: Vec<Value>,
    /// The `after` of the next page; absent when there is none yet.
    next: Option<u64>,
}

async fn events(
    caller: Caller,
    headers: HeaderMap,
    Path(text): Path<String>,
    Query(after): Query<After>,
) -> Result<Response, Problem> {
    let (session, _) = caller.session();
    let run = find(&session, &text, false).await?;
    let last = cursors::last_event(&headers)?;
    let (journal, of_run) = (session.journal.as_ref(), StreamName::run(&run));
    if wants_stream(&headers) || last.is_some() {
        let after = last.unwrap_or(after.after);
        cursors::is_there(journal, Some(&of_run), after).await?;
        return Ok(stream(Arc::clone(caller.server()), &run, after));
    }
    if !(1..=PAGE).contains(&after.limit) {
        let what = format!("limit is 1 to {PAGE}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", what));
    }
    let records = journal.read(&of_run, after.after, after.limit).await?;
    if records.is_empty() {
        cursors::is_there(journal, Some(&of_run), after.after).await?;
    }
    let next = records.last().filter(|_| records.len() == after.limit).map(|record| record.sequence);
    Ok(Json(Page { events: records.iter().map(view::record).collect(), next }).into_response())
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("text/event-stream"));
    headers.get(header::ACCEPT).is_some_and(accepts)
}

fn stream(server: Arc<Server>, run: &RunId, after: u64) -> Response {
    let (sender, receiver) = mpsc::channel(WAITING);
    let run = run.clone();
    tokio::spawn(async move { follow(&server, &run, after, &sender).await });
    let stream = Sse::new(ReceiverStream::new(receiver));
    stream.keep_alive(KeepAlive::new().interval(ALIVE_EVERY)).into_response()
}

/// Sends events until the viewer or the server is gone.
async fn follow(
    server: &Server,
    run: &RunId,
    mut after: u64,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) {
    let tail = server.hub.tail(run);
    let (mut news, mut ended) = (tail.news(), server.ended());
    loop {
        // Marked as seen before it is read: what comes in between is news again.
        news.borrow_and_update();
        loop {
            let lines = match server.hub.after(&tail, after).await {
                Ok(lines) if lines.is_empty() => break,
                Ok(lines) => lines,
                Err(error) => {
                    tracing::error!(%run, %error, "events cannot be read");
                    return;
                }
            };
            for line in lines {
                after = line.sequence;
                if sender.send(Ok(event(&line))).await.is_err() {
                    return;
                }
            }
        }
        tokio::select! {
            () = sender.closed() => return,
            _ = ended.wait_for(|ended| *ended) => return,
            changed = news.changed() => if changed.is_err() { return },
        }
    }
}

fn event(line: &Line) -> Event {
    Event::default().id(line.sequence.to_string()).event(&line.kind).data(&line.text)
}
