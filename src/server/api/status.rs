//! How services stand, as `drctl status` tells it, and what of a runbook was exercised, as `drctl coverage`.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::launch::Binding;
use crate::app::launch::policy;
use crate::app::launch::source::{self, Subject};
use crate::app::status::{self, Line, Service};
use crate::app::{self, Session};
use crate::evidence::coverage::{Coverage, Window, coverage};
use crate::model::time::Duration;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Caller, Path, Query};

/// Furthest look back, in days.
const DAYS: u32 = 3_650;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = Endpoint::new;
    vec![
        endpoint(Method::GET, "/api/v1/status", "show_status", "Shows how services stand.", get(all))
            .right(Right::View)
            .answers::<Vec<Line>>(StatusCode::OK, "Those of the configured folders."),
        endpoint(
            Method::GET,
            "/api/v1/services/{service}/status",
            "show_service_status",
            "Shows how a service stands.",
            get(one),
        )
        .right(Right::View)
        .answers::<Line>(StatusCode::OK, "How ready it is, and why."),
        endpoint(
            Method::GET,
            "/api/v1/runbooks/{name}/coverage",
            "show_coverage",
            "Shows what of a runbook was exercised.",
            get(covered),
        )
        .right(Right::View)
        .query::<Days>()
        .answers::<Coverage>(StatusCode::OK, "Its steps, branches, modes and directions."),
    ]
}

async fn all(caller: Caller) -> Result<Json<Vec<Line>>, Problem> {
    let (session, _) = caller.session();
    let found = status::found(&session.config, &[])?;
    Ok(Json(lines(&caller, &session, &found.services).await?))
}

async fn one(caller: Caller, Path(name): Path<String>) -> Result<Json<Line>, Problem> {
    let (session, _) = caller.session();
    let mut found = status::found(&session.config, &[])?.services;
    found.retain(|service| service.name.as_str() == name);
    let unknown = || {
        let what = format!("no runbook of the configured folders is about {name}");
        Problem::new(StatusCode::NOT_FOUND, "unknown_service", what)
    };
    lines(&caller, &session, &found).await?.pop().map(Json).ok_or_else(unknown)
}

async fn lines(caller: &Caller, session: &Session, services: &[Service]) -> Result<Vec<Line>, Problem> {
    let config = &session.config;
    let rules = policy::load(config.policy.as_deref(), &config.lints, session.voice.as_ref())?;
    let known = caller.server().known_readings().await?;
    let journal = session.journal.as_ref();
    Ok(status::lines(journal, services, rules.as_ref(), &known, app::now()).await?)
}

/// How far back is looked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Days {
    /// How many days.
    #[schemars(range(min = 1, max = 3650))]
    days: u32,
}

impl Default for Days {
    fn default() -> Self {
        Self { days: 90 }
    }
}

async fn covered(
    caller: Caller,
    Path(name): Path<String>,
    Query(Days { days }): Query<Days>,
) -> Result<Json<Coverage>, Problem> {
    if !(1..=DAYS).contains(&days) {
        let what = format!("days is 1 to {DAYS}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", what));
    }
    let (session, said) = caller.session();
    let binding = Binding { runbook: name, ..Binding::default() };
    let subject = source::named(&session.config, &binding, session.voice.as_ref());
    let source = match subject.map_err(|error| Problem::from(error).notes(said.lines()))? {
        Subject::One(source) => source,
        Subject::Fleet(_) => {
            let what = "a fleet has no steps of its own: ask for its members";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "fleet", what));
        }
    };
    let until = app::now();
    let since = until.minus(Duration::from_secs(u64::from(days) * 86_400));
    let service = &source.runbook.metadata.name;
    let history = app::history(session.journal.as_ref(), service, since).await?;
    Ok(Json(coverage(&source.runbook, &history.past(), Window { since, until })))
}
