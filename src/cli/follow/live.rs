//! The live view: redraws the picture of a run in place, asks at the gate, and offers a way out on Ctrl-C.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::prompt::Typed;
use super::screen;
use crate::app::launch::inbox;
use crate::cli::detach::{self, HandedOn};
use crate::cli::session::Session;
use crate::cli::{Error, Global, output};
use crate::engine::event::{MissingConsent, Want};
use crate::engine::input::{Consents, Control};
use crate::engine::{IndexedPlan, RunState};
use crate::model::id::RunId;
use crate::model::run::NodeStatus;
use crate::plan::NodeIndex;
use crate::ports::{BoxFuture, Clock};
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

/// A run that is shown.
pub(super) struct Scene {
    pub(super) run: RunId,
    pub(super) plan: Arc<IndexedPlan>,
    pub(super) clock: Arc<dyn Clock>,
    /// What it takes to go on in the background; absent: a server drives it, and goes on when nobody looks.
    pub(super) handed: Option<HandedOn>,
    /// Whether the person may be asked something.
    pub(super) asks: bool,
}

/// Where a run stands in the end; nothing when it goes on elsewhere.
pub(super) type Ended = Option<(Arc<IndexedPlan>, RunState)>;

/// Drives a run under the live view. The run goes on while a question is open. Nothing is returned when it
/// goes on in another process.
///
/// # Errors
/// As the driver.
pub(crate) async fn drive(
    global: &Global,
    session: &Session,
    driver: Driver,
    stop: Stop,
) -> Result<Ended, Error> {
    let scene = Scene {
        run: driver.state().created.run.clone(),
        plan: Arc::clone(driver.plan()),
        clock: driver.clock(),
        handed: Some(HandedOn { global: global.clone(), sensitive: driver.sensitive() }),
        asks: true,
    };
    show(session, &scene, async |live| Ok(driver.drive(live, stop).await?)).await
}

/// Shows a run while something goes on that tells a follower of it.
///
/// # Errors
/// As what goes on.
pub(super) async fn show(
    session: &Session,
    scene: &Scene,
    going: impl AsyncFnOnce(&dyn Follower) -> Result<(Arc<IndexedPlan>, RunState), Error>,
) -> Result<Ended, Error> {
    let live = Live { shared: Mutex::default(), leave: AtomicBool::new(false) };
    let Scene { run, plan, clock, handed, asks } = scene;
    let typed = Arc::new(tokio::sync::Mutex::new(Typed::default()));
    let (mut asked, mut question, mut background) = (Vec::new(), None, false);
    let driving = going(&live);
    tokio::pin!(driving);
    let result = loop {
        tokio::select! {
            result = &mut driving => break result,
            answer = answered(&mut question) => {
                question = None;
                background |= heed(session, run, answer).await?;
                live.leave.store(background, Ordering::SeqCst);
            }
            () = tokio::time::sleep(std::time::Duration::from_millis(FRAME_MS)) => {
                let missing = live.lock().state.as_ref().map(|state| waiting_at_gate(plan, state));
                let missing = missing.filter(|_| *asks).unwrap_or_default();
                // Somebody else has answered, or the gate is no longer waited for.
                if question.as_ref().is_some_and(|open: &Question| open.at_gate) && missing != asked {
                    output::say("");
                    question = None;
                }
                if question.is_none() {
                    live.draw(plan, clock.as_ref());
                    if !missing.is_empty() && missing != asked {
                        live.freeze();
                        question = Some(Question::at_gate(&typed, missing.clone()));
                    }
                    asked = missing;
                }
            }
            _ = tokio::signal::ctrl_c() => {
                live.freeze();
                output::say("");
                if *asks {
                    // What was asked at the gate is asked again afterwards.
                    asked.clear();
                    question = Some(Question::way_out(&typed));
                } else {
                    live.leave.store(true, Ordering::SeqCst);
                }
            }
        }
    };
    live.draw(plan, clock.as_ref());
    let (plan, state) = result?;
    if background && !state.status.is_terminal() {
        match handed {
            Some(handed) => output::say(&detach::resume(session, run, state.sequence, handed).await?),
            None => output::say(&format!("goes on at the server; `drctl runs watch {run}` follows it")),
        }
        return Ok(None);
    }
    Ok(Some((plan, state)))
}

/// Does what a person has answered. Says whether they want the run to go on in the background.
async fn heed(session: &Session, run: &RunId, answer: Answer) -> Result<bool, Error> {
    let (control, why) = match answer {
        Answer::Consents(consents) if consents == Consents::default() => return Ok(false),
        Answer::Consents(consents) => (Control::Approve { node: None, consents }, "typed at the terminal"),
        Answer::WayOut(Some(WayOut::Pause)) => (Control::Pause, "Ctrl-C"),
        Answer::WayOut(Some(WayOut::Background)) => return Ok(true),
        Answer::WayOut(None) => return Ok(false),
    };
    inbox::submit(session, run, control, Some(why.to_owned())).await?;
    Ok(false)
}

/// What the gate waits for, from the moment on at which it waits: steps that do not need its answer may still
/// be under way, and it is asked for meanwhile.
fn waiting_at_gate(plan: &IndexedPlan, state: &RunState) -> Vec<MissingConsent> {
    let waits = plan.index.gate.is_some_and(|gate| state.node(gate).status == NodeStatus::AwaitingApproval);
    if waits && !state.is_held() && state.want == Want::Run { state.missing.clone() } else { Vec::new() }
}

/// A question that is open.
struct Question {
    at_gate: bool,
    answer: BoxFuture<'static, Answer>,
}

enum Answer {
    Consents(Consents),
    WayOut(Option<WayOut>),
}

/// What a person chose after Ctrl-C.
enum WayOut {
    Background,
    Pause,
}

impl Question {
    fn at_gate(typed: &Arc<tokio::sync::Mutex<Typed>>, missing: Vec<MissingConsent>) -> Self {
        let typed = Arc::clone(typed);
        let answer =
            Box::pin(async move { Answer::Consents(typed.lock().await.ask_consents(&missing).await) });
        Self { at_gate: true, answer }
    }

    fn way_out(typed: &Arc<tokio::sync::Mutex<Typed>>) -> Self {
        let typed = Arc::clone(typed);
        let answer = Box::pin(async move {
            let question = "The run goes on. [b]ackground it, [p]ause it, or [s]tay? ";
            Answer::WayOut(match typed.lock().await.ask(question).await.as_deref() {
                Some("b" | "background") => Some(WayOut::Background),
                Some("p" | "pause") => Some(WayOut::Pause),
                Some(_) | None => None,
            })
        });
        Self { at_gate: false, answer }
    }
}

async fn answered(question: &mut Option<Question>) -> Answer {
    match question {
        Some(question) => question.answer.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Columns and lines of the terminal.
pub(crate) fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or((110, 40), |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// A picture on the terminal, redrawn in place.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    drawn: usize,
}

impl Picture {
    /// Draws lines over those that were drawn last.
    pub(crate) fn show(&mut self, lines: &[String]) {
        let up = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
        let body: String = lines.iter().fold(String::new(), |body, line| body + "\r\x1b[2K" + line + "\n");
        self.drawn = lines.len();
        let mut out = anstream::stderr();
        // A terminal that is gone shows nothing.
        let _ = write!(out, "{up}\x1b[J{body}").and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::super::screen::tests::waiting;
    use super::*;
    use crate::engine::event::Event;
    use crate::model::run::RunStatus;

    /// What goes on beside the gate does not put off its question; what has stopped the run does.
    #[test]
    fn the_gate_asks_as_soon_as_it_waits() {
        let (plan, mut state, _) = waiting(|node| Event::NodeReady { node });
        state.status = RunStatus::Running;
        assert_eq!(waiting_at_gate(&plan, &state).len(), 3);
        state.want = Want::Pause;
        assert_eq!(waiting_at_gate(&plan, &state), []);
        state.want = Want::Run;
        state.missing.clear();
        assert_eq!(waiting_at_gate(&plan, &state), []);
    }
}
