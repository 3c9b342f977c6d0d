//! What a server is asked for when somebody wants a run or a drill of it: the same as is wanted here, as the
//! document of its API. Must never hand on what only makes sense on this machine, such as a path.

use serde_json::{Map, Value, json};

use super::check::WantedCheck;
use super::drill::WantedDrill;
use super::estate::Simulated;
use super::interrupt::DrillFate;
use super::promote::WantedPromotion;
use super::{Binding, Wanted};
use crate::app::{Error, RandomIds, Session, Speed, exit};
use crate::journal::RemoteJournal;
pub(crate) use crate::journal::remote::{CheckBegun as CheckAfar, ChecksBegun as ChecksAfar};
use crate::model::id::RunId;
use crate::ports::{IdSource, Refusal};

/// A run that a server has begun, or had begun before.
#[derive(Debug)]
pub(crate) struct BegunAfar {
    /// The run.
    pub run: RunId,
    /// It was begun by this.
    pub new: bool,
}

/// Asks for a run.
///
/// # Errors
/// When what is wanted cannot be had of a server, or the server refuses.
pub(crate) async fn start(
    session: &Session,
    server: &RemoteJournal,
    wanted: &Wanted,
) -> Result<BegunAfar, Error> {
    if wanted.break_glass {
        return Err(Error::new(
            exit::USAGE,
            "--break-glass is about a journal of this machine, not about a server",
        )
        .help("without --server it starts on a fresh journal, and no lock of the server's keeps it")
        .reason("not_through_a_server"));
    }
    let mut document = bound(&wanted.binding)?;
    document.insert("operation".to_owned(), json!(wanted.operation));
    document.insert("consents".to_owned(), json!(wanted.consents));
    document.insert("stage".to_owned(), json!(wanted.staged_for.is_some()));
    document.insert("adopt".to_owned(), json!(wanted.adopt));
    let fate = match wanted.drill {
        DrillFate::Auto => "auto",
        DrillFate::Promote => "promote",
        DrillFate::CleanUp => "clean_up",
    };
    document.insert("drill".to_owned(), json!(fate));
    put(&mut document, "reason", wanted.reason.as_ref());
    put(&mut document, "incident_at", wanted.incident_at.as_ref());
    if let Some(simulated) = &wanted.simulated {
        document.insert("simulate".to_owned(), simulation(simulated));
    }
    begin((session, server), "runs", wanted.idempotency_key.as_deref(), document).await
}

/// Asks for a drill.
///
/// # Errors
/// As [`start`].
pub(crate) async fn drill(
    session: &Session,
    server: &RemoteJournal,
    wanted: &WantedDrill,
) -> Result<BegunAfar, Error> {
    let mut document = bound(&wanted.binding)?;
    document.insert("consents".to_owned(), json!(wanted.consents));
    put(&mut document, "reason", wanted.reason.as_ref());
    put(&mut document, "level", wanted.level.as_ref());
    put(&mut document, "operation", wanted.operation.as_ref());
    document.insert("simulate".to_owned(), simulation(&wanted.simulated));
    begin((session, server), "drills", wanted.idempotency_key.as_deref(), document).await
}

/// Asks for the real run that a drill is promoted to.
///
/// # Errors
/// As [`start`].
pub(crate) async fn promote(
    session: &Session,
    server: &RemoteJournal,
    drill: &RunId,
    wanted: &WantedPromotion,
) -> Result<BegunAfar, Error> {
    let mut document = Map::new();
    document.insert("reason".to_owned(), json!(wanted.reason));
    document.insert("consents".to_owned(), json!(wanted.consents));
    document.insert("parameters".to_owned(), json!(wanted.values));
    put(&mut document, "mode", wanted.mode.as_ref());
    put(&mut document, "incident_at", wanted.incident_at.as_ref());
    begin((session, server), &format!("drills/{drill}/promote"), None, document).await
}

/// Asks for checks.
///
/// # Errors
/// As [`start`].
pub(crate) async fn check(
    session: &Session,
    server: &RemoteJournal,
    wanted: &WantedCheck,
) -> Result<ChecksAfar, Error> {
    let mut document = bound(&wanted.binding)?;
    document.insert("operation".to_owned(), json!(wanted.operation));
    if let Some(estate) = &wanted.simulated {
        document.insert("simulate".to_owned(), json!({"scenario": estate.scenario}));
    }
    let asked = server.begin_checks(&key(None), &Value::Object(document)).await;
    let (checks, notes) = asked.map_err(|refusal| refused(session, refusal))?;
    say(session, &notes);
    Ok(checks)
}

/// With a key a request whose answer was lost can be sent again.
pub(crate) fn key(given: Option<&str>) -> String {
    given.map_or_else(|| format!("cli-{}{}", RandomIds.suffix(), RandomIds.suffix()), str::to_owned)
}

/// A refusal, after what the server has said before it.
pub(crate) fn refused(session: &Session, refusal: Refusal) -> Error {
    say(session, &refusal.notes);
    Error::from(refusal)
}

async fn begin(
    (session, server): (&Session, &RemoteJournal),
    what: &str,
    key_given: Option<&str>,
    document: Map<String, Value>,
) -> Result<BegunAfar, Error> {
    let begun = server.begin(what, &key(key_given), &Value::Object(document)).await;
    let begun = begun.map_err(|refusal| refused(session, refusal))?;
    say(session, &begun.notes);
    Ok(BegunAfar { run: begun.run, new: begun.new })
}

/// What the server has said on the way is said here, as it would have been.
pub(crate) fn say(session: &Session, notes: &[String]) {
    for note in notes {
        session.say(note);
    }
}

fn bound(binding: &Binding) -> Result<Map<String, Value>, Error> {
    let name = &binding.runbook;
    let end = std::path::Path::new(name).extension();
    let is_path = name.contains('/') || end.is_some_and(|end| end == "yaml" || end == "yml");
    if is_path {
        return Err(Error::new(
            exit::USAGE,
            format!("{name} is a path, and a server knows runbooks by name"),
        )
        .help("name the service; the runbook is that of the server")
        .reason("not_through_a_server"));
    }
    let codes: Vec<_> = binding.accept_lint.iter().map(ToString::to_string).collect();
    let mut document = Map::new();
    document.insert("runbook".to_owned(), json!(name));
    document.insert("parameters".to_owned(), json!(binding.values));
    document.insert("accept_lint".to_owned(), json!(codes));
    put(&mut document, "mode", binding.mode.as_ref());
    put(&mut document, "from", binding.from.as_ref());
    put(&mut document, "to", binding.to.as_ref());
    Ok(document)
}

fn simulation(simulated: &Simulated) -> Value {
    let times = match simulated.speed {
        Speed::Max => None,
        Speed::Times(times) => Some(times),
    };
    json!({"scenario": simulated.scenario, "times": times, "seed": simulated.seed})
}

fn put<T: serde::Serialize>(document: &mut Map<String, Value>, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        document.insert(name.to_owned(), json!(value));
    }
}
