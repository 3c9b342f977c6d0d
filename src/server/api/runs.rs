//! Runs: listed, shown and started.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cursors;
use super::fields::{Reason, object, optional};
use crate::app::launch::estate::Simulated;
use crate::app::launch::interrupt::{DrillFate, Interrupted};
use crate::app::launch::source::{self, Subject};
use crate::app::launch::{self, Began, Binding, STAGED_FOR, Wanted};
use crate::app::{self, About, Error, FindRunError, Session, Speed, exit, view};
use crate::compile::Code;
use crate::engine::input::Consents;
use crate::evidence::RunView;
use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Mode, Operation};
use crate::model::time::{Duration, Timestamp};
use crate::ports::{RunFilter, RunSummary};
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, IdempotencyKey, Path, Query};
use crate::server::state::Said;

/// Most runs on one page.
const PAGE: usize = 500;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = Endpoint::new;
    vec![
        endpoint(Method::GET, "/api/v1/runs", "list_runs", "Lists runs, newest first.", get(list))
            .right(Right::View)
            .query::<List>()
            .answers::<Page>(StatusCode::OK, "A page of runs."),
        endpoint(Method::GET, "/api/v1/runs/{run}", "show_run", "Shows where a run stands.", get(show))
            .right(Right::View)
            .answers::<RunView>(StatusCode::OK, "The run."),
        endpoint(Method::POST, "/api/v1/runs", "create_run", "Starts or stages a run.", post(start))
            .right_for_service(Right::Operate)
            .keyed()
            .body::<Start>()
            .answers::<Started>(StatusCode::CREATED, "A new run.")
            .answers::<Started>(StatusCode::OK, "The run that was started with the same key."),
    ]
}

/// Which runs are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct List {
    /// Only runs that are not over.
    open: bool,
    /// Simulated runs as well.
    simulated: bool,
    /// Runs that other runs began as well.
    children: bool,
    /// Only runs of this service.
    service: Option<ServiceName>,
    /// Only the run whose id this is, or begins with this.
    prefix: Option<String>,
    /// At most this many.
    #[schemars(range(min = 1, max = 500))]
    limit: usize,
    /// `next` of the page before.
    cursor: Option<RunId>,
}

impl Default for List {
    fn default() -> Self {
        let (open, simulated, children) = (false, false, false);
        Self { open, simulated, children, service: None, prefix: None, limit: 50, cursor: None }
    }
}

/// A page of runs.
#[derive(Debug, Serialize, JsonSchema)]
struct Page {
    runs: Vec<RunSummary>,
    /// The `cursor` of the next page; absent on the last one.
    next: Option<RunId>,
}

async fn list(caller: Caller, Query(wanted): Query<List>) -> Result<Json<Page>, Problem> {
    if !(1..=PAGE).contains(&wanted.limit) {
        let what = format!("limit is 1 to {PAGE}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", what));
    }
    let filter = RunFilter {
        prefix: wanted.prefix,
        outermost: !wanted.children && wanted.service.is_none(),
        service: wanted.service,
        open: wanted.open,
        simulated: wanted.simulated,
        limit: 0,
    };
    let (session, _) = caller.session();
    let runs = session.journal.runs(&filter).await?;
    let first = match &wanted.cursor {
        None => 0,
        Some(cursor) => cursors::passed(session.journal.as_ref(), &runs, cursor).await?,
    };
    let page: Vec<_> = runs.iter().skip(first).take(wanted.limit).cloned().collect();
    let more = first.saturating_add(page.len()) < runs.len();
    let next = page.last().filter(|_| more).map(|run| run.run.clone());
    Ok(Json(Page { runs: page, next }))
}

/// The run a path names: an id, a unique beginning of one, or `latest`.
pub(super) async fn find(session: &Session, text: &str, changes: bool) -> Result<RunId, Problem> {
    app::find_run(session.journal.as_ref(), text, changes).await.map_err(|error| match error {
        FindRunError::Journal(error) => error.into(),
        FindRunError::Empty => Error::new(exit::USAGE, error.to_string())
            .help("name it by its id, a unique beginning of one, or `latest`")
            .reason("unknown_run")
            .into(),
        FindRunError::None(_) => Error::new(exit::USAGE, error.to_string())
            .help(
                "`drctl runs list --simulated` shows them all; `latest` is the newest that is not simulated",
            )
            .reason("unknown_run")
            .into(),
        FindRunError::Several(_) => Error::new(exit::USAGE, error.to_string())
            .help("`drctl runs list --simulated` shows them all")
            .reason("ambiguous_run")
            .into(),
    })
}

async fn show(caller: Caller, Path(text): Path<String>) -> Result<Json<RunView>, Problem> {
    let (session, _) = caller.session();
    let run = find(&session, &text, false).await?;
    Ok(Json(view::run(session.journal.as_ref(), &run).await?.1))
}

/// A run that is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"required": ["reason"], "properties": {"reason": {"type": "string"}}},
    {"required": ["simulate"], "properties": {"simulate": {"type": "object"}}},
]))]
struct Start {
    /// Name of a service, or of a file in the configured folders without its ending.
    runbook: String,
    /// failover, switchover or failback.
    operation: Operation,
    /// Why; required for a real run.
    #[serde(default)]
    reason: Option<Reason>,
    /// graceful or ungraceful; default: ungraceful for a failover, else graceful.
    #[serde(default)]
    mode: Option<Mode>,
    /// Site the service leaves; default: where the service record says it is.
    #[serde(default)]
    from: Option<SiteName>,
    /// Site the service moves to.
    #[serde(default)]
    to: Option<SiteName>,
    /// Values of parameters.
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    /// Record the run and let it wait to be started.
    #[serde(default)]
    stage: bool,
    /// How long a staged run waits; default 4h.
    #[serde(default)]
    expires_in: Option<Duration>,
    /// Observe every step first and mark what is already true.
    #[serde(default)]
    adopt: bool,
    /// When the incident began.
    #[serde(default)]
    incident_at: Option<Timestamp>,
    /// When it was noticed.
    #[serde(default)]
    detected_at: Option<Timestamp>,
    /// What is accepted before the point of no return.
    #[serde(default, deserialize_with = "object")]
    consents: Consents,
    /// Errors of the runbook that are accepted for this once, by code; recorded.
    #[serde(default)]
    accept_lint: Vec<String>,
    /// What becomes of a drill of the same service that is under way.
    #[serde(default)]
    drill: Fate,
    /// Run on the simulated estate.
    #[serde(default, deserialize_with = "optional")]
    simulate: Option<Simulation>,
}

/// What becomes of a drill that a start interrupts.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// What the run would do itself stays, the rest is taken back.
    #[default]
    Auto,
    /// All it has done stays.
    Promote,
    /// All it has done is taken back.
    CleanUp,
}

impl From<Fate> for DrillFate {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Auto => Self::Auto,
            Fate::Promote => Self::Promote,
            Fate::CleanUp => Self::CleanUp,
        }
    }
}

/// The codes of errors that are accepted.
pub(super) fn accepted(codes: &[String]) -> Result<Vec<Code>, Error> {
    let one = |code: &String| {
        source::acceptable(code).map_err(|why| Error::new(exit::USAGE, why).reason("unknown_code"))
    };
    codes.iter().map(one).collect()
}

/// How a simulated run is lived.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Simulation {
    /// What goes wrong: the text of a scenario.
    scenario: Option<String>,
    /// How many times as fast as real time; default: as fast as possible.
    #[schemars(range(min = 1, max = 1_000_000))]
    times: Option<u32>,
    /// Its seed.
    seed: Option<u64>,
}

impl From<Simulation> for Simulated {
    fn from(simulation: Simulation) -> Self {
        Self {
            scenario: simulation.scenario,
            speed: simulation.times.filter(|times| *times > 0).map_or(Speed::Max, Speed::Times),
            seed: simulation.seed,
        }
    }
}

/// What came of wanting a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Started {
    run: RunView,
    /// It did not exist before.
    new: bool,
    /// What matters beside it: warnings, and what is recorded.
    notes: Vec<String>,
}

async fn start(
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Body(wanted): Body<Start>,
) -> Result<Response, Problem> {
    let wanted = wanted.wanted(key)?;
    caller.server().turns.take(Box::pin(begin(&caller, &wanted))).await
}

async fn begin(caller: &Caller, wanted: &Wanted) -> Result<Response, Problem> {
    let (session, said, subject) = subject(caller, &wanted.binding)?;
    let mut interrupted = Interrupted::default();
    let began = launch::start(&session, wanted, &subject, &mut interrupted).await;
    settle(session.clone(), interrupted);
    let began = began.map_err(|error| Problem::from(error).notes(said.lines()))?;
    answer(caller, &session, began, || said.lines()).await
}

/// What a run is wanted of, and the session of who may start it. A fleet counts by its own name and labels.
///
/// # Errors
/// When there is no such runbook or fleet, or the caller may not start runs of it.
pub(super) fn subject(caller: &Caller, binding: &Binding) -> Result<(Session, Arc<Said>, Subject), Problem> {
    let (session, said) = caller.session();
    let subject = source::named(&session.config, binding, session.voice.as_ref());
    let subject = subject.map_err(|error| Problem::from(error).notes(said.lines()))?;
    let metadata = match &subject {
        Subject::One(source) => &source.runbook.metadata,
        Subject::Fleet(source) => &source.roster.metadata,
    };
    let (session, acting) = caller.acting(Right::Operate, &About::of(metadata))?;
    said.pass_on(acting.as_ref());
    Ok((session, acting, subject))
}

impl Start {
    fn wanted(self, idempotency_key: Option<String>) -> Result<Wanted, Problem> {
        let reason = match (self.reason.map(Reason::into_text), &self.simulate) {
            (reason, Some(_)) => reason,
            (reason, None) => Some(app::reason("a real run", reason.as_deref())?),
        };
        let accept_lint = accepted(&self.accept_lint)?;
        if self.expires_in.is_some() && !self.stage {
            let what = "expires_in is about staged runs: add `stage`";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", what));
        }
        Ok(Wanted {
            operation: self.operation,
            binding: Binding {
                runbook: self.runbook,
                mode: self.mode,
                from: self.from,
                to: self.to,
                values: self.parameters,
                accept_lint,
            },
            reason,
            trigger: "api".to_owned(),
            incident_at: self.incident_at,
            detected_at: self.detected_at,
            consents: self.consents,
            staged_for: self.stage.then(|| self.expires_in.unwrap_or(STAGED_FOR)),
            adopt: self.adopt,
            drill: self.drill.into(),
            break_glass: false,
            broken_glass: None,
            simulated: self.simulate.map(Simulated::from),
            idempotency_key,
            notes: BTreeMap::new(),
        })
    }
}

/// Drives a new run, or shows the one there is.
pub(super) async fn answer(
    caller: &Caller,
    session: &Session,
    began: Began,
    notes: impl FnOnce() -> Vec<String>,
) -> Result<Response, Problem> {
    let (status, run) = match began {
        Began::Before(run) => (StatusCode::OK, run),
        Began::New(driver) => {
            let run = driver.state().created.run.clone();
            caller.server().keeper.drive(*driver);
            (StatusCode::CREATED, run)
        }
    };
    let (_, run_view) = view::run(session.journal.as_ref(), &run).await?;
    let started = Started { run: run_view, new: status == StatusCode::CREATED, notes: notes() };
    let place = format!("/api/v1/runs/{run}");
    Ok((status, [(header::LOCATION, place)], Json(started)).into_response())
}

/// Cleanups of drills go on beside the run.
pub(super) fn settle(session: Session, interrupted: Interrupted) {
    tokio::spawn(async move { interrupted.settle(&session).await });
}
