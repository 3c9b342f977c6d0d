//! Creates the run that somebody wants; when somebody else moved the service in between, plans again by where
//! it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::estate::runtime_for;
use super::interrupt::{self, DrillFate, Interrupted, Open, Standing, Way};
use super::planned::{self, Planned};
use super::source::Subject;
use super::{BrokenGlass, Wanted, inbox, promoted, takeover};
use crate::app::{Error, Session, exit};
use crate::engine::input::Control;
use crate::engine::is_made_real;
use crate::engine::overrides::BREAK_GLASS;
use crate::model::id::{RunId, ServiceName};
use crate::model::run::{Intent, Operation};
use crate::model::time::Timestamp;
use crate::plan::{Nested, Plan};
use crate::ports::{Clock as _, JournalError, RunFilter, RunSummary};
use crate::runtime::{self, Driver, NewRun, Runtime, SystemClock};

/// How often a run is planned while others keep moving its service.
const PLANS: u32 = 3;

/// What came of wanting a run.
pub(crate) enum Began {
    /// A new run, which is recorded and which nobody drives yet.
    New(Box<Driver>),
    /// The run that was started with the same key before.
    Before(RunId),
}

/// Creates the run, which was declared now, however long it takes. `interrupted` takes the drills that were
/// told to end for it, whatever comes of the run: their cleanup goes on.
///
/// # Errors
/// When the runbook, the plan, the policy, a drill in the way or the journal refuse.
pub(crate) async fn start(
    session: &Session,
    wanted: &Wanted,
    subject: &Subject,
    interrupted: &mut Interrupted,
) -> Result<Began, Error> {
    let declared_at = SystemClock::real().now();
    let mut delayed = None;
    for _ in 1..PLANS {
        match once(session, wanted, subject, (declared_at, delayed), interrupted).await {
            Err(error) if error.reason == Some("service_changed") => {
                session.say("the service was moved while this run was planned: planning it again");
                delayed = Some(declared_at);
            }
            began => return began,
        }
    }
    once(session, wanted, subject, (declared_at, delayed), interrupted).await
}

async fn once(
    session: &Session,
    wanted: &Wanted,
    subject: &Subject,
    (declared_at, delayed): (Timestamp, Option<Timestamp>),
    interrupted: &mut Interrupted,
) -> Result<Began, Error> {
    // Asked first: after the run of the first start the service is where the second one would move it.
    let asked = Asked::of(wanted, subject);
    if let Some(run) = started_before(session, wanted.idempotency_key.as_deref(), &asked).await? {
        return Ok(Began::Before(run));
    }
    let drills = InTheWay::of(wanted, subject);
    let standing = drills.standing(session, &wanted.binding.values, interrupted).await?;
    let Planned { plan, nested, mut new } = match subject {
        Subject::One(source) => planned::one(session, wanted, source, standing.as_ref()).await?,
        Subject::Fleet(source) => planned::fleet(session, wanted, source).await?,
    };
    if let Some(BrokenGlass { why, journal }) = &wanted.broken_glass {
        new.notes.insert(BREAK_GLASS.to_owned(), why.clone());
        new.notes.insert("journal".to_owned(), journal.clone());
    }
    let runtime = runtime_for(session, &plan, wanted.simulated.as_ref(), &mut new.notes)?;
    // Whatever can refuse the run has been asked before a drill is interrupted for it.
    let ways = drills.look(session, &plan, &nested, None).await?;
    let before = drills.without_run(session, &nested).await?;
    let declared_at = if ways.is_empty() && before.is_empty() {
        delayed
    } else {
        runtime.ready(&plan, &new.sensitive, &nested).await?;
        drills.interrupt(session, &ways, &new.sensitive, interrupted).await?;
        for run in &before {
            interrupted.goes_on_from(run);
        }
        if !interrupted.promoted.is_empty() {
            let list: Vec<_> = interrupted.promoted.iter().map(ToString::to_string).collect();
            new.notes.insert("goes_on_from_drill".to_owned(), list.join(", "));
            new.adopt = true;
        }
        // The recovery clock does not wait for a drill to get out of the way.
        Some(declared_at)
    };
    let sensitive = new.sensitive.clone();
    let began = created(&runtime, plan, new, &nested, declared_at).await?;
    let Began::New(driver) = began else { return Ok(began) };
    let (run, plan) = (driver.state().created.run.clone(), Arc::clone(driver.plan()));
    match drills.met(session, (&run, &plan.plan), &nested, &sensitive, interrupted).await {
        Ok(false) => Ok(Began::New(driver)),
        Ok(true) => looking_first(session, *driver, sensitive).await,
        Err(error) => {
            let _ = driver.let_go().await;
            let what =
                format!("`drctl resume {run}` begins it all the same, `drctl abort {run}` withdraws it");
            Err(error.help(format!("run {run} is recorded and has not begun: {what}")))
        }
    }
}

/// Makes a run that has just been recorded look before it acts. Its first attempts are recorded with it and
/// not begun: taken over they are in doubt, and looked at like everything after them.
async fn looking_first(
    session: &Session,
    driver: Driver,
    sensitive: BTreeMap<String, Value>,
) -> Result<Began, Error> {
    let run = driver.state().created.run.clone();
    driver.let_go().await?;
    match takeover::take_over(session, &run, sensitive, None).await {
        Ok(driver) => Ok(Began::New(Box::new(driver))),
        // A server has taken it.
        Err(error) if error.reason == Some("run_held") => Ok(Began::Before(run)),
        Err(error) => Err(error),
    }
}

/// Creates a run and records its creation. `declared_at`: when it was wanted, where that was before now.
pub(super) async fn created(
    runtime: &Runtime,
    plan: Plan,
    new: NewRun,
    nested: &Nested,
    declared_at: Option<Timestamp>,
) -> Result<Began, Error> {
    let asked = Asked { service: plan.runbook.name.clone(), operation: plan.operation, intent: plan.intent };
    let driver = runtime.create_with(plan, new, nested).await?;
    let driver = match declared_at {
        Some(at) => driver.declared(at),
        None => driver,
    };
    match driver.open().await {
        Err(runtime::Error::Journal(JournalError::DuplicateStart { run })) => {
            match runtime.journal.summary(&run).await? {
                Some(earlier) => asked.answered_by(earlier).map(Began::Before),
                None => Ok(Began::Before(run)),
            }
        }
        Err(runtime::Error::Journal(JournalError::ServiceLocked { service, run })) => {
            Err(locked(runtime, service, run).await)
        }
        Err(error) => Err(error.into()),
        Ok(driver) => Ok(Began::New(Box::new(driver))),
    }
}

/// What keeps a run out, in the words of what it is: a drill is no real run.
async fn locked(runtime: &Runtime, service: ServiceName, run: RunId) -> Error {
    let filter = RunFilter { service: Some(service.clone()), open: true, ..RunFilter::default() };
    let runs = runtime.journal.runs(&filter).await.unwrap_or_default();
    match runs.into_iter().find(|other| other.run == run && other.intent == Intent::Drill) {
        None => JournalError::ServiceLocked { service, run }.into(),
        Some(drill) => {
            let what = format!("drill {run} of {service} is not over: it is {}", drill.status);
            Error::new(exit::HELD, what)
                .help(format!(
                    "a service has one drill at a time: see `drctl runs show {run}`; `drctl drill abort {run}` ends it"
                ))
                .reason("service_locked")
        }
    }
}

/// The drills that a start interrupts.
struct InTheWay<'a> {
    real: bool,
    service: Option<&'a ServiceName>,
    fate: DrillFate,
    why: String,
}

/// A plan that is to begin, and what becomes of the drills of its service.
type Fate<'p> = (&'p Plan, DrillFate);

impl<'a> InTheWay<'a> {
    /// A simulation interrupts nothing, nor does a run that waits to be started, or one whose journal knows
    /// of no drills.
    fn of(wanted: &Wanted, subject: &'a Subject) -> Self {
        let real = wanted.simulated.is_none() && wanted.staged_for.is_none() && wanted.broken_glass.is_none();
        let service = match subject {
            Subject::One(source) => Some(&source.runbook.metadata.name).filter(|_| real),
            Subject::Fleet(_) => None,
        };
        let why = format!("a real run begins: {}", wanted.reason.as_deref().unwrap_or_default());
        Self { real, service, fate: wanted.drill, why }
    }

    /// The drill that has moved the service and not brought it back: where the service is, it has it only for
    /// a while, and the real run goes on from there.
    async fn standing(
        &self,
        session: &Session,
        sensitive: &BTreeMap<String, Value>,
        interrupted: &mut Interrupted,
    ) -> Result<Option<Standing>, Error> {
        match self.service {
            Some(service) => interrupt::standing(session, service, sensitive, interrupted).await,
            None => Ok(None),
        }
    }

    /// The plans that meet a drill of their service. Runs that other runs begin do not adopt: what a drill
    /// did for them is taken back, and a drill that moves one of their services is not cut off. `begun`: the
    /// run, where it is recorded already.
    async fn look<'p>(
        &self,
        session: &Session,
        plan: &'p Plan,
        nested: &'p Nested,
        begun: Option<&RunId>,
    ) -> Result<Vec<Fate<'p>>, Error> {
        if !self.real {
            return Ok(Vec::new());
        }
        let mut ways = Vec::new();
        if let Some(service) = self.service {
            interrupt::unlocked(session, service, begun).await?;
            if !self.open(session, service, begun).await?.is_empty() {
                ways.push((plan, self.fate));
            }
        }
        let mut seen = BTreeSet::new();
        for inside in nested.values().map(|planned| &planned.plan) {
            let service = &inside.runbook.name;
            let drills = self.open(session, service, begun).await?;
            if Some(service) == self.service || drills.is_empty() || !seen.insert(service) {
                continue;
            }
            interrupt::refuse_moved(&drills, service)?;
            ways.push((inside, DrillFate::CleanUp));
        }
        Ok(ways)
    }

    /// The drills of a service that are not over; beside a run that is recorded only those that have not
    /// heard of it.
    async fn open(
        &self,
        session: &Session,
        service: &ServiceName,
        begun: Option<&RunId>,
    ) -> Result<Vec<Open>, Error> {
        let mut drills = interrupt::open(session, service).await?;
        drills.retain(|drill| begun.is_none() || !is_made_real(&drill.loaded.state));
        Ok(drills)
    }

    /// Drills that were made real by a start which never came to its run: this one goes on from them.
    async fn without_run(&self, session: &Session, nested: &Nested) -> Result<Vec<RunId>, Error> {
        if !self.real {
            return Ok(Vec::new());
        }
        let inside = nested.values().map(|planned| &planned.plan.runbook.name);
        let services: BTreeSet<_> = self.service.into_iter().chain(inside).collect();
        let mut before = Vec::new();
        for service in services {
            let drills = promoted::without_run(session, service).await?;
            before.extend(drills.into_iter().map(|drill| drill.run));
        }
        Ok(before)
    }

    async fn interrupt(
        &self,
        session: &Session,
        ways: &[Fate<'_>],
        sensitive: &BTreeMap<String, Value>,
        interrupted: &mut Interrupted,
    ) -> Result<(), Error> {
        for (real, fate) in ways {
            let way = Way { real, fate: *fate, why: &self.why, sensitive };
            interrupt::interrupt(session, way, interrupted).await?;
        }
        Ok(())
    }

    /// Interrupts drills that have begun since it was looked for some, before the run does anything. No other
    /// can begin beside it any more. Returns whether the run goes on from one of them.
    async fn met(
        &self,
        session: &Session,
        (run, plan): (&RunId, &Plan),
        nested: &Nested,
        sensitive: &BTreeMap<String, Value>,
        interrupted: &mut Interrupted,
    ) -> Result<bool, Error> {
        let ways = self.look(session, plan, nested, Some(run)).await?;
        let before = interrupted.promoted.len();
        self.interrupt(session, &ways, sensitive, interrupted).await?;
        let goes_on = interrupted.promoted.len() > before;
        if goes_on {
            inbox::submit(session, run, Control::Adopt, Some(self.why.clone())).await?;
        }
        Ok(goes_on)
    }
}

/// What a key is to begin: it stands for one start and is no name for another.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) service: ServiceName,
    pub(super) operation: Operation,
    pub(super) intent: Intent,
}

impl Asked {
    fn of(wanted: &Wanted, subject: &Subject) -> Self {
        let service = match subject {
            Subject::One(source) => source.runbook.metadata.name.clone(),
            Subject::Fleet(source) => source.roster.metadata.name.clone(),
        };
        let intent = if wanted.simulated.is_some() { Intent::Simulate } else { Intent::Real };
        Self { service, operation: wanted.operation, intent }
    }

    /// The run of an earlier start, if that was this one.
    fn answered_by(&self, earlier: RunSummary) -> Result<RunId, Error> {
        let same = earlier.service == self.service
            && earlier.operation == self.operation
            && earlier.intent == self.intent;
        if same {
            return Ok(earlier.run);
        }
        let RunSummary { run, service, operation, intent, .. } = earlier;
        let what = format!(
            "this idempotency key has begun {run}, a {operation} of {service} ({intent}): it begins no {} of {} ({})",
            self.operation, self.service, self.intent
        );
        Err(Error::new(exit::REFUSED, what)
            .help(format!(
                "nothing was begun: give this start a key of its own; `drctl runs show {run}` shows the other"
            ))
            .reason("idempotency_key_reused"))
    }
}

/// The run that was started with this key.
///
/// # Errors
/// When the key has begun something else, or the journal cannot be read.
pub(super) async fn started_before(
    session: &Session,
    key: Option<&str>,
    asked: &Asked,
) -> Result<Option<RunId>, Error> {
    let Some(key) = key else { return Ok(None) };
    let runs = session.journal.runs(&RunFilter { simulated: true, ..RunFilter::default() }).await?;
    let earlier = runs.into_iter().find(|run| run.idempotency_key.as_deref() == Some(key));
    earlier.map(|earlier| asked.answered_by(earlier)).transpose()
}
