//! Commands that ask something of a run: through its inbox, so that they work from any terminal.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Map, Value};

use super::binding::SensitiveFlags;
use super::follow::{self, Followed};
use super::session::{self, Session};
use super::{Error, Global, exit, output};
use crate::app::launch::inbox::{self, Answer, Asked};
use crate::app::launch::interrupt::Interrupted;
use crate::app::launch::takeover;
use crate::engine::input::Control;
use crate::evidence::ways_out;
use crate::journal::RemoteJournal;
use crate::model::id::{NodeAddress, RunId};
use crate::model::run::Mode;

/// A run and a reason.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// Why; required for abort and unwind.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    sensitive: SensitiveFlags,
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
    let sensitive = arguments.sensitive.values(&session)?;
    let wish = Wish { control, reason: arguments.reason.clone(), sensitive };
    session::block_on(async {
        let run = session.find_run(&arguments.run, true).await?;
        ask(global, &session, &run, wish).await
    })
}

/// What somebody asks of a run.
#[derive(Debug)]
pub(crate) struct Wish {
    /// What.
    pub control: Control,
    /// Why.
    pub reason: Option<String>,
    /// Values of sensitive parameters, in case this process takes the run over.
    pub sensitive: BTreeMap<String, Value>,
}

/// Asks something of a run. Where somebody drives it, waits for the answer; else drives the run itself: what
/// cannot be taken over is asked nothing, so that nobody carries out later what was told to have failed.
///
/// # Errors
/// When it is refused, the run cannot be taken over, or nobody answers.
pub(crate) async fn ask(global: &Global, session: &Session, run: &RunId, wish: Wish) -> Result<u8, Error> {
    let mut interrupted = Interrupted::default();
    let ended = if let Some(server) = &session.server {
        Box::pin(asked_afar(global, session, (server, run), wish, &mut interrupted)).await
    } else {
        Box::pin(asked(global, session, run, wish, &mut interrupted)).await
    };
    interrupted.settle(session).await;
    ended
}

async fn asked(
    global: &Global,
    session: &Session,
    run: &RunId,
    Wish { control, reason, sensitive }: Wish,
    interrupted: &mut Interrupted,
) -> Result<u8, Error> {
    let (verb, resumes) = (control.verb(), matches!(control, Control::Resume));
    let ready = inbox::ready(session, run, control, reason).await?;
    let id = ready.id();
    if let Some(holder) = &ready.holder {
        ready.put(session, run, interrupted).await?;
        if let Some(answer) = inbox::answer_of_driver(session, run, id).await? {
            return answered(answer, run, verb, &holder.to_string());
        }
    }
    let driver = match takeover::take_over(session, run, sensitive, None).await {
        // Somebody was faster, and answers.
        Err(error) if error.reason == Some("run_held") => {
            if ready.holder.is_none() {
                ready.put(session, run, interrupted).await?;
            }
            return answered(inbox::answer(session, run, id).await?, run, verb, "another process");
        }
        Err(error) if ready.holder.is_none() => return Err(nothing_asked(error, verb, run)),
        Err(error) => return Err(left_waiting(error, verb, run)),
        Ok(driver) => driver,
    };
    if ready.holder.is_none()
        && let Err(error) = ready.put(session, run, interrupted).await
    {
        driver.let_go().await?;
        return Err(error);
    }
    output::say(&format!("nobody drives {run}: this process does from here on"));
    let code = follow::drive(global, session, driver, Followed::default()).await?;
    match inbox::find(session, run, id).await? {
        Answer::Refused(why) if !resumes => Err(Error::new(exit::REFUSED, why).reason("refused")),
        Answer::Refused(_) | Answer::Accepted | Answer::None => Ok(code),
    }
}

async fn asked_afar(
    global: &Global,
    session: &Session,
    (server, run): (&RemoteJournal, &RunId),
    Wish { control, reason, .. }: Wish,
    interrupted: &mut Interrupted,
) -> Result<u8, Error> {
    let verb = control.verb();
    let Asked { id, holder } = inbox::ask(session, run, control, reason, interrupted).await?;
    if let Some(holder) = holder
        && let Some(answer) = inbox::answer_of_driver(session, run, &id).await?
    {
        return answered(answer, run, verb, &holder.to_string());
    }
    let answer = inbox::answer(session, run, &id).await?;
    if answer != Answer::Accepted {
        return answered(answer, run, verb, "the server");
    }
    output::say(&format!("nobody drove {run}: the server does from here on"));
    follow::drive_afar(global, session, server, run, (Followed::default(), false)).await
}

/// The error of a take-over that failed before anything was asked.
pub(crate) fn nothing_asked(error: Error, verb: &str, run: &RunId) -> Error {
    let message = format!("{}; nothing was asked of {run}: the {verb} was not recorded", error.message);
    Error { message, ..error }
}

/// The error of a take-over that failed after the driver had died over a request.
fn left_waiting(error: Error, verb: &str, run: &RunId) -> Error {
    let message = format!(
        "{}; the process that drove {run} ended before it answered: the {verb} is recorded, and whoever goes on \
         with the run answers it",
        error.message
    );
    Error { message, ..error }
}

fn answered(answer: Answer, run: &RunId, verb: &str, who: &str) -> Result<u8, Error> {
    match answer {
        Answer::Refused(why) => Err(Error::new(exit::REFUSED, why).reason("refused")),
        Answer::Accepted => {
            output::line(&format!("{verb}: accepted by {who}"))?;
            Ok(exit::SUCCESS)
        }
        Answer::None => Err(Error::new(
            exit::NEEDS_PERSON,
            format!("{verb}: recorded, but {who} has not answered within {}", inbox::ANSWER_WITHIN),
        )
        .help(format!("see `drctl runs events {run}`; the request stays in the inbox"))),
    }
}
