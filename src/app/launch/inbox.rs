//! Asks something of a run through its inbox, and hears the answer of whoever drives it.

use super::interrupt::{self, Interrupted};
use super::policy;
use crate::app::{Error, RandomIds, Session, exit};
use crate::engine::event::Event;
use crate::engine::input::{Control, Input, Request};
use crate::engine::{self, RunState};
use crate::evidence::needs_person;
use crate::journal::RemoteJournal;
use crate::model::id::RunId;
use crate::model::run::RunStatus;
use crate::model::time::Duration;
use crate::ports::{Holder, IdSource, StreamName};
use crate::runtime::{self, Loaded};

/// How long a driver may take to answer.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How often whoever waits for an answer looks for it, where nothing wakes it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Records read at once.
const PAGE: usize = 1_000;

/// A request that was put into an inbox.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Id of the request.
    pub id: String,
    /// Who drives the run; absent: nobody.
    pub holder: Option<Holder>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was granted.
    Accepted,
    /// It was refused, and why.
    Refused(String),
    /// Nobody has answered yet.
    None,
}

/// Puts a request into a run's inbox, unless it is plain that it would be refused and nobody drives the run.
/// `interrupted` takes the drills that were told to end because a staged run begins.
///
/// # Errors
/// When the run is over, the policy or the run refuse it, or the journal does.
pub(crate) async fn ask(
    session: &Session,
    run: &RunId,
    control: Control,
    reason: Option<String>,
    interrupted: &mut Interrupted,
) -> Result<Asked, Error> {
    ask_as(session, run, new_id(), (control, reason), interrupted).await
}

/// As [`ask`], with an id that whoever asks has drawn: the same id again changes nothing.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn ask_as(
    session: &Session,
    run: &RunId,
    id: String,
    (control, reason): (Control, Option<String>),
    interrupted: &mut Interrupted,
) -> Result<Asked, Error> {
    if let Some(server) = &session.server {
        return afar(session, server, run, request(session, id, control, reason)?).await;
    }
    let ready = ready_as(session, run, id, (control, reason)).await?;
    ready.put(session, run, interrupted).await?;
    Ok(Asked { id: ready.request.id, holder: ready.holder })
}

/// A request that can be put into an inbox, as far as that is known before anything was done for it.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Who drives the run; absent: nobody.
    pub holder: Option<Holder>,
    loaded: Loaded,
    request: Request,
}

/// Makes a request ready for a run's inbox, and asks nothing of the run.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn ready(
    session: &Session,
    run: &RunId,
    control: Control,
    reason: Option<String>,
) -> Result<Ready, Error> {
    ready_as(session, run, new_id(), (control, reason)).await
}

async fn ready_as(
    session: &Session,
    run: &RunId,
    id: String,
    (control, reason): (Control, Option<String>),
) -> Result<Ready, Error> {
    let loaded = runtime::load(session.journal.as_ref(), run).await?;
    let request = request(session, id, control, reason)?;
    if loaded.state.answered.contains(&request.id) {
        return Ok(Ready { holder: driven_by(session, run).await?, loaded, request });
    }
    if loaded.state.status.is_terminal() {
        return Err(Error::new(exit::REFUSED, format!("{run} is over: {}", loaded.state.status))
            .help(format!("`drctl runs show {run}` says what became of it; what follows is a run of its own"))
            .reason("run_over"));
    }
    if request.control == Control::Start {
        policy::may_begin(session, &loaded).await?;
    }
    let holder = driven_by(session, run).await?;
    // Driving the run is what was wanted, whether or not there was a pause to end.
    let resumes = matches!(request.control, Control::Resume);
    if let Some(refused) = foreseen(&loaded, &request).filter(|_| holder.is_none() && !resumes) {
        let help = way_on(&loaded, &request.control);
        return Err(Error::new(exit::REFUSED, refused).help(help).reason("refused"));
    }
    Ok(Ready { holder, loaded, request })
}

impl Ready {
    /// Id of the request.
    pub(crate) fn id(&self) -> &str {
        &self.request.id
    }

    /// Puts the request into the inbox. `interrupted` takes the drills that were told to end because a staged
    /// run begins.
    ///
    /// # Errors
    /// When a drill does not let go of its service, or the journal refuses.
    pub(crate) async fn put(
        &self,
        session: &Session,
        run: &RunId,
        interrupted: &mut Interrupted,
    ) -> Result<(), Error> {
        let Self { loaded, request, .. } = self;
        if loaded.state.answered.contains(&request.id) {
            return Ok(());
        }
        if request.control == Control::Start {
            *interrupted = interrupt::make_way(session, run, loaded, request.reason.as_deref()).await?;
        }
        session.journal.submit(run, request).await?;
        Ok(())
    }
}

/// What helps where a run that nobody drives would refuse a request.
fn way_on(loaded: &Loaded, control: &Control) -> String {
    let (state, run) = (&loaded.state, &loaded.state.created.run);
    // A verdict is no matter of who drives, nor is the end of what has come to its end.
    let ended = matches!(state.status, RunStatus::AwaitingAttestation | RunStatus::CleanupIncomplete);
    if matches!(control, Control::Attest { .. }) || ended {
        return format!("this was not recorded; `drctl runs show {run}` says what the drill waits for");
    }
    // Driving it on leads nowhere while it waits for a person.
    let waits = if state.status.needs_person() { needs_person(&loaded.plan, state) } else { Vec::new() };
    let left = format!("nobody drives {run}, and this was not recorded");
    match waits.first() {
        // What one of its runs waits for is given to that one; this one still wants a driver.
        Some(needed) if needed.kind == "child" => {
            format!(
                "{left}; what it waits for: {}; then `drctl resume {run}` goes on with it",
                needed.command
            )
        }
        Some(needed) => format!("{left}; what it waits for: {}", needed.command),
        None => format!("{left}; `drctl resume {run}` goes on with it"),
    }
}

/// Asks a server, which looks at everything that is to be looked at.
async fn afar(
    session: &Session,
    server: &RemoteJournal,
    run: &RunId,
    request: Request,
) -> Result<Asked, Error> {
    // Looked at before: whoever takes the run over because of this did not drive it.
    let holder = driven_by(session, run).await?;
    let notes = server.ask(run, &request).await.map_err(|refusal| {
        for note in &refusal.notes {
            session.say(note);
        }
        Error::from(refusal)
    })?;
    for note in &notes {
        session.say(note);
    }
    Ok(Asked { id: request.id, holder })
}

/// Who drives a run; absent: nobody.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn driven_by(session: &Session, run: &RunId) -> Result<Option<Holder>, Error> {
    let lease = session.journal.lease(run).await?;
    Ok(lease.filter(|lease| lease.alive).and_then(|lease| lease.holder))
}

/// Puts a request into a run's inbox and returns its id.
///
/// # Errors
/// When the inbox is full or the journal cannot be reached.
pub(crate) async fn submit(
    session: &Session,
    run: &RunId,
    control: Control,
    reason: Option<String>,
) -> Result<String, Error> {
    let request = request(session, new_id(), control, reason)?;
    session.journal.submit(run, &request).await?;
    Ok(request.id)
}

fn new_id() -> String {
    format!("{}{}", RandomIds.suffix(), RandomIds.suffix())
}

fn request(
    session: &Session,
    id: String,
    control: Control,
    reason: Option<String>,
) -> Result<Request, Error> {
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > crate::model::limits::REASON_CHARS) {
        return Err(Error::new(exit::USAGE, "the reason is longer than 1,000 characters"));
    }
    Ok(Request { id, by: session.identity.clone(), from: session.from.clone(), reason, control })
}

/// Why a request would be refused to whoever takes the run over now: nothing is begun for the sake of a
/// refusal.
fn foreseen(loaded: &Loaded, request: &Request) -> Option<String> {
    let mut state = taken_over(loaded)?;
    asked(loaded, &mut state, request)?.into_iter().find_map(|event| match event {
        Event::RequestAnswered { refused, .. } => refused,
        _ => None,
    })
}

/// A run as it will stand when whoever takes it over has answered what waits in its inbox.
#[must_use]
pub(crate) fn ended(loaded: &Loaded, waiting: &[Request]) -> RunState {
    let Some(mut state) = taken_over(loaded) else { return loaded.state.clone() };
    for request in waiting {
        asked(loaded, &mut state, request);
    }
    state
}

/// A run as whoever takes it over finds it.
fn taken_over(loaded: &Loaded) -> Option<RunState> {
    let Loaded { plan, state, .. } = loaded;
    let (now, mut state) = (state.last_at, state.clone());
    let taken = Input::TookOver {
        token: state.token + 1,
        holder: String::new(),
        host: String::new(),
        traces: None,
        skew: Duration::ZERO,
    };
    for event in engine::decide(plan, &state, taken, now).ok()? {
        engine::apply(plan, &mut state, &event, now);
    }
    Some(state)
}

/// What a request means for a run, which is left as that makes it.
fn asked(loaded: &Loaded, state: &mut RunState, request: &Request) -> Option<Vec<Event>> {
    let now = state.last_at;
    let events = engine::decide(&loaded.plan, state, Input::Request(request.clone()), now).ok()?;
    for event in &events {
        engine::apply(&loaded.plan, state, event, now);
    }
    Some(events)
}

/// Waits for the answer to a request.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn answer(session: &Session, run: &RunId, id: &str) -> Result<Answer, Error> {
    let (mut after, mut waited) = (0, 0);
    while waited < ANSWER_WITHIN.as_millis() {
        match read_on(session, run, id, &mut after).await? {
            Answer::None => {}
            answer @ (Answer::Accepted | Answer::Refused(_)) => return Ok(answer),
        }
        session.journal.changed(LOOK_EVERY).await;
        waited += LOOK_EVERY.as_millis();
    }
    Ok(Answer::None)
}

/// Waits for the answer of whoever drives a run. Absent: it died before it answered, and nobody drives it
/// any more. A process that is killed while it starts a program lives on in that for a moment, as far as
/// anybody can tell, so that who lived when the request was made may be dead all the same.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn answer_of_driver(
    session: &Session,
    run: &RunId,
    id: &str,
) -> Result<Option<Answer>, Error> {
    let (mut after, mut waited) = (0, 0);
    loop {
        // Asked before the journal is read: a driver that answers and ends is heard.
        let driven = driven_by(session, run).await?.is_some();
        match read_on(session, run, id, &mut after).await? {
            Answer::None if !driven => return Ok(None),
            Answer::None if waited < ANSWER_WITHIN.as_millis() => {}
            answer @ (Answer::None | Answer::Accepted | Answer::Refused(_)) => return Ok(Some(answer)),
        }
        session.journal.changed(LOOK_EVERY).await;
        waited += LOOK_EVERY.as_millis();
    }
}

/// The answer to a request, as far as there is one.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn find(session: &Session, run: &RunId, wanted: &str) -> Result<Answer, Error> {
    read_on(session, run, wanted, &mut 0).await
}

/// Looks for the answer to a request after a sequence, which moves on to the last one that was read.
async fn read_on(session: &Session, run: &RunId, wanted: &str, after: &mut u64) -> Result<Answer, Error> {
    let stream = StreamName::run(run);
    loop {
        let records = session.journal.read(&stream, *after, PAGE).await?;
        for record in &records {
            *after = record.sequence;
            if record.kind != "request_answered" {
                continue;
            }
            if let Ok(Event::RequestAnswered { id, refused, .. }) = serde_json::from_str(&record.body)
                && id == wanted
            {
                return Ok(refused.map_or(Answer::Accepted, Answer::Refused));
            }
        }
        if records.len() < PAGE {
            return Ok(Answer::None);
        }
    }
}
