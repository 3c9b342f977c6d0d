//! Creates the run that somebody wants; when somebody else moved the service in between, plans again by where
//! it is now.

use super::drills::{self, DrillFate, Interrupted};
use super::estate::runtime_for;
use super::planned::{self, Planned};
use super::source::Subject;
use super::{BrokenGlass, Wanted};
use crate::app::{Error, Session};
use crate::model::id::{RunId, ServiceName};
use crate::plan::Plan;
use crate::ports::{JournalError, RunFilter};
use crate::runtime::{self, Driver};

/// How often a run is planned while others keep moving its service.
const PLANS: u32 = 3;

/// What came of wanting a run.
pub(crate) enum Began {
    /// A new run, which is recorded and which nobody drives yet, and the drills that were interrupted for it.
    New(Box<Driver>, Interrupted),
    /// The run that was started with the same key before.
    Before(RunId),
}

/// Creates the run.
///
/// # Errors
/// When the runbook, the plan, the policy, a drill in the way or the journal refuse.
pub(crate) async fn start(session: &Session, wanted: &Wanted, subject: &Subject) -> Result<Began, Error> {
    for _ in 1..PLANS {
        match once(session, wanted, subject).await {
            Err(error) if error.reason == Some("service_changed") => {
                session.say("the service was moved while this run was planned: planning it again");
            }
            began => return began,
        }
    }
    once(session, wanted, subject).await
}

async fn once(session: &Session, wanted: &Wanted, subject: &Subject) -> Result<Began, Error> {
    // Asked first: after the run of the first start the service is where the second one would move it.
    if let Some(run) = started_before(session, wanted.idempotency_key.as_deref()).await? {
        return Ok(Began::Before(run));
    }
    let drills = InTheWay::of(wanted, subject);
    drills.let_it_be(session).await?;
    let Planned { plan, nested, mut new } = match subject {
        Subject::One(source) => planned::one(session, wanted, source).await?,
        Subject::Fleet(source) => planned::fleet(session, wanted, source).await?,
    };
    if let Some(BrokenGlass { why, journal }) = &wanted.broken_glass {
        new.notes.insert("break_glass".to_owned(), why.clone());
        new.notes.insert("journal".to_owned(), journal.clone());
    }
    let interrupted = drills.interrupt(session, &plan).await?;
    if !interrupted.promoted.is_empty() {
        let list: Vec<_> = interrupted.promoted.iter().map(ToString::to_string).collect();
        new.notes.insert("goes_on_from_drill".to_owned(), list.join(", "));
        new.adopt = true;
    }
    let runtime = runtime_for(session, &plan, wanted.simulated.as_ref(), &mut new.notes)?;
    let driver = runtime.create_with(plan, new, &nested).await?;
    opened(driver, interrupted).await
}

/// Records the creation of a run.
pub(super) async fn opened(mut driver: Driver, interrupted: Interrupted) -> Result<Began, Error> {
    match driver.open().await {
        Err(runtime::Error::Journal(JournalError::DuplicateStart { run })) => Ok(Began::Before(run)),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(Began::New(Box::new(driver), interrupted)),
    }
}

/// The drills that a start interrupts.
struct InTheWay<'a> {
    service: Option<&'a ServiceName>,
    fate: DrillFate,
    why: String,
}

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
        Self { service, fate: wanted.drill, why }
    }

    /// A drill that has moved the service leaves it where it is: that is where the real run wants it, too.
    async fn let_it_be(&self, session: &Session) -> Result<(), Error> {
        let Some(service) = self.service.filter(|_| self.fate != DrillFate::CleanUp) else { return Ok(()) };
        drills::interrupt(session, service, None, self.fate, &self.why).await?.settle(session).await;
        Ok(())
    }

    async fn interrupt(&self, session: &Session, plan: &Plan) -> Result<Interrupted, Error> {
        let Some(service) = self.service else { return Ok(Interrupted::default()) };
        drills::interrupt(session, service, Some(plan), self.fate, &self.why).await
    }
}

/// The run that was started with this key.
async fn started_before(session: &Session, key: Option<&str>) -> Result<Option<RunId>, Error> {
    let Some(key) = key else { return Ok(None) };
    let runs = session.journal.runs(&RunFilter { simulated: true, ..RunFilter::default() }).await?;
    Ok(runs.into_iter().find(|run| run.idempotency_key.as_deref() == Some(key)).map(|run| run.run))
}
