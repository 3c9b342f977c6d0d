//! Brings the events of runs to everyone who follows them: the journal is read once, however many follow.
//! What is not in memory any more is read from the journal, so that nobody misses or doubles an event.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::app::view;
use crate::model::id::RunId;
use crate::model::time::Duration;
use crate::ports::{JournalAdmin, JournalError, Record, StreamName};
use crate::tail;

/// Records read at once.
const PAGE: usize = 1_000;
/// Events of a run that are kept in memory while somebody follows it.
const KEPT: usize = 2_048;
/// The longest wait for news.
const LOOK: Duration = Duration::from_secs(1);

/// An event of a run, as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its sequence in the run's stream.
    pub sequence: u64,
    /// Its type.
    pub kind: String,
    /// The event as one JSON document.
    pub text: String,
}

impl Line {
    pub(super) fn of(record: &Record) -> Self {
        let text = view::record(record).to_string();
        Self { sequence: record.sequence, kind: record.kind.clone(), text }
    }
}

/// The newest events of one run.
#[derive(Debug)]
pub(super) struct Tail {
    stream: StreamName,
    recent: Mutex<VecDeque<Arc<Line>>>,
    last: watch::Sender<u64>,
}

impl Tail {
    /// Tells when there are new events.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// The events after a sequence, where all of them are in memory.
    fn after(&self, sequence: u64) -> Option<Vec<Arc<Line>>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let first = recent.front()?.sequence;
        let known = first <= sequence.saturating_add(1);
        let skip = usize::try_from(sequence.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        known.then(|| recent.iter().skip(skip).take(PAGE).cloned().collect())
    }

    fn push(&self, line: Line) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = line.sequence;
        if recent.back().is_some_and(|last| last.sequence + 1 != sequence) {
            recent.clear();
        }
        if recent.len() == KEPT {
            recent.pop_front();
        }
        recent.push_back(Arc::new(line));
        self.last.send_replace(sequence);
    }
}

/// All runs that are followed.
pub(super) struct Hub {
    journal: Arc<dyn JournalAdmin>,
    tails: Mutex<HashMap<StreamName, Arc<Tail>>>,
}

impl Hub {
    pub(super) fn new(journal: Arc<dyn JournalAdmin>) -> Self {
        Self { journal, tails: Mutex::default() }
    }

    /// Begins to follow a run.
    pub(super) fn tail(&self, run: &RunId) -> Arc<Tail> {
        let stream = StreamName::run(run);
        let new = || {
            let (recent, last) = (Mutex::default(), watch::Sender::new(0));
            Arc::new(Tail { stream: stream.clone(), recent, last })
        };
        Arc::clone(self.tails().entry(stream.clone()).or_insert_with(new))
    }

    /// The events of a run after a sequence, in order, at most a page of them.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) async fn after(&self, tail: &Tail, sequence: u64) -> Result<Vec<Arc<Line>>, JournalError> {
        if let Some(lines) = tail.after(sequence) {
            return Ok(lines);
        }
        let records = self.journal.read(&tail.stream, sequence, PAGE).await?;
        Ok(records.iter().map(|record| Arc::new(Line::of(record))).collect())
    }

    /// Reads the journal on, for ever.
    pub(super) async fn pump(&self) {
        let mut position = None;
        loop {
            if let Err(error) = self.read_on(&mut position).await {
                tracing::error!(%error, "the journal cannot be followed");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            self.journal.changed(LOOK).await;
            self.forget();
        }
    }

    async fn read_on(&self, position: &mut Option<u64>) -> Result<(), JournalError> {
        let mut after = match *position {
            Some(position) => position,
            None => tail::end(self.journal.as_ref()).await?,
        };
        loop {
            *position = Some(after);
            let records = self.journal.read_after(after, PAGE).await?;
            let Some(last) = records.last() else { return Ok(()) };
            after = last.position;
            for record in &records {
                let tail = self.tails().get(&record.stream).cloned();
                if let Some(tail) = tail {
                    tail.push(Line::of(record));
                }
            }
        }
    }

    /// Drops what nobody follows any more.
    fn forget(&self) {
        self.tails().retain(|_, tail| tail.last.receiver_count() > 0);
    }

    fn tails(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Tail>>> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
