//! Commands that ask something of a run: through its inbox, so that they work from any terminal.

use clap::Args;
use serde_json::{Map, Value};

use super::follow::{self, Followed};
use super::session::{self, Session};
use super::{Error, Global, exit, output, resume};
use crate::engine;
use crate::engine::event::Event;
use crate::engine::input::{Control, Input, Request};
use crate::evidence::ways_out;
use crate::model::id::{NodeAddress, RunId};
use crate::model::run::Mode;
use crate::model::time::Duration;
use crate::ports::{IdSource, StreamName};
use crate::runtime::Loaded;

/// How long a driver may take to answer before the command says that it has not.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A run and a reason.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// Why; required for abort and unwind.
    #[arg(long)]
    reason: Option<String>,
}

/// Arguments of `abort`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AbortArguments {
    #[command(flatten)]
    run: RunArguments,
    /// Show what the run has changed and which ways lead out, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// A run and one of its nodes.
#[derive(Debug, Clone, Args)]
pub(crate) struct NodeArguments {
    #[command(flatten)]
    run: RunArguments,
    /// Node, such as `promote` or `scale[web]`.
    node: String,
}

/// A run and perhaps one of its nodes.
#[derive(Debug, Clone, Args)]
pub(crate) struct OptionalNodeArguments {
    #[command(flatten)]
    run: RunArguments,
    /// Node; absent: the only one that waits.
    node: Option<String>,
}

/// Arguments of `skip`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SkipArguments {
    #[command(flatten)]
    node: NodeArguments,
    /// Let what needs the node for its safety go on all the same; stands in the report.
    #[arg(long = "override")]
    override_safety: bool,
}

/// Arguments of `done`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoneArguments {
    #[command(flatten)]
    node: NodeArguments,
    /// An output of the node, as JSON or text; may be given several times.
    #[arg(long = "output-value", value_name = "NAME=VALUE")]
    outputs: Vec<String>,
}

/// Arguments of `mode`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModeArguments {
    #[command(flatten)]
    run: RunArguments,
    /// The mode: only `ungraceful` is possible during a run.
    mode: Mode,
}

/// Asks something of a whole run.
///
/// # Errors
/// When it is refused, or nobody answers.
pub(crate) fn of_run(global: &Global, arguments: &RunArguments, control: Control) -> Result<u8, Error> {
    let needs_reason = matches!(control, Control::Abort | Control::Unwind);
    send(global, arguments, control, needs_reason)
}

/// `drctl abort`: holds, or tells which ways there are.
///
/// # Errors
/// As [`of_run`].
pub(crate) fn abort(global: &Global, arguments: &AbortArguments) -> Result<u8, Error> {
    if arguments.dry_run {
        return show_ways_out(global, &arguments.run);
    }
    of_run(global, &arguments.run, Control::Abort)
}

fn show_ways_out(global: &Global, arguments: &RunArguments) -> Result<u8, Error> {
    let session = Session::open_existing(global)?;
    session::block_on(async {
        let run = session.find_run(&arguments.run, true).await?;
        let loaded = crate::runtime::load(session.journal.as_ref(), &run).await?;
        if loaded.state.status.is_terminal() {
            let what = format!("{run} is over: {}", loaded.state.status);
            return Err(Error::new(exit::REFUSED, what).reason("run_over"));
        }
        let ways = ways_out(&loaded.plan, &loaded.state);
        output::print(global.output, &ways, || ways.text())?;
        Ok(exit::SUCCESS)
    })
}

/// `drctl retry`.
///
/// # Errors
/// As [`of_run`].
pub(crate) fn retry(global: &Global, arguments: &NodeArguments) -> Result<u8, Error> {
    send(global, &arguments.run, Control::Retry { node: NodeAddress::typed(&arguments.node) }, false)
}

/// `drctl skip`.
///
/// # Errors
/// As [`of_run`].
pub(crate) fn skip(global: &Global, arguments: &SkipArguments) -> Result<u8, Error> {
    let node = NodeAddress::typed(&arguments.node.node);
    send(
        global,
        &arguments.node.run,
        Control::Skip { node, override_safety: arguments.override_safety },
        true,
    )
}

/// `drctl done`.
///
/// # Errors
/// As [`of_run`].
pub(crate) fn done(global: &Global, arguments: &DoneArguments) -> Result<u8, Error> {
    let node = NodeAddress::typed(&arguments.node.node);
    let mut outputs = Map::new();
    for pair in &arguments.outputs {
        let (name, text) = pair.split_once('=').ok_or_else(|| {
            Error::new(exit::USAGE, format!("--output-value {pair}: write it as name=value"))
        })?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        outputs.insert(name.to_owned(), value);
    }
    send(global, &arguments.node.run, Control::Done { node, outputs }, true)
}

/// `drctl deny`.
///
/// # Errors
/// As [`of_run`].
pub(crate) fn deny(global: &Global, arguments: &OptionalNodeArguments) -> Result<u8, Error> {
    let node = arguments.node.as_deref().map(NodeAddress::typed);
    send(global, &arguments.run, Control::Deny { node }, false)
}

/// `drctl mode`.
///
/// # Errors
/// As [`of_run`].
pub(crate) fn mode(global: &Global, arguments: &ModeArguments) -> Result<u8, Error> {
    send(global, &arguments.run, Control::Mode(arguments.mode), true)
}

fn send(
    global: &Global,
    arguments: &RunArguments,
    control: Control,
    needs_reason: bool,
) -> Result<u8, Error> {
    if needs_reason && arguments.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Error::new(exit::USAGE, format!("{} needs a reason", control.verb()))
            .help("add --reason \"…\"; it stands in the journal and in the report"));
    }
    let session = Session::open_existing(global)?;
    session::block_on(async {
        let run = session.find_run(&arguments.run, true).await?;
        ask(global, &session, &run, control, arguments.reason.clone()).await
    })
}

/// Puts a request into a run's inbox. Where somebody drives the run, waits for the answer; else drives the
/// run itself.
///
/// # Errors
/// When it is refused, or nobody answers.
pub(crate) async fn ask(
    global: &Global,
    session: &Session,
    run: &RunId,
    control: Control,
    reason: Option<String>,
) -> Result<u8, Error> {
    let loaded = crate::runtime::load(session.journal.as_ref(), run).await?;
    if loaded.state.status.is_terminal() {
        return Err(
            Error::new(exit::REFUSED, format!("{run} is over: {}", loaded.state.status)).reason("run_over")
        );
    }
    if control == Control::Start {
        super::policy::may_begin(session, &loaded).await?;
    }
    let verb = control.verb();
    // Driving the run is what was wanted, whether or not there was a pause to end.
    let resumes = matches!(control, Control::Resume);
    let request = request(session, control, reason)?;
    let id = request.id.clone();
    let lease = session.journal.lease(run).await?;
    let held = lease.as_ref().is_some_and(|lease| lease.alive && lease.holder.is_some());
    if let Some(refused) = foreseen(&loaded, &request).filter(|_| !held && !resumes) {
        return Err(Error::new(exit::REFUSED, refused)
            .help(format!(
                "nobody drives {run}, and this was not recorded; `drctl resume {run}` goes on with it"
            ))
            .reason("refused"));
    }
    session.journal.submit(run, &request).await?;
    if let Some(holder) = lease.filter(|lease| lease.alive).and_then(|lease| lease.holder) {
        let who = format!("{} (pid {}, {})", holder.name, holder.pid, holder.host);
        return answer(session, run, verb, &id, &who).await;
    }
    output::say(&format!("nobody drives {run}: this process does from here on"));
    let driver = resume::take_over(session, run, std::collections::BTreeMap::new()).await?;
    let code = follow::drive(global, session, driver, Followed::default()).await?;
    match find_answer(session, run, &id, 0).await? {
        Some((Some(refused), _)) if !resumes => Err(Error::new(exit::REFUSED, refused).reason("refused")),
        Some(_) | None => Ok(code),
    }
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
    let request = request(session, control, reason)?;
    session.journal.submit(run, &request).await?;
    Ok(request.id)
}

fn request(session: &Session, control: Control, reason: Option<String>) -> Result<Request, Error> {
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > crate::model::limits::REASON_CHARS) {
        return Err(Error::new(exit::USAGE, "the reason is longer than 1,000 characters"));
    }
    let id = format!("{}{}", crate::app::RandomIds.suffix(), crate::app::RandomIds.suffix());
    let from = format!("cli@{}", crate::app::host_name());
    Ok(Request { id, by: session.identity.clone(), from, reason, control })
}

/// Why a request would be refused to whoever takes the run over now: nothing is begun for the sake of a
/// refusal.
fn foreseen(loaded: &Loaded, request: &Request) -> Option<String> {
    let Loaded { plan, state, .. } = loaded;
    let (now, mut state) = (state.last_at, state.clone());
    let taken = Input::TookOver {
        token: state.token + 1,
        holder: String::new(),
        host: String::new(),
        skew: Duration::ZERO,
    };
    for event in engine::decide(plan, &state, taken, now).ok()? {
        engine::apply(plan, &mut state, &event, now);
    }
    let events = engine::decide(plan, &state, Input::Request(request.clone()), now).ok()?;
    events.into_iter().find_map(|event| match event {
        Event::RequestAnswered { refused, .. } => refused,
        _ => None,
    })
}

async fn answer(session: &Session, run: &RunId, verb: &str, id: &str, who: &str) -> Result<u8, Error> {
    let mut after = 0;
    let mut waited = 0;
    while waited < ANSWER_WITHIN.as_millis() {
        match find_answer(session, run, id, after).await? {
            Some((Some(refused), _)) => return Err(Error::new(exit::REFUSED, refused).reason("refused")),
            Some((None, _)) => {
                output::line(&format!("{verb}: accepted by {who}"))?;
                return Ok(exit::SUCCESS);
            }
            None => after = last_sequence(session, run).await?.max(after),
        }
        session.journal.changed(Duration::from_millis(100)).await;
        waited += 100;
    }
    Err(Error::new(
        exit::NEEDS_PERSON,
        format!("{verb}: recorded, but {who} has not answered within {ANSWER_WITHIN}"),
    )
    .help(format!("see `drctl runs events {run}`; the request stays in the inbox")))
}

async fn last_sequence(session: &Session, run: &RunId) -> Result<u64, Error> {
    let loaded = crate::runtime::load(session.journal.as_ref(), run).await?;
    // One back: the answer may have been recorded between the two reads.
    Ok(loaded.state.sequence.saturating_sub(64))
}

/// The answer to a request: what was wrong with it, if anything, and its sequence.
async fn find_answer(
    session: &Session,
    run: &RunId,
    wanted: &str,
    after: u64,
) -> Result<Option<(Option<String>, u64)>, Error> {
    let stream = StreamName::run(run);
    let mut after = after;
    loop {
        let records = session.journal.read(&stream, after, 1_000).await?;
        for record in &records {
            after = record.sequence;
            if record.kind != "request_answered" {
                continue;
            }
            if let Ok(Event::RequestAnswered { id, refused, .. }) = serde_json::from_str(&record.body)
                && id == wanted
            {
                return Ok(Some((refused, record.sequence)));
            }
        }
        if records.len() < 1_000 {
            return Ok(None);
        }
    }
}
