//! Following a run: a live view on a terminal, one line for each fact elsewhere, and the result at the end.

mod afar;
mod lines;
mod live;
mod prompt;
mod screen;
mod stopped;
mod summary;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use afar::{drive_afar, wait_afar, watch_afar};
pub(crate) use live::{Picture, size};
pub(crate) use prompt::{ask, ask_consents};
pub(crate) use screen::render as render_screen;
pub(crate) use summary::render as render_summary;

use super::notices::Notices;
use super::session::Session;
use super::{Error, Format, Global, exit, output};
use crate::engine::{IndexedPlan, RunState};
use crate::evidence;
use crate::model::run::RunStatus;
use crate::ports::Clock;
use crate::runtime::{Driver, Stop, SystemClock};

/// How long a command follows the run it drives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Followed {
    /// On a terminal until the run is over, else until a person is needed.
    #[default]
    ByTerminal,
    /// Until a person is needed.
    UntilPerson,
}

/// Drives a run, shows it, and returns the exit code of where it stands in the end.
///
/// # Errors
/// When the journal refuses.
pub(crate) async fn drive(
    global: &Global,
    session: &Session,
    driver: Driver,
    followed: Followed,
) -> Result<u8, Error> {
    // A terminal that is gone shows nothing and answers nothing; the run goes on. From here on the signal
    // ends nothing, whatever becomes of this stream.
    let _hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
    let terminal = output::is_terminal() && std::io::IsTerminal::is_terminal(&std::io::stdin());
    let stop = if terminal && followed == Followed::ByTerminal { Stop::Never } else { Stop::AtPerson };
    let run = driver.state().created.run.clone();
    let notices = Notices::of(session, &driver).await;
    let ended = if terminal {
        live::drive(global, session, driver, stop).await
    } else {
        let leave = Arc::new(AtomicBool::new(false));
        let signal = tokio::spawn(leave_on_signal(Arc::clone(&leave)));
        let told = lines::Lines::new(leave);
        let result = driver.drive(&told, stop).await;
        signal.abort();
        result.map(Some).map_err(Error::from)
    };
    notices.end().await;
    match ended {
        Ok(Some((plan, state))) => finish(global, &plan, &state),
        Ok(None) => Ok(exit::SUCCESS),
        Err(error) => Err(stopped::with_way_on(session, &run, error).await),
    }
}

/// A run without a terminal is left to others when this process is told to end: what is under way goes on,
/// and `drctl resume` adopts it.
async fn leave_on_signal(leave: Arc<AtomicBool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut ended)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = ended.recv() => {}
    }
    leave.store(true, Ordering::SeqCst);
}

/// Prints the result of a run and returns its exit code.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn finish(global: &Global, plan: &IndexedPlan, state: &RunState) -> Result<u8, Error> {
    let left = |run: &str| format!("nobody drives {run} now: `drctl resume {run}` goes on");
    finish_with(global, plan, state, left)
}

/// As [`finish`]; `left` says what becomes of a run that moves and is not followed any more.
fn finish_with(
    global: &Global,
    plan: &IndexedPlan,
    state: &RunState,
    left: impl FnOnce(&str) -> String,
) -> Result<u8, Error> {
    let now =
        if state.status.is_terminal() { state.last_at } else { SystemClock::real().now().max(state.last_at) };
    let view = evidence::view(plan, state, None, now);
    output::print(global.output, &view, || summary::render(&view))?;
    let moving = matches!(state.status, RunStatus::Running | RunStatus::Pausing | RunStatus::Unwinding);
    if moving && global.output == Format::Text {
        output::say(&left(&view.id));
    }
    Ok(exit::of_run(plan, state))
}
