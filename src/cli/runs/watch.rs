//! `drctl runs watch`: follows a run another process drives, by reading the journal. Never touches the run.

use std::sync::Arc;

use crate::cli::session::Session;
use crate::cli::{Error, Global, exit, follow, output};
use crate::engine::event::Event;
use crate::engine::{IndexedPlan, RunState, apply};
use crate::evidence::{describe, is_news};
use crate::model::id::RunId;
use crate::model::time::Duration;
use crate::ports::{Clock, JournalError, StreamName};
use crate::runtime::{self, SystemClock};

/// Pause between two pictures, and the longest wait for news.
const FRAME: Duration = Duration::from_millis(200);
/// Records read at once.
const PAGE: usize = 1_000;
/// How often nobody may be found driving before it is believed: a lease changes hands for a moment.
const PATIENCE: u32 = 5;

/// Runs the command.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn run(global: &Global, session: &Session, text: &str) -> Result<u8, Error> {
    let run = session.find_run(text, false).await?;
    if let Some(server) = &session.server {
        return follow::watch_afar(global, session, server, &run).await;
    }
    let terminal = output::is_terminal();
    let mut tail = Tail::open(session, &run).await?;
    let mut shown = follow::Picture::default();
    let mut undriven = 0;
    loop {
        for line in tail.advance(session).await? {
            if !terminal {
                output::say(&line);
            }
        }
        if terminal {
            shown.show(&picture(&tail, undriven > PATIENCE));
        }
        let state = &tail.state;
        if state.status.is_terminal() || (!terminal && state.status.needs_person()) {
            return follow::finish(global, &tail.plan, state);
        }
        undriven = match super::driver(session, &run).await? {
            Some(_) => 0,
            None => undriven + 1,
        };
        if undriven > PATIENCE && !terminal {
            let code = follow::finish(global, &tail.plan, state)?;
            return Ok(if code == exit::SUCCESS { exit::NEEDS_PERSON } else { code });
        }
        session.journal.changed(FRAME).await;
    }
}

/// A run, folded as far as it was read.
struct Tail {
    stream: StreamName,
    plan: Arc<IndexedPlan>,
    state: RunState,
}

impl Tail {
    /// Begins at the first record, so that a pipe gets the whole story.
    async fn open(session: &Session, run: &RunId) -> Result<Self, Error> {
        let stream = StreamName::run(run);
        let loaded = runtime::load(session.journal.as_ref(), run).await?;
        let state =
            RunState::new(&loaded.plan, loaded.state.created.as_ref().clone(), loaded.state.created_at);
        Ok(Self { stream, plan: loaded.plan, state })
    }

    /// Folds what is new and returns a line for each fact that says something to a person.
    async fn advance(&mut self, session: &Session) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        loop {
            let records = session.journal.read(&self.stream, self.state.sequence, PAGE).await?;
            for record in &records {
                let event: Event = serde_json::from_str(&record.body).map_err(|error| {
                    JournalError::Damaged(format!("{} record {}: {error}", self.stream, record.sequence))
                })?;
                apply(&self.plan, &mut self.state, &event, record.recorded_at);
                if is_news(&self.plan, &event) {
                    lines.push(format!("{} {}", record.recorded_at, describe(&self.plan, &event)));
                }
            }
            if records.len() < PAGE {
                return Ok(lines);
            }
        }
    }
}

/// The lines of the picture on the terminal.
fn picture(tail: &Tail, undriven: bool) -> Vec<String> {
    let now = SystemClock::real().now().max(tail.state.last_at);
    let (width, height) = follow::size();
    let mut lines =
        follow::render_screen(&tail.plan, &tail.state, &|_| None, now, (width, height.saturating_sub(1)));
    let run = &tail.state.created.run;
    if undriven && !tail.state.status.is_terminal() {
        lines.push(format!("\x1b[1;31mnobody drives this run\x1b[0m: `drctl resume {run}` continues it"));
    }
    lines
}
