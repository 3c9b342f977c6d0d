//! `drctl resume`: goes on with a run, here or wherever it is driven.

use clap::Args;

use super::binding::{SensitiveFlags, not_through_a_server};
use super::control::Wish;
use super::follow::{self, Followed};
use super::session::{self, Session};
use super::{Error, Global, control, detach, exit, output, table};
use crate::app::Speed;
use crate::app::launch::{inbox, takeover};
use crate::engine::event::Want;
use crate::engine::input::Control;
use crate::model::run::{Intent, RunStatus};
use crate::runtime;

/// Arguments of `resume`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    sensitive: SensitiveFlags,
    /// How fast a simulated run goes on: 1x, 60x, max; default: as before.
    #[arg(long)]
    speed: Option<Speed>,
    /// Sensitive values stand on standard input, as JSON: how drctl hands a run on to a process of its own.
    #[arg(long, hide = true)]
    handed_on: bool,
}

/// Runs the command.
///
/// # Errors
/// When the run cannot be found, loaded or taken over.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let session = Session::open_existing(global)?;
    if session.server.is_some() && arguments.speed.is_some() {
        return Err(not_through_a_server("--speed and --set are"));
    }
    let mut sensitive = arguments.sensitive.values(&session)?;
    if arguments.handed_on {
        sensitive.extend(detach::handed_on()?);
    }
    session::block_on(async {
        let run = session.find_run(&arguments.run, true).await?;
        let lease = session.journal.lease(&run).await?;
        if lease.as_ref().is_some_and(|lease| lease.alive && lease.holder.is_some()) {
            if arguments.speed.is_some() {
                return Err(Error::new(exit::USAGE, format!("--speed: another process drives {run}")));
            }
            // Somebody drives it: all that is left to ask for is the end of a pause.
            let wish = Wish { control: Control::Resume, reason: arguments.reason.clone(), sensitive };
            return control::ask(global, &session, &run, wish).await;
        }
        let loaded = runtime::load(session.journal.as_ref(), &run).await?;
        if loaded.state.status.is_terminal() {
            let ended = table::local(loaded.state.last_at);
            let status = loaded.state.status;
            output::say(&format!("run {run} was over before ({status}, {ended}); nothing is resumed"));
            return super::runs::show_existing(global, &session, &run).await;
        }
        if loaded.state.status == RunStatus::Staged {
            return Err(Error::new(exit::NEEDS_PERSON, format!("{run} is staged"))
                .help(format!("`drctl start {run}` begins it")));
        }
        if arguments.speed.is_some() && loaded.state.created.intent != Intent::Simulate {
            return Err(Error::new(
                exit::USAGE,
                format!("--speed is about simulated runs; {run} is a real one"),
            ));
        }
        let pauses = loaded.state.want == Want::Pause;
        let reason = arguments.reason.clone();
        if let Some(server) = session.server.clone() {
            if pauses {
                inbox::submit(&session, &run, Control::Resume, reason).await?;
            }
            // It takes over by itself whatever nobody drives.
            return follow::drive_afar(global, &session, &server, &run, (Followed::default(), false)).await;
        }
        let driver = match takeover::take_over(&session, &run, sensitive, arguments.speed).await {
            Err(error) if pauses => return Err(control::nothing_asked(error, "resume", &run)),
            driver => driver?,
        };
        // Asked only now: whoever goes on with the run later must not end a pause that this could not end.
        if pauses && let Err(error) = inbox::submit(&session, &run, Control::Resume, reason).await {
            driver.let_go().await?;
            return Err(error);
        }
        follow::drive(global, &session, driver, Followed::default()).await
    })
}
