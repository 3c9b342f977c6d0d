//! Runbooks of the configured folders: listed, shown, planned; and texts that are checked without being kept.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::cursors;
use crate::app::Error;
use crate::app::launch::files::{self, Broken, Found, compiled::compiled};
use crate::app::launch::plannable::{self, Beside};
use crate::app::launch::source::{self, Subject};
use crate::app::launch::{Binding, planned, policy, route};
use crate::compile;
use crate::config::Config;
use crate::engine::service::ServiceRecord;
use crate::model::id::SiteName;
use crate::model::run::{Intent, Mode, Operation};
use crate::plan::Plan;
use crate::runtime;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, Path, Query};

/// Bytes of texts after which a page ends.
const SHELF_BYTES: usize = 4 * 1024 * 1024;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = Endpoint::new;
    vec![
        endpoint(Method::GET, "/api/v1/runbooks", "list_runbooks", "Lists runbooks and fleets.", get(list))
            .right(Right::View)
            .answers::<Vec<Entry>>(StatusCode::OK, "Those of the configured folders."),
        endpoint(
            Method::GET,
            "/api/v1/runbooks/{name}",
            "show_runbook",
            "Shows the text of a runbook.",
            get(show),
        )
        .right(Right::View)
        .answers::<Text>(StatusCode::OK, "Its text."),
        endpoint(Method::GET, "/api/v1/shelf", "list_shelf", "Shows all texts of the folders.", get(shelf))
            .right(Right::View)
            .query::<From>()
            .answers::<Shelf>(StatusCode::OK, "A page of them, in order."),
        endpoint(
            Method::POST,
            "/api/v1/runbooks/{name}/plan",
            "plan_runbook",
            "Plans an operation.",
            post(plan),
        )
        .right(Right::View)
        .body::<ToPlan>()
        .answers::<Planned>(StatusCode::OK, "What it would do now."),
        endpoint(
            Method::POST,
            "/api/v1/validate",
            "validate",
            "Checks the text of a runbook, as `drctl validate` does.",
            post(validate),
        )
        .right(Right::View)
        .body::<ToCheck>()
        .answers::<Checked>(StatusCode::OK, "What was found."),
    ]
}

/// A runbook or fleet.
#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    /// Name it is asked for by.
    name: String,
    /// `Runbook` or `Fleet`.
    kind: String,
    /// Whether it compiles, where that was looked at.
    sound: Option<bool>,
}

async fn list(caller: Caller) -> Result<Json<Vec<Entry>>, Problem> {
    let (session, _) = caller.session();
    let entries = aside(move || entries(&session.config)).await??;
    Ok(Json(entries.into_values().collect()))
}

/// Compiles, which takes long for large texts and for many of them: some at once, and beside everything else
/// the server does.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    static ROOM: Semaphore = Semaphore::const_new(2);
    let gone =
        || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", "drctl has a bug; its log says more");
    let _turn = ROOM.acquire().await.map_err(|_| gone())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| gone())
}

fn entries(config: &Config) -> Result<BTreeMap<String, Entry>, Error> {
    let options = source::options(config)?;
    let mut entries = BTreeMap::new();
    for path in files::all(&config.runbooks, None).files {
        let Ok(text) = source::read(&path) else { continue };
        let Some(kind @ ("Runbook" | "Fleet")) = files::kind(&text) else { continue };
        let (kind, fleet) = (kind.to_owned(), files::is_fleet(&text));
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let sound = (!fleet).then(|| compiled(&text, &options).0.is_some());
        entries.insert(name.clone(), Entry { name, kind, sound });
    }
    Ok(entries)
}

/// The text of a runbook.
#[derive(Debug, Serialize, JsonSchema)]
struct Text {
    /// YAML.
    text: String,
}

async fn show(caller: Caller, Path(name): Path<String>) -> Result<Json<Text>, Problem> {
    let (session, _) = caller.session();
    let path = source::find_named(&session.config, &name)?;
    Ok(Json(Text { text: source::read(&path)? }))
}

/// Which texts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct From {
    /// How many are passed over.
    after: usize,
}

/// A page of texts.
#[derive(Debug, Serialize, JsonSchema)]
struct Shelf {
    sheets: Vec<Sheet>,
    /// There are further ones behind them.
    more: bool,
}

/// The text of a runbook, fleet or scenario, and where it lies.
#[derive(Debug, Serialize, JsonSchema)]
struct Sheet {
    /// The folder, as the configuration names it.
    folder: String,
    /// Its path inside.
    path: String,
    /// YAML.
    text: String,
    /// Why it cannot be read, or looked into where it is a folder.
    unreadable: Option<String>,
}

impl Sheet {
    /// Of a file, or of what cannot be looked into.
    fn of(folder: &std::path::Path, found: Result<PathBuf, Broken>) -> Self {
        let read = |path: PathBuf| match source::read(&path) {
            Ok(text) => Ok((path, text)),
            Err(error) => Err(files::unread(&path, &error)),
        };
        let (path, text, unreadable) = match found.and_then(read) {
            Ok((path, text)) => (path, text, None),
            Err(Broken { path, why }) => (path, String::new(), Some(why)),
        };
        let inside = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        Self { folder: folder.display().to_string(), path: inside, text, unreadable }
    }
}

async fn shelf(caller: Caller, Query(from): Query<From>) -> Result<Json<Shelf>, Problem> {
    let (session, _) = caller.session();
    let files = files::wanted(&session.config.runbooks).flat_map(|folder| {
        let Found { files, unreadable } = files::within(folder);
        let found = files.into_iter().map(Ok).chain(unreadable.into_iter().map(Err));
        found.map(move |found| (folder, found))
    });
    let files: Vec<_> = files.collect();
    cursors::is_within(from.after, files.len())?;
    let (mut sheets, mut bytes, mut more) = (Vec::new(), 0, false);
    for (folder, found) in files.into_iter().skip(from.after) {
        if bytes > SHELF_BYTES {
            more = true;
            break;
        }
        let sheet = Sheet::of(folder, found);
        bytes += sheet.text.len();
        sheets.push(sheet);
    }
    Ok(Json(Shelf { sheets, more }))
}

/// What is planned.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToPlan {
    /// failover, switchover or failback.
    operation: Operation,
    /// graceful or ungraceful.
    #[serde(default)]
    mode: Option<Mode>,
    /// Site the service leaves.
    #[serde(default)]
    from: Option<SiteName>,
    /// Site the service moves to.
    #[serde(default)]
    to: Option<SiteName>,
    /// Values of parameters.
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    /// Plan a simulated run.
    #[serde(default)]
    simulate: bool,
}

/// A plan.
#[derive(Debug, Serialize, JsonSchema)]
struct Planned {
    /// As `drctl plan --output json` prints it.
    #[schemars(with = "Value")]
    plan: Plan,
    /// What matters beside it.
    notes: Vec<String>,
}

async fn plan(
    caller: Caller,
    Path(name): Path<String>,
    Body(wanted): Body<ToPlan>,
) -> Result<Json<Planned>, Problem> {
    let (session, said) = caller.session();
    let intent = if wanted.simulate { Intent::Simulate } else { Intent::Real };
    let binding = Binding {
        runbook: name,
        mode: wanted.mode,
        from: wanted.from,
        to: wanted.to,
        values: wanted.parameters,
        accept_lint: Vec::new(),
    };
    let subject = source::named(&session.config, &binding, session.voice.as_ref());
    let plan = match subject.map_err(|error| Problem::from(error).notes(said.lines()))? {
        Subject::One(source) => {
            let record = match intent {
                Intent::Simulate => ServiceRecord::default(),
                _ => runtime::service_record(session.journal.as_ref(), &source.runbook.metadata.name).await?,
            };
            let choices = route::choices(&binding, wanted.operation, intent, &source.runbook, &record)?;
            planned::bind(&source, &choices)?
        }
        Subject::Fleet(source) => {
            let plan = planned::fleet_plan(&source, &binding, wanted.operation, intent)?;
            let records = source.shelf.records(&session, &plan).await?;
            source.shelf.nest(&source.path, plan, &records)?.0
        }
    };
    Ok(Json(Planned { plan, notes: said.lines() }))
}

/// A text to be checked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToCheck {
    /// YAML of a runbook.
    text: String,
}

/// What was found in a text.
#[derive(Debug, Serialize, JsonSchema)]
struct Checked {
    /// Whether it compiles, the policy allows it, and all it can be asked to do can be planned.
    sound: bool,
    /// What was found.
    findings: Vec<Finding>,
}

/// Something that was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Finding {
    code: String,
    severity: String,
    message: String,
    line: Option<u32>,
    column: Option<u32>,
    help: Option<String>,
}

async fn validate(caller: Caller, Body(wanted): Body<ToCheck>) -> Result<Json<Checked>, Problem> {
    let (session, _) = caller.session();
    let config = session.config.clone();
    let options = source::options(&config)?;
    let rules = policy::load(config.policy.as_deref(), &config.lints, session.voice.as_ref())?;
    let (runbook, found) = aside(move || {
        // As if it lay among the others.
        let path = config.runbooks.first().map_or_else(PathBuf::new, |folder| folder.join("runbook.yaml"));
        let beside = Beside { folders: &config.runbooks, options: &options, path: &path };
        let compiled = compile::compile_with(&wanted.text, &options);
        plannable::judged(&wanted.text, compiled, rules.as_ref(), &beside)
    })
    .await?;
    let sound = runbook.is_some() && !found.iter().any(compile::Diagnostic::is_error);
    let finding = |found: compile::Diagnostic| Finding {
        code: found.code.to_string(),
        severity: found.severity.to_string(),
        message: found.message,
        line: found.span.map(|span| span.line),
        column: found.span.map(|span| span.column),
        help: found.help,
    };
    Ok(Json(Checked { sound, findings: found.into_iter().map(finding).collect() }))
}
