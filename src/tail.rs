//! Follows a journal: every fact in order, with the run it is about as it stands after it. Reads only; what
//! cannot be read is said once and passed over, so that one damaged run keeps nobody from hearing of others.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::engine::event::{self, Event};
use crate::engine::readings::ReadingsEvent;
use crate::engine::schedule::ScheduleEvent;
use crate::engine::{IndexedPlan, RunState, apply};
use crate::model::id::{RunId, ServiceName};
use crate::model::readiness::ReadinessChanged;
use crate::model::run::{Intent, RunStatus};
use crate::plan::Plan;
use crate::ports::{Journal, JournalError, Record, StreamName};

/// Records of one run read at once.
const PAGE: usize = 1_000;
/// Runs kept folded; of more, some are read again when they are heard of.
const KEPT: usize = 4_096;

/// A run as it stands.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its plan.
    pub plan: Arc<IndexedPlan>,
    /// Its state.
    pub state: RunState,
}

/// What matters of a run as it stood before a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Its status.
    pub status: RunStatus,
    /// The gate has asked for consents already.
    pub asked: bool,
}

/// What a record says.
#[derive(Debug)]
pub enum Fact<'a> {
    /// Something about a run that is not simulated.
    OfRun {
        /// The run after it.
        run: &'a Run,
        /// The run before it.
        before: Before,
        /// What happened.
        event: &'a Event,
    },
    /// Something about a schedule.
    OfSchedule {
        /// The service.
        service: &'a ServiceName,
        /// What happened.
        event: &'a ScheduleEvent,
    },
    /// Something about the recovery points of services, as a server has read them.
    OfReadings {
        /// What happened.
        event: &'a ReadingsEvent,
    },
    /// A service is as ready as it was not before.
    OfReadiness {
        /// The service.
        service: &'a ServiceName,
        /// What has changed.
        changed: &'a ReadinessChanged,
    },
    /// Anything else.
    Other,
}

/// Whom a tail tells.
pub type Told<'a> = &'a mut (dyn FnMut(&Record, Fact<'_>) + Send);

/// A place in a journal, and the runs that were heard of on the way there.
pub struct Tail {
    journal: Arc<dyn Journal>,
    position: u64,
    runs: HashMap<String, Kept>,
    plans: HashMap<String, Weak<IndexedPlan>>,
}

/// What is kept of a run that is not over.
enum Kept {
    Folded(Box<Run>),
    /// Simulated, or not to be read.
    Passed,
}

impl Tail {
    /// Begins after a position.
    #[must_use]
    pub fn after(journal: Arc<dyn Journal>, position: u64) -> Self {
        Self { journal, position, runs: HashMap::new(), plans: HashMap::new() }
    }

    /// The position of the last record that was told.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The runs that are kept folded.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().filter_map(|kept| match kept {
            Kept::Folded(run) => Some(run.as_ref()),
            Kept::Passed => None,
        })
    }

    /// Tells of the next records, at most `limit`, and returns how many there were.
    ///
    /// # Errors
    /// When the journal cannot be read. Nothing is told twice: a later call goes on behind the last record.
    pub async fn advance(&mut self, limit: usize, tell: Told<'_>) -> Result<usize, JournalError> {
        let records = self.journal.read_after(self.position, limit).await?;
        for record in &records {
            self.one(record, tell).await?;
            self.position = record.position;
        }
        Ok(records.len())
    }

    /// Tells what is known so far of a run, from its first record to its last, and keeps it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn retell(&mut self, run: &RunId, tell: Told<'_>) -> Result<(), JournalError> {
        let stream = StreamName::run(run);
        self.runs.remove(run.as_str());
        let (mut after, told) = (0, self.position);
        loop {
            let records = self.journal.read(&stream, after, PAGE).await?;
            for record in records.iter().filter(|record| record.position <= told) {
                self.of_run(run.as_str(), record, tell).await?;
            }
            after = records.last().map_or(after, |record| record.sequence);
            if records.len() < PAGE {
                return Ok(());
            }
        }
    }

    async fn one(&mut self, record: &Record, tell: Told<'_>) -> Result<(), JournalError> {
        let stream = record.stream.as_str();
        if let Some(run) = stream.strip_prefix("run/") {
            return self.of_run(run, record, tell).await;
        }
        let (family, name) = stream.split_once('/').unwrap_or((stream, ""));
        let service = ServiceName::new(name).ok();
        match (family, &service) {
            ("schedule", Some(service)) => match serde_json::from_str(&record.body) {
                Ok(event) => tell(record, Fact::OfSchedule { service, event: &event }),
                Err(_) => tell(record, Fact::Other),
            },
            ("readiness", Some(service)) => match serde_json::from_str(&record.body) {
                Ok(changed) => tell(record, Fact::OfReadiness { service, changed: &changed }),
                Err(_) => tell(record, Fact::Other),
            },
            ("readings", None) => match serde_json::from_str(&record.body) {
                Ok(event) => tell(record, Fact::OfReadings { event: &event }),
                Err(_) => tell(record, Fact::Other),
            },
            _ => tell(record, Fact::Other),
        }
        Ok(())
    }

    async fn of_run(&mut self, run: &str, record: &Record, tell: Told<'_>) -> Result<(), JournalError> {
        let mut kept = match self.runs.remove(run) {
            Some(Kept::Folded(run)) if run.state.sequence + 1 != record.sequence => None,
            kept => kept,
        };
        if kept.is_none() {
            kept = Some(self.fold(run, record).await?);
        }
        let Some(Kept::Folded(mut folded)) = kept else {
            tell(record, Fact::Other);
            self.keep(run, Kept::Passed);
            return Ok(());
        };
        let event = match parse(record) {
            Ok(event) => event,
            Err(why) => {
                tracing::error!("{} record {} is passed over: {why}", record.stream, record.sequence);
                tell(record, Fact::Other);
                self.keep(run, Kept::Passed);
                return Ok(());
            }
        };
        let state = &mut folded.state;
        let before = Before { status: state.status, asked: !state.missing.is_empty() };
        if record.sequence > 1 {
            apply(&folded.plan, state, &event, record.recorded_at);
        }
        tell(record, Fact::OfRun { run: &folded, before, event: &event });
        if !folded.state.status.is_terminal() {
            self.keep(run, Kept::Folded(folded));
        }
        Ok(())
    }

    fn keep(&mut self, run: &str, kept: Kept) {
        if self.runs.len() >= KEPT {
            let one = self.runs.keys().next().cloned();
            one.and_then(|one| self.runs.remove(&one));
        }
        self.runs.insert(run.to_owned(), kept);
    }

    /// The run as it stood before a record; for its first record, as that one makes it.
    async fn fold(&mut self, run: &str, until: &Record) -> Result<Kept, JournalError> {
        let stream = &until.stream;
        let first = self.journal.read(stream, 0, 1).await?;
        let Some(first) = first.first() else { return Ok(Kept::Passed) };
        let created = match parse(first) {
            Ok(Event::RunCreated(created)) => created,
            Ok(_) => return Ok(passed(run, "its first record is not its creation")),
            Err(why) => return Ok(passed(run, &why)),
        };
        if created.intent == Intent::Simulate {
            return Ok(Kept::Passed);
        }
        let plan = match self.plan(&created.plan).await? {
            Ok(plan) => plan,
            Err(why) => return Ok(passed(run, &why)),
        };
        let mut state = RunState::new(&plan, *created, first.recorded_at);
        while state.sequence + 1 < until.sequence {
            let records = self.journal.read(stream, state.sequence, PAGE).await?;
            if records.is_empty() {
                break;
            }
            for record in records.iter().filter(|record| record.sequence < until.sequence) {
                match parse(record) {
                    Ok(event) => apply(&plan, &mut state, &event, record.recorded_at),
                    Err(why) => return Ok(passed(run, &why)),
                }
            }
        }
        Ok(Kept::Folded(Box::new(Run { plan, state })))
    }

    async fn plan(&mut self, digest: &str) -> Result<Result<Arc<IndexedPlan>, String>, JournalError> {
        if let Some(plan) = self.plans.get(digest).and_then(Weak::upgrade) {
            return Ok(Ok(plan));
        }
        let Some(bytes) = self.journal.blob(digest).await? else {
            return Ok(Err("its plan is missing from the journal".to_owned()));
        };
        let plan = serde_json::from_slice::<Plan>(&bytes).map_err(|error| format!("its plan: {error}"));
        let plan = plan.and_then(|plan| IndexedPlan::new(plan).map_err(|error| format!("its plan: {error}")));
        Ok(plan.map(|plan| {
            let plan = Arc::new(plan);
            self.plans.retain(|_, plan| plan.strong_count() > 0);
            self.plans.insert(digest.to_owned(), Arc::downgrade(&plan));
            plan
        }))
    }
}

/// The position of the last record of a journal; 0 of an empty one.
///
/// # Errors
/// When the journal cannot be read.
pub async fn end(journal: &dyn Journal) -> Result<u64, JournalError> {
    // Positions are contiguous, so that a record lies behind a position if and only if that is not the end.
    let (mut below, mut step) = (0, 1);
    while !journal.read_after(below + step, 1).await?.is_empty() {
        below += step + 1;
        step *= 2;
    }
    let mut above = below + step;
    while below < above {
        let middle = below + (above - below) / 2;
        match journal.read_after(middle, 1).await?.first() {
            Some(record) => below = record.position,
            None => above = middle,
        }
    }
    Ok(below)
}

fn passed(run: &str, why: &str) -> Kept {
    tracing::error!("run {run} is passed over: {why}");
    Kept::Passed
}

fn parse(record: &Record) -> Result<Event, String> {
    if record.version > event::FORMAT {
        return Err("it was written by a newer drctl".to_owned());
    }
    if record.body.is_empty() {
        return Err("it was pruned".to_owned());
    }
    serde_json::from_str(&record.body).map_err(|error| error.to_string())
}
