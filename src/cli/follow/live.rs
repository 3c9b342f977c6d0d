//! The live view: redraws the picture of a run in place, asks at the gate, and offers a way out on Ctrl-C.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{into_background, prompt, screen};
use crate::cli::session::Session;
use crate::cli::{Error, control, output};
use crate::engine::event::MissingConsent;
use crate::engine::input::{Consents, Control};
use crate::engine::{IndexedPlan, RunState};
use crate::model::run::RunStatus;
use crate::plan::NodeIndex;
use crate::ports::Clock;
use crate::runtime::{Driver, Follower, Recorded, Stop};

/// Pause between two pictures.
const FRAME_MS: u64 = 200;

#[derive(Default)]
struct Shared {
    state: Option<RunState>,
    progress: HashMap<NodeIndex, String>,
    drawn: usize,
}

struct Live {
    shared: Mutex<Shared>,
    leave: AtomicBool,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, plan: &IndexedPlan, clock: &dyn Clock) {
        let mut shared = self.lock();
        let Some(state) = shared.state.clone() else { return };
        let progress = |node: NodeIndex| shared.progress.get(&node).cloned();
        let lines = screen::render(plan, &state, &progress, clock.now().max(state.last_at), size());
        let up = if shared.drawn > 0 { format!("\x1b[{}A", shared.drawn) } else { String::new() };
        let body: String = lines.iter().fold(String::new(), |body, line| body + "\r\x1b[2K" + line + "\n");
        shared.drawn = lines.len();
        let mut out = anstream::stderr();
        // A terminal that is gone shows nothing; the run goes on.
        let _ = write!(out, "{up}\x1b[J{body}").and_then(|()| out.flush());
    }

    /// Leaves the picture where it is; the next one is drawn below.
    fn freeze(&self) {
        self.lock().drawn = 0;
    }
}

impl Follower for Live {
    fn recorded(&self, _: &IndexedPlan, state: &RunState, _: &[Recorded]) {
        self.lock().state = Some(state.clone());
    }

    fn progress(&self, _: &IndexedPlan, node: NodeIndex, line: &str) {
        self.lock().progress.insert(node, line.to_owned());
    }

    fn wants_to_leave(&self) -> bool {
        self.leave.load(Ordering::SeqCst)
    }
}

/// Drives a run under the live view.
///
/// # Errors
/// As the driver.
pub(crate) async fn drive(
    session: &Session,
    driver: Driver,
    stop: Stop,
) -> Result<(Arc<IndexedPlan>, RunState), Error> {
    let live = Arc::new(Live { shared: Mutex::default(), leave: AtomicBool::new(false) });
    let plan = Arc::clone(driver.plan());
    let clock = driver.clock();
    let run = driver.state().created.run.clone();
    let mut asked = Vec::new();
    let mut background = false;
    let driving = driver.drive(live.as_ref(), stop);
    tokio::pin!(driving);
    let result = loop {
        tokio::select! {
            result = &mut driving => break result,
            () = tokio::time::sleep(std::time::Duration::from_millis(FRAME_MS)) => {
                live.draw(&plan, clock.as_ref());
                let missing = waiting_at_gate(&live);
                if !missing.is_empty() && missing != asked {
                    live.freeze();
                    let consents = on_terminal({ let missing = missing.clone(); move || {
                        let mut consents = Consents::default();
                        prompt::ask_consents(&missing, &mut consents);
                        consents
                    }}).await;
                    asked = missing;
                    if let Some(consents) = consents {
                        let control = Control::Approve { node: None, consents };
                        control::submit(session, &run, control, Some("typed at the terminal".to_owned())).await?;
                    }
                }
            }
            _ = tokio::signal::ctrl_c() => {
                live.freeze();
                match on_terminal(ask_way_out).await.flatten() {
                    Some(WayOut::Background) => {
                        background = true;
                        live.leave.store(true, Ordering::SeqCst);
                    }
                    Some(WayOut::Pause) => {
                        control::submit(session, &run, Control::Pause, Some("Ctrl-C".to_owned())).await?;
                    }
                    None => {}
                }
            }
        }
    };
    live.draw(&plan, clock.as_ref());
    let (plan, state) = result?;
    if background && !state.status.is_terminal() {
        let pid = into_background(session, run.as_str())?;
        output::say(&format!("goes on in the background (pid {pid}); `drctl runs watch {run}` follows it"));
    }
    Ok((plan, state))
}

fn waiting_at_gate(live: &Live) -> Vec<MissingConsent> {
    let shared = live.lock();
    let waits = shared.state.as_ref().filter(|state| state.status == RunStatus::AwaitingApproval);
    waits.map(|state| state.missing.clone()).unwrap_or_default()
}

/// What a person chose after Ctrl-C.
enum WayOut {
    Background,
    Pause,
}

fn ask_way_out() -> Option<WayOut> {
    match prompt::ask("The run goes on. [b]ackground it, [p]ause it, or [s]tay? ").as_deref() {
        Some("b" | "background") => Some(WayOut::Background),
        Some("p" | "pause") => Some(WayOut::Pause),
        Some(_) | None => None,
    }
}

/// Asks on a thread of its own, so that the run goes on meanwhile.
async fn on_terminal<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(ask).await.ok()
}

/// Columns and lines of the terminal.
pub(crate) fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or((110, 40), |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
}
