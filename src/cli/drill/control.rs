//! What a person asks of a drill: its end, another try at cleaning up, a verdict.

use clap::{ArgGroup, Args};

use crate::app::launch::{inbox, promote, promoted, takeover};
use crate::cli::binding::SensitiveFlags;
use crate::cli::control::Wish;
use crate::cli::follow::{self, Followed};
use crate::cli::session::{self, Session};
use crate::cli::{Error, Global, control, exit, output};
use crate::engine::input::Control;
use crate::engine::{is_made_real, left_behind};
use crate::model::id::RunId;
use crate::model::run::RunStatus;
use crate::runtime::{self, Loaded};

/// A drill, and why.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    sensitive: SensitiveFlags,
}

/// Arguments of `drill attest`.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("verdict").required(true).args(["pass", "fail"])))]
pub(crate) struct AttestArguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// It has passed.
    #[arg(long)]
    pass: bool,
    /// It has not.
    #[arg(long)]
    fail: bool,
    /// What was seen; required when it has not passed.
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
    #[command(flatten)]
    sensitive: SensitiveFlags,
}

/// `drctl drill abort`.
///
/// # Errors
/// When the run is no drill or is over, or nobody answers.
pub(super) fn abort(global: &Global, arguments: &RunArguments) -> Result<u8, Error> {
    let reason = session::reason("drill abort", arguments.reason.as_deref())?;
    ask(global, (&arguments.run, &arguments.sensitive), Control::Abort, Some(reason))
}

/// `drctl drill attest`.
///
/// # Errors
/// When the run is no drill, is not over yet, or the person may not say.
pub(super) fn attest(global: &Global, arguments: &AttestArguments) -> Result<u8, Error> {
    if arguments.fail && arguments.notes.as_deref().is_none_or(|notes| notes.trim().is_empty()) {
        return Err(Error::new(exit::USAGE, "say why it has not passed").help("add --notes \"…\""));
    }
    let control = Control::Attest { passed: arguments.pass };
    ask(global, (&arguments.run, &arguments.sensitive), control, arguments.notes.clone())
}

fn ask(
    global: &Global,
    (run, sensitive): (&str, &SensitiveFlags),
    control: Control,
    reason: Option<String>,
) -> Result<u8, Error> {
    let session = Session::open_existing(global)?;
    let sensitive = sensitive.values(&session)?;
    session::block_on(async {
        let (run, _) = find(&session, run).await?;
        control::ask(global, &session, &run, Wish { control, reason, sensitive }).await
    })
}

/// `drctl drill cleanup`: asks for everything that is left behind once more, and drives the drill on.
///
/// # Errors
/// When the run is no drill or is over, or the journal refuses.
pub(super) fn cleanup(global: &Global, arguments: &RunArguments) -> Result<u8, Error> {
    let session = Session::open_existing(global)?;
    let sensitive = arguments.sensitive.values(&session)?;
    session::block_on(async {
        let (run, loaded) = find(&session, &arguments.run).await?;
        if loaded.state.status != RunStatus::CleanupIncomplete {
            return Err(nothing_left(&session, &run, &loaded).await?);
        }
        let reason = arguments.reason.as_deref();
        if let Some(server) = session.server.clone() {
            try_again(&session, &run, &loaded, reason).await?;
            return follow::drive_afar(global, &session, &server, &run, (Followed::default(), false)).await;
        }
        if inbox::driven_by(&session, &run).await?.is_some() {
            try_again(&session, &run, &loaded, reason).await?;
            output::say(&format!("{run} is driven elsewhere and was asked to try again"));
            return Ok(exit::SUCCESS);
        }
        let driver = takeover::take_over(&session, &run, sensitive, None)
            .await
            .map_err(|error| control::nothing_asked(error, "cleanup", &run))?;
        if let Err(error) = try_again(&session, &run, &loaded, reason).await {
            driver.let_go().await?;
            return Err(error);
        }
        follow::drive(global, &session, driver, Followed::default()).await
    })
}

/// Asks for another try at everything that a drill has left behind.
async fn try_again(
    session: &Session,
    run: &RunId,
    loaded: &Loaded,
    reason: Option<&str>,
) -> Result<(), Error> {
    let left = left_behind(&loaded.plan, &loaded.state);
    let addresses = left.iter().filter_map(|node| loaded.plan.plan.nodes.get(*node as usize));
    for node in addresses.map(|node| node.address.clone()) {
        inbox::submit(session, run, Control::Retry { node }, reason.map(str::to_owned)).await?;
    }
    Ok(())
}

/// Why there is nothing to try again, and what can be done instead.
async fn nothing_left(session: &Session, run: &RunId, loaded: &Loaded) -> Result<Error, Error> {
    let (status, service) = (loaded.state.status, &loaded.state.created.service);
    let driven = inbox::driven_by(session, run).await?.is_some();
    let words = status.as_str().replace('_', " ");
    let is_real = is_made_real(&loaded.state);
    let real = if is_real { promoted::gone_on(session, run, service).await? } else { None };
    let (what, help) = match (status, real) {
        (_, Some(real)) if status.is_terminal() => promote::made_real(run, &real),
        // What it was told to keep still stands.
        (status, None) if status.is_terminal() && is_real => promote::not_gone_on(run, &loaded.state.created),
        (status, _) if status.is_terminal() => (
            format!("{run} is over ({words}): nothing is left to clean up"),
            format!("`drctl runs report {run}` shows what it did, and what was taken back"),
        ),
        (RunStatus::AwaitingAttestation, _) => (
            format!("{run} is cleaned up: nothing is left"),
            format!("it waits for a word: `drctl drill attest {run} --pass`, or `--fail --notes \"…\"`"),
        ),
        (RunStatus::CleaningUp, _) if driven => {
            (format!("{run} is being cleaned up"), format!("`drctl runs watch {run}` follows it"))
        }
        (RunStatus::CleaningUp, _) => (
            format!("{run} is being cleaned up, but nobody drives it"),
            format!("`drctl resume {run}` goes on with it"),
        ),
        (_, _) => (
            format!("{run} is not over ({words}): it is cleaned up when it ends"),
            format!("`drctl drill abort {run} --reason \"…\"` ends it now and takes back what it changed"),
        ),
    };
    Ok(Error::new(exit::REFUSED, what).help(help).reason("nothing_left"))
}

/// The drill a text names.
pub(super) async fn find(session: &Session, text: &str) -> Result<(RunId, Loaded), Error> {
    let run = session.find_run(text, true).await?;
    let loaded = runtime::load(session.journal.as_ref(), &run).await?;
    if loaded.plan.plan.drill.is_none() {
        return Err(promote::no_drill(&run));
    }
    Ok((run, loaded))
}
