//! Drill schedules: when they fire next, and what came of the last time.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app;
use crate::app::launch::board::{Board, Entry, next};
use crate::model::id::ServiceName;
use crate::model::time::Timestamp;
use crate::runtime::{self, StopSwitch};
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::Caller;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            Method::GET,
            "/api/v1/schedules",
            "list_schedules",
            "Lists drill schedules.",
            get(list),
        )
        .right(Right::View)
        .answers::<List>(StatusCode::OK, "All of them."),
    ]
}

/// All schedules.
#[derive(Debug, Serialize, JsonSchema)]
struct List {
    schedules: Vec<Line>,
    stop_all: StopSwitch,
    /// Files whose schedule cannot be used.
    broken: Vec<Broken>,
}

/// One schedule.
#[derive(Debug, Serialize, JsonSchema)]
struct Line {
    service: ServiceName,
    level: String,
    cron: String,
    timezone: String,
    /// When the next drill begins that no blackout stops.
    next: Option<Timestamp>,
    last_fire: Option<Timestamp>,
    /// What came of the last fire, as the journal has it.
    last: serde_json::Value,
}

/// A file whose schedule cannot be used.
#[derive(Debug, Serialize, JsonSchema)]
struct Broken {
    path: String,
    why: String,
}

async fn list(caller: Caller) -> Result<Json<List>, Problem> {
    let (session, _) = caller.session();
    let journal = session.journal.as_ref();
    let board = Board::read(&session.config)?;
    let mut schedules = Vec::new();
    for Entry { source, scheduled } in board.entries.values() {
        let (record, _) = runtime::schedule_record(journal, &scheduled.service).await?;
        let drill = source.runbook.drill.as_ref();
        let schedule = drill.and_then(|drill| drill.schedule.as_ref());
        schedules.push(Line {
            service: scheduled.service.clone(),
            level: drill.map_or_else(String::new, |drill| drill.level.to_string()),
            cron: schedule.map_or_else(String::new, |schedule| schedule.cron.clone()),
            timezone: scheduled.timetable.zone().name().to_owned(),
            next: next(&scheduled.timetable, app::now()).map(|fire| fire.begins),
            last_fire: record.fired,
            last: serde_json::to_value(record.last).unwrap_or_default(),
        });
    }
    let broken = board.broken.into_iter();
    let broken = broken.map(|broken| Broken { path: broken.path.display().to_string(), why: broken.why });
    let stop_all = runtime::stop_switch(journal).await?;
    Ok(Json(List { schedules, stop_all, broken: broken.collect() }))
}
