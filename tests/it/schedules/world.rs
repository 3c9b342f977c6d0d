//! A scheduler with a clock that stands still, a journal in memory, and drills that end as the test says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use drctl::engine::schedule::{Answers, Order, Place, ScheduleEvent, ScheduleRecord};
use drctl::journal::MemoryJournal;
use drctl::model::id::{RunId, ServiceName};
use drctl::model::run::{Identity, Intent, Operation, RunStatus, Verdict};
use drctl::model::runbook::Schedule;
use drctl::model::schedule::{Missed, Timetable};
use drctl::model::time::{Duration, Timestamp};
use drctl::ports::{
    Append, BoxFuture, Clock, IdSource, Journal, JournalError, NewRecord, RunSummary, StreamName,
};
use drctl::runtime::{
    self, Launch, LaunchError, Scheduled, Scheduler, Turn, Turned, VirtualClock, schedule_record,
    turn_stop_switch,
};

pub(super) const WEEK: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn shop() -> ServiceName {
    ServiceName::new("shop").unwrap()
}

/// A machine that looks at schedules.
pub(super) fn place(host: &str) -> Place {
    Place { host: host.to_owned(), path: "/etc/drctl/runbooks/shop.yaml".to_owned() }
}

/// How the next drill goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drill {
    /// To this status, at once.
    Ends(RunStatus),
    /// Its process dies before the run is created.
    DiesBefore,
    /// Its process dies while it runs.
    DiesWithin,
    /// It cannot be planned.
    CannotStart,
}

pub(super) struct Drills {
    journal: Arc<MemoryJournal>,
    clock: Arc<VirtualClock>,
    next: Mutex<Drill>,
    answers: Mutex<Answers>,
    asked: Mutex<u32>,
    begun: Mutex<Vec<(Timestamp, Order)>>,
    gone_on: Mutex<Vec<RunId>>,
    slow: AtomicBool,
}

impl Drills {
    /// Records a run as a driver would, as far as others can see it.
    async fn record(
        &self,
        run: &RunId,
        key: Option<&str>,
        intent: Intent,
        status: RunStatus,
    ) -> Result<(), JournalError> {
        let token = self.journal.grant(run).await?;
        let now = self.clock.now();
        let summary = RunSummary {
            run: run.clone(),
            service: shop(),
            operation: Operation::Failover,
            intent,
            status,
            from: None,
            to: None,
            created_at: now,
            ended_at: status.is_terminal().then_some(now),
            idempotency_key: key.map(ToOwned::to_owned),
            locks_service: intent == Intent::Real,
            verdict: (status == RunStatus::Succeeded).then_some(Verdict::Met),
            parent: None,
        };
        let records = vec![NewRecord { kind: "test", version: 1, body: "{}".to_owned() }];
        let append = Append {
            stream: Some(StreamName::run(run)),
            token: Some(token),
            at: Some(now),
            records,
            summary: Some(summary),
            ..Append::default()
        };
        self.journal.append(vec![append]).await?;
        self.journal.release(run, token).await
    }
}

impl Launch for Drills {
    fn ask<'a>(&'a self, _: &'a ServiceName, _: &'a Order) -> BoxFuture<'a, Result<Answers, runtime::Error>> {
        Box::pin(async move {
            *self.asked.lock().unwrap() += 1;
            if self.slow.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            Ok(self.answers.lock().unwrap().clone())
        })
    }

    fn start<'a>(&'a self, _: &'a ServiceName, order: &'a Order) -> BoxFuture<'a, Result<(), LaunchError>> {
        Box::pin(async move {
            let next = *self.next.lock().unwrap();
            let gone = || LaunchError::Failed(runtime::Error::NotReady("the process is gone".to_owned()));
            if self.slow.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            let status = match next {
                Drill::CannotStart => return Err(LaunchError::Refused("no such site".to_owned())),
                Drill::DiesBefore => return Err(gone()),
                Drill::DiesWithin => RunStatus::Running,
                Drill::Ends(status) => status,
            };
            let run = RunId::new(format!("shop-{}", drctl::app::RandomIds.suffix())).unwrap();
            match self.record(&run, Some(&order.key), Intent::Drill, status).await {
                Err(JournalError::DuplicateStart { .. }) => return Ok(()),
                other => other.map_err(runtime::Error::from)?,
            }
            self.begun.lock().unwrap().push((self.clock.now(), order.clone()));
            if next == Drill::DiesWithin { Err(gone()) } else { Ok(()) }
        })
    }

    fn go_on<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<(), LaunchError>> {
        Box::pin(async move {
            self.gone_on.lock().unwrap().push(run.clone());
            let all = self.journal.runs(&drctl::ports::RunFilter::default()).await.unwrap();
            let key = all.into_iter().find(|known| known.run == *run).unwrap().idempotency_key;
            self.record(run, key.as_deref(), Intent::Drill, RunStatus::Succeeded).await.unwrap();
            Ok(())
        })
    }
}

pub(super) struct World {
    pub(super) journal: Arc<MemoryJournal>,
    pub(super) clock: Arc<VirtualClock>,
    pub(super) drills: Arc<Drills>,
    pub(super) schedule: Schedule,
}

impl World {
    pub(super) fn new(cron: &str, zone: &str, now: &str) -> Self {
        let journal = Arc::new(MemoryJournal::new());
        let clock = VirtualClock::starting_at(time(now));
        let drills = Drills {
            journal: Arc::clone(&journal),
            clock: Arc::clone(&clock),
            next: Mutex::new(Drill::Ends(RunStatus::Succeeded)),
            answers: Mutex::default(),
            asked: Mutex::default(),
            begun: Mutex::default(),
            gone_on: Mutex::default(),
            slow: AtomicBool::new(false),
        };
        let schedule = Schedule {
            cron: cron.to_owned(),
            timezone: Some(zone.to_owned()),
            jitter: None,
            blackout: Vec::new(),
            missed: None,
        };
        Self { journal, clock, drills: Arc::new(drills), schedule }
    }

    pub(super) fn with_blackout(mut self, blackout: &str) -> Self {
        self.schedule.blackout.push(blackout.to_owned());
        self
    }

    pub(super) fn with_jitter(mut self, jitter: Duration) -> Self {
        self.schedule.jitter = Some(jitter);
        self
    }

    pub(super) fn running_missed_ones(mut self) -> Self {
        self.schedule.missed = Some(Missed::RunOnce);
        self
    }

    pub(super) fn scheduled(&self) -> Scheduled {
        let timetable = Timetable::new("shop", &self.schedule).unwrap();
        Scheduled { service: shop(), timetable, place: place("one") }
    }

    /// A scheduler as another process would have it.
    pub(super) fn scheduler(&self) -> Scheduler {
        let launch: Arc<dyn Launch> = self.drills.clone();
        Scheduler { journal: self.journal.clone(), clock: self.clock.clone(), launch, within: WEEK }
    }

    /// The same machine after its clock was put back; what began before is not known to it any more.
    pub(super) fn with_clock_put_back(&self, now: &str) -> Self {
        let after = Self::new(&self.schedule.cron, self.schedule.timezone.as_deref().unwrap(), now);
        let drills = Drills {
            journal: Arc::clone(&self.journal),
            clock: Arc::clone(&after.clock),
            next: Mutex::new(Drill::Ends(RunStatus::Succeeded)),
            answers: Mutex::default(),
            asked: Mutex::default(),
            begun: Mutex::default(),
            gone_on: Mutex::default(),
            slow: AtomicBool::new(false),
        };
        Self { journal: Arc::clone(&self.journal), drills: Arc::new(drills), ..after }
    }

    pub(super) fn at(&self, now: &str) {
        self.clock.advance_to(time(now));
    }

    pub(super) async fn turn(&self) -> Turn {
        self.scheduler().turn(&self.scheduled()).await.unwrap()
    }

    /// A turn that the process does not survive.
    pub(super) async fn fatal_turn(&self) {
        assert!(self.scheduler().turn(&self.scheduled()).await.is_err());
    }

    pub(super) fn next_drill(&self, drill: Drill) {
        *self.drills.next.lock().unwrap() = drill;
    }

    pub(super) fn answers(&self, answers: Answers) {
        *self.drills.answers.lock().unwrap() = answers;
    }

    pub(super) fn slow(&self) {
        self.drills.slow.store(true, Ordering::SeqCst);
    }

    /// When drills began, and whose fires they are.
    pub(super) fn begun(&self) -> Vec<(Timestamp, Order)> {
        self.drills.begun.lock().unwrap().clone()
    }

    pub(super) fn fires(&self) -> Vec<String> {
        self.begun().iter().map(|(_, order)| order.fire.to_string()).collect()
    }

    pub(super) fn asked(&self) -> u32 {
        *self.drills.asked.lock().unwrap()
    }

    pub(super) fn gone_on(&self) -> usize {
        self.drills.gone_on.lock().unwrap().len()
    }

    pub(super) async fn record(&self) -> ScheduleRecord {
        schedule_record(self.journal.as_ref(), &shop()).await.unwrap().0
    }

    pub(super) async fn stop_all(&self, on: bool) {
        let turned = Turned { by: Identity::asserted("ada"), reason: "audit".to_owned() };
        turn_stop_switch(self.journal.as_ref(), on, &turned, self.clock.now()).await.unwrap();
    }

    /// A run of the service that the schedule has nothing to do with.
    pub(super) async fn other_run(&self, run: &str, intent: Intent, status: RunStatus) {
        let run = RunId::new(run).unwrap();
        self.drills.record(&run, None, intent, status).await.unwrap();
    }

    /// The word of each refusal in the schedule's stream.
    pub(super) async fn refusals(&self) -> Vec<String> {
        let records = self.journal.read(&StreamName::schedule(&shop()), 0, 1_000).await.unwrap();
        let events =
            records.iter().map(|record| serde_json::from_str::<ScheduleEvent>(&record.body).unwrap());
        let told = events.filter_map(|event| match event {
            ScheduleEvent::Refused { fire, reason, count, .. } => Some(format!("{fire} {reason} {count}")),
            _ => None,
        });
        told.collect()
    }
}
