//! Following a run that a server drives: its events as they are sent, shown as those of a run driven here.
//! The run never depends on whoever looks: a server that is away for a while is waited for.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::live::{self, Scene};
use super::{Followed, finish_with, leave_on_signal, lines};
use crate::app::launch::{estate, inbox};
use crate::cli::session::Session;
use crate::cli::{Error, Global, exit, output};
use crate::engine::event::Event;
use crate::engine::{IndexedPlan, RunState, apply};
use crate::journal::RemoteJournal;
use crate::journal::remote::{Events, Fact, Heard};
use crate::model::id::RunId;
use crate::model::run::{Intent, NodeStatus};
use crate::plan::{NodeIndex, NodeKind};
use crate::runtime::{self, Follower, Recorded, Silent, Stop, SystemClock};

/// How often is looked whether somebody wants to leave.
const LOOK: std::time::Duration = std::time::Duration::from_millis(200);
/// How often in a row, with nothing heard in between, a run may have no driver before that is believed: a
/// server that was started again takes it over within a second or two.
const PATIENCE: u32 = 50;
/// How many looks pass before it is asked who drives a run.
const LEASE_EVERY: u32 = 5;

/// Where following a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// At its first event: a pipe gets the whole story.
    Beginning,
    /// At what happens next.
    Now,
}

/// Follows a run that a server drives as if it was driven here, and returns the exit code of where it stands
/// in the end. `new`: it was begun just now.
///
/// # Errors
/// When the server refuses, or is gone for too long.
pub(crate) async fn drive_afar(
    global: &Global,
    session: &Session,
    server: &RemoteJournal,
    run: &RunId,
    (followed, new): (Followed, bool),
) -> Result<u8, Error> {
    let terminal = output::is_terminal() && std::io::IsTerminal::is_terminal(&std::io::stdin());
    let stop = if terminal && followed == Followed::ByTerminal { Stop::Never } else { Stop::AtPerson };
    let from = if new { From::Beginning } else { From::Now };
    follow(global, session, (server, run), from, (terminal, true, stop)).await
}

/// Follows a run that a server drives, touching nothing.
///
/// # Errors
/// As [`drive_afar`].
pub(crate) async fn watch_afar(
    global: &Global,
    session: &Session,
    server: &RemoteJournal,
    run: &RunId,
) -> Result<u8, Error> {
    let terminal = output::is_terminal();
    let stop = if terminal { Stop::Never } else { Stop::AtPerson };
    follow(global, session, (server, run), From::Beginning, (terminal, false, stop)).await
}

/// Waits until a run that a server drives is over, or a person is needed. Shows nothing.
///
/// # Errors
/// As [`drive_afar`].
pub(crate) async fn wait_afar(
    session: &Session,
    server: &RemoteJournal,
    run: &RunId,
) -> Result<(Arc<IndexedPlan>, RunState), Error> {
    let mut tail = Tail::open(session, server, run, From::Now).await?;
    tail.follow(session, &Silent, Stop::AtPerson).await
}

async fn follow(
    global: &Global,
    session: &Session,
    (server, run): (&RemoteJournal, &RunId),
    from: From,
    (terminal, asks, stop): (bool, bool, Stop),
) -> Result<u8, Error> {
    let mut tail = Tail::open(session, server, run, from).await?;
    tail.new = asks && from == From::Beginning;
    let ended = if terminal {
        let (plan, clock) = (Arc::clone(&tail.plan), Arc::new(SystemClock::real()));
        let scene = Scene { run: run.clone(), plan, clock, handed: None, asks };
        live::show(session, &scene, async |live| tail.follow(session, live, stop).await).await?
    } else {
        let leave = Arc::new(AtomicBool::new(false));
        let signal = tokio::spawn(leave_on_signal(Arc::clone(&leave)));
        let told = lines::Lines::new(leave);
        let ended = tail.follow(session, &told, stop).await;
        signal.abort();
        Some(ended?)
    };
    let Some((plan, state)) = ended else { return Ok(exit::SUCCESS) };
    let left = |run: &str| format!("it goes on at the server; `drctl runs watch {run}` follows it");
    finish_with(global, &plan, &state, left)
}

/// A run, folded as far as its events were heard.
struct Tail {
    run: RunId,
    plan: Arc<IndexedPlan>,
    state: RunState,
    events: Events,
    address: String,
    /// That it was begun is news.
    new: bool,
}

impl Tail {
    async fn open(session: &Session, server: &RemoteJournal, run: &RunId, from: From) -> Result<Self, Error> {
        let loaded = runtime::load(session.journal.as_ref(), run).await?;
        let state = match from {
            From::Now => loaded.state,
            From::Beginning => {
                let created = loaded.state.created.as_ref().clone();
                RunState::new(&loaded.plan, created, loaded.state.created_at)
            }
        };
        let events = server.events(run, state.sequence);
        let (run, address) = (run.clone(), server.address().to_owned());
        Ok(Self { run, plan: loaded.plan, state, events, address, new: false })
    }

    /// Follows the run until it is over, a person is needed, or somebody wants to leave.
    async fn follow(
        &mut self,
        session: &Session,
        follower: &dyn Follower,
        stop: Stop,
    ) -> Result<(Arc<IndexedPlan>, RunState), Error> {
        // A picture is drawn of what is known already.
        let begun = || {
            let event = Event::RunCreated(Box::new(self.state.created.as_ref().clone()));
            Recorded { sequence: self.state.sequence, at: self.state.created_at, event }
        };
        let begun: Vec<_> = self.new.then(begun).into_iter().collect();
        follower.recorded(&self.plan, &self.state, &begun);
        let created = &self.state.created;
        let operator = created.intent == Intent::Simulate && estate::has_operator(&created.notes);
        // How often nothing was heard since an event, or since somebody was seen to drive it.
        let mut quiet = 0;
        loop {
            match tokio::time::timeout(LOOK, self.events.next()).await {
                Ok(Some(heard)) => {
                    quiet = 0;
                    self.take(heard?, follower);
                    while let Some(heard) = self.events.waiting() {
                        self.take(heard?, follower);
                    }
                }
                // The other end always says why it ends.
                Ok(None) => break,
                // It stands where it stands.
                Err(_) if self.state.status.needs_person() && !(operator && self.asks_operator()) => {
                    if stop == Stop::AtPerson {
                        break;
                    }
                }
                Err(_) => {
                    quiet += 1;
                    if quiet % LEASE_EVERY == 0 && self.is_driven(session).await {
                        quiet = 0;
                    }
                    if quiet > PATIENCE && stop == Stop::AtPerson {
                        return Err(self.undriven());
                    }
                }
            }
            if self.state.status.is_terminal() || follower.wants_to_leave() {
                break;
            }
        }
        Ok((Arc::clone(&self.plan), self.state.clone()))
    }

    fn take(&mut self, heard: Heard, follower: &dyn Follower) {
        match heard {
            Heard::Fact(fact) => {
                let Fact { sequence, at, event } = *fact;
                apply(&self.plan, &mut self.state, &event, at);
                follower.recorded(&self.plan, &self.state, &[Recorded { sequence, at, event }]);
            }
            Heard::Lost(why) => output::say(&format!(
                "\x1b[33m{why}\x1b[0m; the run goes on where it is driven, and {} is tried again",
                self.address
            )),
            Heard::Back => output::say(&format!("{} is there again", self.address)),
        }
    }

    /// Whether what is asked is what a person of a simulation answers: never the point of no return.
    fn asks_operator(&self) -> bool {
        let kind = |node: NodeIndex| self.plan.plan.nodes.get(node as usize).map(|node| &node.kind);
        let waits = |node: NodeIndex| self.state.node(node).status == NodeStatus::AwaitingApproval;
        let asked = |node: &NodeIndex| {
            waits(*node) && matches!(kind(*node), Some(NodeKind::Approval { .. } | NodeKind::Manual { .. }))
        };
        self.state.active.iter().any(asked)
    }

    /// Whether somebody drives the run, as far as is known.
    async fn is_driven(&self, session: &Session) -> bool {
        !matches!(inbox::driven_by(session, &self.run).await, Ok(None))
    }

    fn undriven(&self) -> Error {
        let what = format!("nobody drives {} at the server; its log says why", self.run);
        Error::new(exit::NEEDS_PERSON, what)
            .help(format!("`drctl resume {}` where drctl reaches the journal itself", self.run))
            .reason("run_undriven")
    }
}
