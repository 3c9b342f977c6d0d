//! A real start interrupts the drills of its service: asks their drivers to end them, or drives them to
//! their end beside the real run. Interrupts nothing for a run that is refused, and waits until nothing is
//! under way that the run would touch: it never begins beside what a drill does or takes back.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::{Wanted, handover, inbox, promoted};
use crate::app::{Error, Session, exit};
use crate::engine::drill::is_moved;
use crate::engine::input::Control;
use crate::engine::returning;
use crate::engine::service::ServiceRecord;
use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Intent, Operation, RunStatus};
use crate::plan::{NodeIndex, Plan};
use crate::ports::{JournalError, RunFilter};
use crate::runtime::{self, Loaded};

/// How long a real run that is over waits for the cleanup of the drill it interrupted.
const CLEANS_UP_WITHIN: std::time::Duration = std::time::Duration::from_mins(5);

/// What becomes of a drill that a real start interrupts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DrillFate {
    /// What the real run would do itself stays, the rest is taken back.
    #[default]
    Auto,
    /// All it has done stays.
    Promote,
    /// All it has done is taken back.
    CleanUp,
}

/// Drills that were interrupted.
#[derive(Debug, Default)]
pub(crate) struct Interrupted {
    /// What the real run goes on from, for its notes.
    pub promoted: Vec<RunId>,
    /// Drills whose cleanup this process drives beside the real run.
    pub(super) driven: Vec<(RunId, JoinHandle<Result<RunStatus, runtime::Error>>)>,
}

/// A real plan that is to begin, for the drills of its service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    /// The plan.
    pub(super) real: &'a Plan,
    /// What becomes of the drills.
    pub(super) fate: DrillFate,
    /// Why they are interrupted.
    pub(super) why: &'a str,
    /// Values of sensitive parameters, which a drill that nobody drives needs again.
    pub(super) sensitive: &'a BTreeMap<String, Value>,
}

impl Interrupted {
    /// The real run goes on from what a drill has done.
    pub(super) fn goes_on_from(&mut self, run: &RunId) {
        if !self.promoted.contains(run) {
            self.promoted.push(run.clone());
        }
    }

    /// Waits for the cleanups driven here, and says what became of them.
    pub(crate) async fn settle(self, session: &Session) {
        for (run, task) in self.driven {
            match tokio::time::timeout(CLEANS_UP_WITHIN, task).await {
                Ok(Ok(Ok(status))) if status.is_terminal() => {
                    session.say(&format!("drill {run} is {status}"));
                }
                Ok(Ok(Ok(status))) => session.say(&format!(
                    "drill {run} is {status}: `drctl drill cleanup {run}` tries again what it left behind"
                )),
                Ok(Ok(Err(error))) => session.say(&format!("drill {run} was not cleaned up: {error}")),
                Ok(Err(_)) | Err(_) => {
                    session.say(&format!("drill {run} is not cleaned up yet: `drctl resume {run}` goes on"));
                }
            }
        }
    }
}

/// A drill that is not over.
pub(crate) struct Open {
    /// The run.
    pub run: RunId,
    /// As its journal has it.
    pub loaded: Loaded,
}

/// The drills of a service that have effects and are not over.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn open(session: &Session, service: &ServiceName) -> Result<Vec<Open>, Error> {
    let filter = RunFilter { service: Some(service.clone()), open: true, ..RunFilter::default() };
    let mut open = Vec::new();
    for drill in session.journal.runs(&filter).await? {
        if drill.intent == Intent::Drill && drill.status != RunStatus::AwaitingAttestation {
            let loaded = runtime::load(session.journal.as_ref(), &drill.run).await?;
            open.push(Open { run: drill.run, loaded });
        }
    }
    Ok(open)
}

/// Refuses when another real run than this one works on the service: nothing is interrupted for the sake of a
/// refusal.
///
/// # Errors
/// When there is one, or the journal cannot be read.
pub(crate) async fn unlocked(
    session: &Session,
    service: &ServiceName,
    but: Option<&RunId>,
) -> Result<(), Error> {
    let filter = RunFilter { service: Some(service.clone()), open: true, ..RunFilter::default() };
    let runs = session.journal.runs(&filter).await?;
    match runs
        .into_iter()
        .find(|run| run.intent == Intent::Real && run.locks_service && Some(&run.run) != but)
    {
        Some(run) => Err(JournalError::ServiceLocked { service: service.clone(), run: run.run }.into()),
        None => Ok(()),
    }
}

/// A live drill that has moved its service and not brought it back.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    run: RunId,
    from: Option<SiteName>,
    to: Option<SiteName>,
}

impl Standing {
    fn of(run: RunId, loaded: &Loaded) -> Self {
        let plan = &loaded.plan.plan;
        Self { run, from: plan.from.clone(), to: plan.to.clone() }
    }

    /// The service record as a run has to see it: one that goes where the drill went goes on from the drill,
    /// and leaves from where the service was before it.
    #[must_use]
    pub(crate) fn seen_by(&self, wanted: &Wanted, mut record: ServiceRecord) -> ServiceRecord {
        let same = match wanted.operation {
            Operation::Failover | Operation::Switchover => {
                wanted.binding.to.as_ref().is_none_or(|to| Some(to) == self.to.as_ref())
            }
            Operation::Failback => false,
        };
        if same && record.run.as_ref() == Some(&self.run) {
            record.quarantined.retain(|_, run| *run != self.run);
            (record.active, record.since, record.run) = (self.from.clone(), None, None);
        }
        record
    }
}

/// The drill that has moved a service and not brought it back: one that is not over, or one that was made
/// real by a start that never came to its run.
///
/// # Errors
/// While somebody else is moving the service back, or when the journal cannot be read.
pub(super) async fn standing(
    session: &Session,
    service: &ServiceName,
    sensitive: &BTreeMap<String, Value>,
    interrupted: &mut Interrupted,
) -> Result<Option<Standing>, Error> {
    let mut found = None;
    for Open { run, loaded } in promoted::without_run(session, service).await? {
        if stands(&loaded) {
            found = Some(Standing::of(run, &loaded));
        }
    }
    for Open { run, mut loaded } in open(session, service).await? {
        if let Some(node) = returning(&loaded.plan, &loaded.state) {
            let mine = interrupted.driven.iter().any(|(driven, _)| *driven == run);
            if !mine && inbox::driven_by(session, &run).await?.is_some() {
                return Err(is_returning(&run, service, &loaded, node));
            }
            loaded = handover::brought_back(session, &run, sensitive, interrupted).await?;
        }
        if stands(&loaded) {
            found = Some(Standing::of(run, &loaded));
        }
    }
    Ok(found)
}

fn is_returning(run: &RunId, service: &ServiceName, loaded: &Loaded, node: NodeIndex) -> Error {
    let node = loaded.plan.plan.nodes.get(node as usize);
    let node = node.map_or_else(String::new, |node| node.address.to_string());
    let what =
        format!("drill {run} is moving {service} back just now ({node}), and half a move has no way back");
    Error::new(exit::HELD, what)
        .help(format!("nothing was interrupted: `drctl runs watch {run}`, and run this again"))
        .reason("drill_returning")
}

/// Refuses when a drill has moved a service that is about to be moved as a part of something larger.
///
/// # Errors
/// When one has.
pub(crate) fn refuse_moved(drills: &[Open], service: &ServiceName) -> Result<(), Error> {
    let back = |drill: &Open| drill.loaded.state.clock.return_shifted_at.is_some();
    let moved = |drill: &&Open| is_moved(&drill.loaded.plan, &drill.loaded.state) && !back(drill);
    match drills.iter().find(moved) {
        None => Ok(()),
        Some(Open { run, .. }) => {
            let what = format!("drill {run} has moved {service}: nothing was interrupted");
            Err(Error::new(exit::REFUSED, what)
                .help(format!(
                    "`drctl drill promote {run}` makes the drill real; `drctl drill abort {run}` brings {service} back"
                ))
                .reason("drill_moved"))
        }
    }
}

/// Interrupts every drill of the service of a plan that begins, and waits until nothing of them is in its
/// way. `interrupted` takes them, whatever comes of the run.
///
/// # Errors
/// When a drill does not let go of its service or of what the run would touch, or the journal refuses.
pub(super) async fn interrupt(
    session: &Session,
    way: Way<'_>,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let mut driven = Vec::new();
    for Open { run, loaded } in open(session, &way.real.runbook.name).await? {
        if handover::end(session, &run, &loaded, way, interrupted).await? {
            driven.push(run);
        }
    }
    for run in &driven {
        handover::out_of_the_way(session, run, way, interrupted).await?;
    }
    Ok(())
}

/// Makes way for a staged run that is to begin: interrupts the drills of its service, as its start at once
/// would have done. What is not about to begin for real interrupts nothing. The policy was asked before:
/// nothing is interrupted for the sake of a refusal.
///
/// # Errors
/// When a drill has moved the service or does not let go of it.
pub(crate) async fn make_way(
    session: &Session,
    run: &RunId,
    staged: &Loaded,
    reason: Option<&str>,
) -> Result<Interrupted, Error> {
    let created = &staged.state.created;
    if staged.state.status != RunStatus::Staged || created.intent != Intent::Real {
        return Ok(Interrupted::default());
    }
    let before = promoted::without_run(session, &created.service).await?;
    for other in open(session, &created.service).await?.iter().chain(&before) {
        if stands(&other.loaded) {
            return Err(moved_since(run, &created.service, other));
        }
    }
    unlocked(session, &created.service, Some(run)).await?;
    let why = format!("a real run begins: {}", reason.or(created.reason.as_deref()).unwrap_or_default());
    let (real, sensitive) = (&staged.plan.plan, BTreeMap::new());
    let way = Way { real, fate: DrillFate::Auto, why: &why, sensitive: &sensitive };
    let mut interrupted = Interrupted::default();
    interrupt(session, way, &mut interrupted).await?;
    for drill in &before {
        interrupted.goes_on_from(&drill.run);
    }
    if !interrupted.promoted.is_empty() {
        inbox::submit(session, run, Control::Adopt, Some(why)).await?;
    }
    Ok(interrupted)
}

fn moved_since(run: &RunId, service: &ServiceName, drill: &Open) -> Error {
    let what =
        format!("drill {} has moved {service}: what was staged leaves from where it is no more", drill.run);
    let real = if drill.loaded.state.status.is_terminal() {
        format!("`drctl {} {service}` goes on from the drill", drill.loaded.plan.plan.operation)
    } else {
        format!("`drctl drill promote {}` makes the drill real", drill.run)
    };
    Error::new(exit::REFUSED, what).help(format!("{real}; `drctl abort {run}`")).reason("drill_moved")
}

/// Says whether a drill has moved its service and not brought it back.
fn stands(loaded: &Loaded) -> bool {
    let clock = &loaded.state.clock;
    loaded.plan.plan.drill.as_ref().is_some_and(|drill| drill.returns)
        && clock.shifted_at.is_some()
        && clock.return_shifted_at.is_none()
}
