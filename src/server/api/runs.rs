//! Runs: listed, shown and started.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::launch::drills::{DrillFate, Interrupted};
use crate::app::launch::estate::Simulated;
use crate::app::launch::{self, Began, Binding, STAGED_FOR, Wanted, source};
use crate::app::{self, Error, FindRunError, Session, Speed, exit};
use crate::engine::input::Consents;
use crate::evidence::{self, RunView};
use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Mode, Operation};
use crate::model::time::{Duration, Timestamp};
use crate::ports::{RunFilter, RunSummary};
use crate::runtime;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, IdempotencyKey, Path, Query};

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
            .right(Right::Operate)
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
    let runs = caller.session().0.journal.runs(&filter).await?;
    let first = match &wanted.cursor {
        None => 0,
        Some(cursor) => runs.iter().position(|run| run.run == *cursor).map_or(runs.len(), |at| at + 1),
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
        FindRunError::None(_) => Problem::new(StatusCode::NOT_FOUND, "unknown_run", error.to_string()),
        FindRunError::Several(_) => Problem::new(StatusCode::CONFLICT, "ambiguous_run", error.to_string()),
    })
}

async fn show(caller: Caller, Path(text): Path<String>) -> Result<Json<RunView>, Problem> {
    let (session, _) = caller.session();
    let run = find(&session, &text, false).await?;
    Ok(Json(view(&session, &run).await?))
}

/// Where a run stands now.
pub(super) async fn view(session: &Session, run: &RunId) -> Result<RunView, Problem> {
    let loaded = runtime::load(session.journal.as_ref(), run).await?;
    let lease = session.journal.lease(run).await?.filter(|lease| lease.alive);
    let driver = lease.and_then(|lease| lease.holder);
    let driver = driver.map(|holder| format!("{} (pid {}, {})", holder.name, holder.pid, holder.host));
    let last = loaded.state.last_at;
    let now = if loaded.state.status.is_terminal() { last } else { app::now().max(last) };
    Ok(evidence::view(&loaded.plan, &loaded.state, driver, now))
}

/// A run that is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Start {
    /// Name of a service, or of a file in the configured folders without its ending.
    runbook: String,
    /// failover, switchover or failback.
    operation: Operation,
    /// Why; required for a real run.
    #[serde(default)]
    reason: Option<String>,
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
    #[serde(default)]
    consents: Consents,
    /// Run on the simulated estate.
    #[serde(default)]
    simulate: Option<Simulation>,
}

/// How a simulated run is lived.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Simulation {
    /// What goes wrong: the text of a scenario.
    scenario: Option<String>,
    /// How many times as fast as real time; default: as fast as possible.
    #[schemars(range(min = 1, max = 1_000_000))]
    times: Option<u32>,
    /// Its seed.
    seed: Option<u64>,
}

/// What came of wanting a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Started {
    run: RunView,
    /// What matters beside it: warnings, and what is recorded.
    notes: Vec<String>,
}

async fn start(
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Body(wanted): Body<Start>,
) -> Result<Response, Problem> {
    let (session, said) = caller.session();
    let wanted = wanted.wanted(key)?;
    let began = begin(&session, &wanted).await;
    let began = began.map_err(|error| Problem::from(error).notes(said.lines()))?;
    answer(&caller, &session, began, || said.lines()).await
}

async fn begin(session: &Session, wanted: &Wanted) -> Result<Began, Error> {
    let subject = source::named(&session.config, &wanted.binding, session.voice.as_ref())?;
    launch::start(session, wanted, &subject).await
}

impl Start {
    fn wanted(self, idempotency_key: Option<String>) -> Result<Wanted, Error> {
        let reason = match (self.reason, &self.simulate) {
            (reason, Some(_)) => reason,
            (reason, None) => Some(app::reason("a real run", reason.as_deref())?),
        };
        let simulated = |simulation: Simulation| Simulated {
            scenario: simulation.scenario,
            speed: simulation.times.filter(|times| *times > 0).map_or(Speed::Max, Speed::Times),
            seed: simulation.seed,
        };
        if self.expires_in.is_some() && !self.stage {
            return Err(Error::new(exit::USAGE, "expires_in is about staged runs"));
        }
        Ok(Wanted {
            operation: self.operation,
            binding: Binding {
                runbook: self.runbook,
                mode: self.mode,
                from: self.from,
                to: self.to,
                values: self.parameters,
                accept_lint: Vec::new(),
            },
            reason,
            trigger: "api".to_owned(),
            incident_at: self.incident_at,
            detected_at: self.detected_at,
            consents: self.consents,
            staged_for: self.stage.then(|| self.expires_in.unwrap_or(STAGED_FOR)),
            adopt: self.adopt,
            drill: DrillFate::Auto,
            break_glass: false,
            broken_glass: None,
            simulated: self.simulate.map(simulated),
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
        Began::New(driver, interrupted) => {
            let run = driver.state().created.run.clone();
            caller.server().keeper.drive(*driver);
            settle(session.clone(), interrupted);
            (StatusCode::CREATED, run)
        }
    };
    let started = Started { run: view(session, &run).await?, notes: notes() };
    let place = format!("/api/v1/runs/{run}");
    Ok((status, [(header::LOCATION, place)], Json(started)).into_response())
}

/// Cleanups of drills go on beside the run.
fn settle(session: Session, interrupted: Interrupted) {
    tokio::spawn(async move { interrupted.settle(&session).await });
}
