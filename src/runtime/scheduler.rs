//! Looks at schedules: reads what is known, lets the state machine decide, records, and has drills started.
//! Starts nothing that was not recorded first, and nothing twice.

use std::sync::Arc;

use super::facts;
use super::{Error, load, stop_switch};
use crate::engine::next_wake;
use crate::engine::schedule::{
    Answers, Facts, Order, Place, Refusal, RunLine, ScheduleEvent, ScheduleRecord, Step, decide,
};
use crate::model::id::{RunId, ServiceName};
use crate::model::run::{Intent, RunStatus};
use crate::model::schedule::Timetable;
use crate::model::time::{Duration, Timestamp};
use crate::ports::{BoxFuture, Clock, Journal, JournalError, RunFilter, RunSummary, StreamName};

/// Most steps of one look; a schedule that is looked at by many processes needs some more.
const STEPS: usize = 64;
/// Most records that are read at once.
const PAGE: usize = 1_000;

/// What a scheduler needs from whoever runs it.
pub trait Launch: Send + Sync {
    /// Asks policy and guards whether the drill may begin now. Changes nothing; a guard that cannot be asked
    /// is red.
    fn ask<'a>(&'a self, service: &'a ServiceName, order: &'a Order)
    -> BoxFuture<'a, Result<Answers, Error>>;

    /// Starts the drill of a service under the key of the order, and returns when it is over or a person is
    /// needed. Where a run of this key exists, nothing is started.
    fn start<'a>(
        &'a self,
        service: &'a ServiceName,
        order: &'a Order,
    ) -> BoxFuture<'a, Result<(), LaunchError>>;

    /// Goes on with a run that nobody drives, as [`Launch::start`].
    fn go_on<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<(), LaunchError>>;
}

/// Why a drill was not started, or not followed to its end.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// It cannot be planned or created, whoever tries.
    #[error("{0}")]
    Refused(String),
    /// Something that has nothing to do with this drill.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A service with a schedule.
#[derive(Debug, Clone)]
pub struct Scheduled {
    /// The service.
    pub service: ServiceName,
    /// When its drills run.
    pub timetable: Timetable,
    /// Where that is written.
    pub place: Place,
}

/// Looks at schedules.
pub struct Scheduler {
    /// Where schedules and runs are recorded.
    pub journal: Arc<dyn Journal>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What starts drills.
    pub launch: Arc<dyn Launch>,
    /// How far back missed fires are looked for.
    pub within: Duration,
}

/// What came of one look at a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// What was recorded, in order.
    pub recorded: Vec<ScheduleEvent>,
    /// The drill that was started; in a preview, that would be.
    pub order: Option<Order>,
    /// The run that nobody drove and that was gone on with; in a preview, that would be.
    pub gone_on: Option<RunId>,
    /// The run of a fire that is not over: it waits for a person, or somebody else drives it.
    pub open: Option<RunLine>,
    /// The clock is not set: nothing was decided.
    pub unset: bool,
    /// Up to when fires were decided before, where the clock is not set.
    pub ahead: Option<Timestamp>,
    /// Another version of the schedule is in force: no fire of this one is let through.
    pub behind: Option<Behind>,
    /// When the next fire is due.
    pub next: Option<Timestamp>,
}

/// What is in force in place of what was looked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Its expression and zone.
    pub schedule: String,
    /// Where it was seen, as far as it is recorded.
    pub place: Option<Place>,
    /// Whoever still has the other then, sets it again.
    pub until: Timestamp,
}

impl Scheduler {
    /// Looks at a schedule and does what is due. Returns when its drill is over or needs a person.
    ///
    /// # Errors
    /// When the journal cannot be used, or a drill could not be followed to its end.
    pub async fn turn(&self, schedule: &Scheduled) -> Result<Turn, Error> {
        self.look(schedule, false).await
    }

    /// Says what [`Scheduler::turn`] would do now. Policy and guards are asked, nothing is recorded or begun.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn preview(&self, schedule: &Scheduled) -> Result<Turn, Error> {
        self.look(schedule, true).await
    }

    async fn look(&self, schedule: &Scheduled, dry: bool) -> Result<Turn, Error> {
        let Scheduled { service, timetable, place } = schedule;
        let mut turn = Turn::default();
        let mut answers = None;
        for _ in 0..STEPS {
            let (mut record, head) = schedule_record(self.journal.as_ref(), service).await?;
            let now = self.clock.now();
            if dry {
                turn.recorded.iter().for_each(|event| record.apply(event, now));
            }
            let facts = self.facts((service, place), &record, answers.clone()).await?;
            match decide(service.as_str(), timetable, &record, &facts) {
                Step::Wait(next) => {
                    turn.open = open(&record, facts.runs, &turn);
                    turn.next = next;
                    return Ok(turn);
                }
                Step::Behind { until } => {
                    turn.open = open(&record, facts.runs, &turn);
                    let schedule = record.schedule.unwrap_or_default();
                    turn.behind = Some(Behind { schedule, place: record.place, until });
                    return Ok(turn);
                }
                Step::Unset { ahead } => {
                    (turn.unset, turn.ahead) = (true, ahead);
                    return Ok(turn);
                }
                Step::Ask(order) => answers = Some((order.fire, self.launch.ask(service, &order).await?)),
                Step::Record(events) => {
                    if dry || self.append(service, head, &events).await? {
                        turn.recorded.extend(events);
                    }
                }
                Step::Start(order) if dry => {
                    turn.order = Some(order);
                    return Ok(turn);
                }
                Step::Start(order) => self.start(service, head, order, &mut turn).await?,
                Step::GoOn(run) if dry || turn.gone_on.is_some() => {
                    turn.gone_on = Some(run);
                    return Ok(turn);
                }
                Step::GoOn(run) => {
                    turn.gone_on = Some(run.clone());
                    match self.launch.go_on(&run).await {
                        Ok(()) => {}
                        Err(LaunchError::Refused(why)) => return Err(Error::NotReady(why)),
                        Err(LaunchError::Failed(error)) => return Err(error),
                    }
                }
            }
        }
        Ok(turn)
    }

    /// Starts a drill once. Where that is refused, or leaves no run behind, the fire is refused.
    async fn start(
        &self,
        service: &ServiceName,
        head: u64,
        order: Order,
        turn: &mut Turn,
    ) -> Result<(), Error> {
        let fire = order.fire;
        let tried = turn.order.replace(order.clone()).is_some();
        let started = if tried {
            Err(LaunchError::Refused("it was started, and left no run behind".to_owned()))
        } else {
            self.launch.start(service, &order).await
        };
        match started {
            Ok(()) => Ok(()),
            Err(LaunchError::Failed(error)) => Err(error),
            Err(LaunchError::Refused(detail)) => {
                let reason = Refusal::NotStarted;
                let refused = ScheduleEvent::Refused { fire, reason, detail, count: 1 };
                if self.append(service, head, std::slice::from_ref(&refused)).await? {
                    turn.recorded.push(refused);
                }
                Ok(())
            }
        }
    }

    async fn facts(
        &self,
        (service, place): (&ServiceName, &Place),
        record: &ScheduleRecord,
        answers: Option<(Timestamp, Answers)>,
    ) -> Result<Facts, Error> {
        let journal = self.journal.as_ref();
        let switch = stop_switch(journal).await?;
        let stopped = switch.stopped.then(|| {
            let by = switch.by.map_or_else(String::new, |by| format!(" by {}", by.name));
            let reason = switch.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            format!("stop-all is on{by}{reason}")
        });
        let all = RunFilter { service: Some(service.clone()), simulated: true, ..RunFilter::default() };
        let mut found = journal.runs(&RunFilter { open: true, ..all.clone() }).await?;
        if let Some(opened) = &record.opened {
            let is_its = |run: &RunSummary| run.idempotency_key.as_deref() == Some(&opened.key);
            if !found.iter().any(is_its) {
                found.extend(journal.runs(&all).await?.into_iter().find(is_its));
            }
        }
        let mut runs = Vec::with_capacity(found.len());
        for run in found {
            let driven = is_driven(journal, &run.run).await?;
            let due = run.intent == Intent::Drill && !driven && self.is_due(&run).await;
            let RunSummary { run, intent, status, verdict, idempotency_key: key, .. } = run;
            runs.push(RunLine { run, intent, status, verdict, key, driven, due });
        }
        // Read last: what was found is not older than the time it is judged by.
        let now = self.clock.now();
        let place = place.clone();
        Ok(Facts { place, now, within: self.within, stopped, runs, answers })
    }

    /// Says whether the time is up of something that a drill waits for. One that cannot be read waits.
    async fn is_due(&self, run: &RunSummary) -> bool {
        if run.status.is_terminal() {
            return false;
        }
        let Ok(loaded) = load(self.journal.as_ref(), &run.run).await else { return false };
        let now = self.clock.now();
        next_wake(&loaded.plan, &loaded.state, now).is_some_and(|at| at <= now)
    }

    /// Records facts, unless somebody else has recorded some since.
    async fn append(
        &self,
        service: &ServiceName,
        head: u64,
        events: &[ScheduleEvent],
    ) -> Result<bool, Error> {
        let records = events.iter().map(|event| (event.kind(), event));
        facts::append(self.journal.as_ref(), StreamName::schedule(service), head, self.clock.now(), records)
            .await
    }
}

/// The run that a look leaves open.
fn open(record: &ScheduleRecord, runs: Vec<RunLine>, turn: &Turn) -> Option<RunLine> {
    let key = record.opened.as_ref().map(|opened| opened.key.as_str());
    let is_its = |line: &RunLine| key.is_some() && line.key.as_deref() == key;
    let gone_on = |line: &RunLine| turn.gone_on.as_ref() == Some(&line.run);
    runs.into_iter().find(|line| is_its(line) || gone_on(line))
}

/// Records that the schedule of a service is not there any more in a place, where one is in force and nobody
/// else may have it; says whether it did.
///
/// # Errors
/// When the journal refuses.
pub async fn take_out(
    journal: &dyn Journal,
    service: &ServiceName,
    place: &Place,
    now: Timestamp,
) -> Result<bool, Error> {
    let (record, head) = schedule_record(journal, service).await?;
    let Some(event) = record.unseen(place, now) else { return Ok(false) };
    let records = std::iter::once((event.kind(), &event));
    facts::append(journal, StreamName::schedule(service), head, now, records).await
}

/// The run of the fire that a schedule has let through last, unless it is over or somebody drives it: its
/// status.
///
/// # Errors
/// When the journal cannot be read.
pub async fn opened_run(
    journal: &dyn Journal,
    service: &ServiceName,
    record: &ScheduleRecord,
) -> Result<Option<(RunId, RunStatus)>, Error> {
    let Some(opened) = &record.opened else { return Ok(None) };
    let service = Some(service.clone());
    let open = RunFilter { service, open: true, simulated: true, ..RunFilter::default() };
    let runs = journal.runs(&open).await?;
    let Some(run) = runs.into_iter().find(|run| run.idempotency_key.as_deref() == Some(&opened.key)) else {
        return Ok(None);
    };
    let driven = is_driven(journal, &run.run).await?;
    Ok((!driven).then_some((run.run, run.status)))
}

/// Says whether a process drives a run now.
async fn is_driven(journal: &dyn Journal, run: &RunId) -> Result<bool, Error> {
    let lease = journal.lease(run).await?;
    Ok(lease.is_some_and(|lease| lease.alive && lease.holder.is_some()))
}

/// Reads where the schedule of a service stands, and the sequence of the last entry that says so.
///
/// # Errors
/// When the journal cannot be read or its record makes no sense.
pub async fn schedule_record(
    journal: &dyn Journal,
    service: &ServiceName,
) -> Result<(ScheduleRecord, u64), Error> {
    let stream = StreamName::schedule(service);
    let mut record = ScheduleRecord::default();
    let mut after = 0;
    loop {
        let records = journal.read(&stream, after, PAGE).await?;
        for entry in &records {
            let event: ScheduleEvent = serde_json::from_str(&entry.body).map_err(|error| {
                JournalError::Damaged(format!("{stream} record {}: {error}", entry.sequence))
            })?;
            record.apply(&event, entry.recorded_at);
            after = entry.sequence;
        }
        if records.len() < PAGE {
            return Ok((record, after));
        }
    }
}
