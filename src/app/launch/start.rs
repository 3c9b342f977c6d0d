//! Creates the run that somebody wants; when somebody else moved the service in between, plans again by where
//! it is now.

use std::collections::BTreeSet;

use super::estate::runtime_for;
use super::interrupt::{self, DrillFate, Interrupted, Standing};
use super::planned::{self, Planned};
use super::source::Subject;
use super::{BrokenGlass, Wanted};
use crate::app::{Error, Session, exit};
use crate::engine::overrides::BREAK_GLASS;
use crate::model::id::{RunId, ServiceName};
use crate::model::run::Intent;
use crate::model::time::Timestamp;
use crate::plan::{Nested, Plan};
use crate::ports::{Clock as _, JournalError, RunFilter};
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

/// Creates the run. `interrupted` takes the drills that were told to end for it, whatever comes of the run:
/// their cleanup goes on.
///
/// # Errors
/// When the runbook, the plan, the policy, a drill in the way or the journal refuse.
pub(crate) async fn start(
    session: &Session,
    wanted: &Wanted,
    subject: &Subject,
    interrupted: &mut Interrupted,
) -> Result<Began, Error> {
    for _ in 1..PLANS {
        match once(session, wanted, subject, interrupted).await {
            Err(error) if error.reason == Some("service_changed") => {
                session.say("the service was moved while this run was planned: planning it again");
            }
            began => return began,
        }
    }
    once(session, wanted, subject, interrupted).await
}

async fn once(
    session: &Session,
    wanted: &Wanted,
    subject: &Subject,
    interrupted: &mut Interrupted,
) -> Result<Began, Error> {
    // Asked first: after the run of the first start the service is where the second one would move it.
    if let Some(run) = started_before(session, wanted.idempotency_key.as_deref()).await? {
        return Ok(Began::Before(run));
    }
    let declared_at = SystemClock::real().now();
    let drills = InTheWay::of(wanted, subject);
    let standing = drills.standing(session).await?;
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
    let ways = drills.look(session, &plan, &nested).await?;
    if ways.is_empty() {
        return created(&runtime, plan, new, &nested, None).await;
    }
    runtime.ready(&plan, &new.sensitive, &nested).await?;
    drills.interrupt(session, &ways, interrupted).await?;
    if !interrupted.promoted.is_empty() {
        let list: Vec<_> = interrupted.promoted.iter().map(ToString::to_string).collect();
        new.notes.insert("goes_on_from_drill".to_owned(), list.join(", "));
        new.adopt = true;
    }
    // The recovery clock does not wait for a drill to get out of the way.
    created(&runtime, plan, new, &nested, Some(declared_at)).await
}

/// Creates a run and records its creation. `declared_at`: when it was wanted, where that was before now.
pub(super) async fn created(
    runtime: &Runtime,
    plan: Plan,
    new: NewRun,
    nested: &Nested,
    declared_at: Option<Timestamp>,
) -> Result<Began, Error> {
    let driver = runtime.create_with(plan, new, nested).await?;
    let driver = match declared_at {
        Some(at) => driver.declared(at),
        None => driver,
    };
    match driver.open().await {
        Err(runtime::Error::Journal(JournalError::DuplicateStart { run })) => Ok(Began::Before(run)),
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
type Way<'p> = (&'p Plan, DrillFate);

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
    async fn standing(&self, session: &Session) -> Result<Option<Standing>, Error> {
        match self.service {
            Some(service) => interrupt::standing(session, service).await,
            None => Ok(None),
        }
    }

    /// The plans that meet a drill of their service. Runs that other runs begin do not adopt: what a drill
    /// did for them is taken back, and a drill that moves one of their services is not cut off.
    async fn look<'p>(
        &self,
        session: &Session,
        plan: &'p Plan,
        nested: &'p Nested,
    ) -> Result<Vec<Way<'p>>, Error> {
        if !self.real {
            return Ok(Vec::new());
        }
        let mut ways = Vec::new();
        if let Some(service) = self.service {
            interrupt::unlocked(session, service, None).await?;
            if !interrupt::open(session, service).await?.is_empty() {
                ways.push((plan, self.fate));
            }
        }
        let mut seen = BTreeSet::new();
        for inside in nested.values().map(|planned| &planned.plan) {
            let service = &inside.runbook.name;
            let drills = interrupt::open(session, service).await?;
            if Some(service) == self.service || drills.is_empty() || !seen.insert(service) {
                continue;
            }
            interrupt::refuse_moved(&drills, service)?;
            ways.push((inside, DrillFate::CleanUp));
        }
        Ok(ways)
    }

    async fn interrupt(
        &self,
        session: &Session,
        ways: &[Way<'_>],
        interrupted: &mut Interrupted,
    ) -> Result<(), Error> {
        for (plan, fate) in ways {
            interrupt::interrupt(session, plan, *fate, &self.why, interrupted).await?;
        }
        Ok(())
    }
}

/// The run that was started with this key.
pub(super) async fn started_before(session: &Session, key: Option<&str>) -> Result<Option<RunId>, Error> {
    let Some(key) = key else { return Ok(None) };
    let runs = session.journal.runs(&RunFilter { simulated: true, ..RunFilter::default() }).await?;
    Ok(runs.into_iter().find(|run| run.idempotency_key.as_deref() == Some(key)).map(|run| run.run))
}
