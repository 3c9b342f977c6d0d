//! A real start interrupts the drills of its service: asks their drivers to end them, or drives them to
//! their end beside the real run. Interrupts nothing for a run that is refused, and waits until nothing is
//! under way that the run would touch: it never begins beside what a drill does or takes back.

use tokio::task::JoinHandle;

use super::takeover::take_over;
use super::{Wanted, inbox};
use crate::app::{Error, Session, exit};
use crate::engine::drill::is_moved;
use crate::engine::input::Control;
use crate::engine::service::ServiceRecord;
use crate::engine::{Takeover, in_the_way, keep_all, keep_nothing, returning, takeover};
use crate::model::id::{NodeAddress, RunId, ServiceName, SiteName};
use crate::model::run::{Intent, Operation, RunStatus};
use crate::model::time::Duration;
use crate::plan::Plan;
use crate::ports::{JournalError, RunFilter};
use crate::runtime::{self, Loaded, Silent, Stop};

/// How long a drill may take to let go of its service.
const LETS_GO_WITHIN: Duration = Duration::from_secs(30);
/// How long what a drill has under way, and the fault it made, may keep a real run from beginning.
const OUT_OF_THE_WAY_WITHIN: std::time::Duration = std::time::Duration::from_mins(10);
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
    driven: Vec<(RunId, JoinHandle<Result<RunStatus, runtime::Error>>)>,
}

impl Interrupted {
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

/// The drill that has moved a service and not brought it back.
///
/// # Errors
/// While it is moving the service back, or when the journal cannot be read.
pub(crate) async fn standing(session: &Session, service: &ServiceName) -> Result<Option<Standing>, Error> {
    let mut found = None;
    for Open { run, loaded } in open(session, service).await? {
        if let Some(node) = returning(&loaded.plan, &loaded.state) {
            let node = loaded.plan.plan.nodes.get(node as usize);
            let node = node.map_or_else(String::new, |node| node.address.to_string());
            let what = format!(
                "drill {run} is moving {service} back just now ({node}), and half a move has no way back"
            );
            return Err(Error::new(exit::HELD, what)
                .help(format!("nothing was interrupted: `drctl runs watch {run}`, and run this again"))
                .reason("drill_returning"));
        }
        if stands(&loaded) {
            let plan = &loaded.plan.plan;
            found = Some(Standing { run, from: plan.from.clone(), to: plan.to.clone() });
        }
    }
    Ok(found)
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
pub(crate) async fn interrupt(
    session: &Session,
    real: &Plan,
    fate: DrillFate,
    why: &str,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let drills = open(session, &real.runbook.name).await?;
    for Open { run, loaded } in &drills {
        end(session, run, loaded, real, fate, why, interrupted).await?;
    }
    for Open { run, .. } in &drills {
        out_of_the_way(session, run, real, interrupted).await?;
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
    for other in open(session, &created.service).await? {
        if stands(&other.loaded) {
            let what = format!(
                "drill {} has moved {}: what was staged leaves from where it is no more",
                other.run, created.service
            );
            return Err(Error::new(exit::REFUSED, what)
                .help(format!(
                    "`drctl drill promote {}` makes the drill real; `drctl abort {run}`",
                    other.run
                ))
                .reason("drill_moved"));
        }
    }
    unlocked(session, &created.service, Some(run)).await?;
    let why = format!("a real run begins: {}", reason.or(created.reason.as_deref()).unwrap_or_default());
    let mut interrupted = Interrupted::default();
    interrupt(session, &staged.plan.plan, DrillFate::Auto, &why, &mut interrupted).await?;
    if !interrupted.promoted.is_empty() {
        inbox::submit(session, run, Control::Adopt, Some(why)).await?;
    }
    Ok(interrupted)
}

/// Says whether a drill has moved its service and not brought it back.
fn stands(loaded: &Loaded) -> bool {
    let clock = &loaded.state.clock;
    loaded.plan.plan.drill.as_ref().is_some_and(|drill| drill.returns)
        && clock.shifted_at.is_some()
        && clock.return_shifted_at.is_none()
}

/// Chooses from what has run what becomes of a drill.
fn choose(loaded: &Loaded, real: &Plan, fate: DrillFate) -> Takeover {
    // What moved the service cannot be taken back step by step.
    if is_moved(&loaded.plan, &loaded.state) {
        return keep_all(&loaded.plan, &loaded.state);
    }
    match fate {
        DrillFate::CleanUp => keep_nothing(&loaded.plan, &loaded.state),
        DrillFate::Promote => keep_all(&loaded.plan, &loaded.state),
        DrillFate::Auto => takeover(&loaded.plan, &loaded.state, real),
    }
}

/// What becomes of a drill, in a line for people.
fn told(choice: &Takeover) -> String {
    let list = |nodes: &[NodeAddress]| nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let part = |before: &str, nodes: &[NodeAddress], after: &str| {
        (!nodes.is_empty()).then(|| format!("{before}{}{after}", list(nodes)))
    };
    let alone = |text: &str, is_so: bool| is_so.then(|| text.to_owned());
    let parts = [
        alone("nothing it did is used by this run", !choice.promotes()),
        part("this run goes on from ", &choice.keep, ""),
        part("nobody can look whether ", &choice.again, " is done: this run does it again"),
        part("being taken back, and then done again by this run: ", &choice.undone, ""),
        part("taken back: ", &choice.clean, ""),
        part("left standing: ", &choice.left, " (`drctl drill cleanup` takes it away afterwards)"),
        alone("its steps of failback and cleanup are left out", choice.promotes()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

async fn end(
    session: &Session,
    run: &RunId,
    loaded: &Loaded,
    real: &Plan,
    fate: DrillFate,
    why: &str,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let choice = choose(loaded, real, fate);
    session.say(&format!(
        "\x1b[1minterrupting drill {run}\x1b[0m ({}): {}",
        loaded.state.status,
        told(&choice)
    ));
    let staged = loaded.state.status == RunStatus::Staged;
    let control = if staged { Control::Abort } else { Control::Promote { keep: choice.kept() } };
    let id = inbox::submit(session, run, control, Some(why.to_owned())).await?;
    driven(session, run, interrupted).await?;
    lets_go(session, run, &id).await?;
    if choice.promotes() && !interrupted.promoted.contains(run) {
        interrupted.promoted.push(run.clone());
    }
    Ok(())
}

/// Sees to it that somebody drives the drill to its end: this process, where nobody else does.
async fn driven(session: &Session, run: &RunId, interrupted: &mut Interrupted) -> Result<(), Error> {
    let lease = session.journal.lease(run).await?;
    if lease.is_some_and(|lease| lease.alive && lease.holder.is_some()) {
        return Ok(());
    }
    let driver = match take_over(session, run, std::collections::BTreeMap::new(), None).await {
        // Somebody was faster.
        Err(error) if error.reason == Some("run_held") => return Ok(()),
        driver => driver?,
    };
    let task =
        tokio::spawn(
            async move { driver.drive(&Silent, Stop::AtPerson).await.map(|(_, state)| state.status) },
        );
    interrupted.driven.push((run.clone(), task));
    Ok(())
}

/// Waits until the drill has heard that it is to end.
async fn lets_go(session: &Session, run: &RunId, id: &str) -> Result<(), Error> {
    let mut waited = Duration::ZERO;
    while waited < LETS_GO_WITHIN {
        let loaded = runtime::load(session.journal.as_ref(), run).await?;
        if loaded.state.status.is_terminal() {
            return Ok(());
        }
        if loaded.state.answered.contains(id) {
            return match inbox::find(session, run, id).await? {
                inbox::Answer::Refused(why) => {
                    Err(Error::new(exit::HELD, format!("drill {run} goes on: {why}"))
                        .help(format!("see `drctl runs watch {run}`, and run this again"))
                        .reason("drill_in_the_way"))
                }
                inbox::Answer::Accepted | inbox::Answer::None => Ok(()),
            };
        }
        let look = Duration::from_millis(100);
        session.journal.changed(look).await;
        waited = waited.plus(look);
    }
    Err(Error::new(exit::HELD, format!("drill {run} does not let go of its service"))
        .help(format!("see `drctl runs events {run}`; end the process that drives it, and run this again"))
        .reason("drill_in_the_way"))
}

/// Waits until nothing of the drill is under way that the real run would touch, and its fault is gone.
async fn out_of_the_way(
    session: &Session,
    run: &RunId,
    real: &Plan,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let began = std::time::Instant::now();
    let mut told = String::new();
    loop {
        let loaded = runtime::load(session.journal.as_ref(), run).await?;
        let holds = in_the_way(&loaded.plan, &loaded.state, real);
        if holds.is_empty() {
            return Ok(());
        }
        let list: Vec<_> = holds.iter().map(|hold| hold.node.to_string()).collect();
        let list = list.join(", ");
        if began.elapsed() >= OUT_OF_THE_WAY_WITHIN {
            if holds.iter().all(|hold| !hold.strict) {
                session.say(&format!("drill {run} has not taken back {list}: this run begins all the same"));
                return Ok(());
            }
            return Err(Error::new(exit::HELD, format!("{list} of drill {run} is still under way"))
                .help(format!("see `drctl runs watch {run}`; run this again: it goes on from there"))
                .reason("drill_in_the_way"));
        }
        if told != list {
            session.say(&format!("waiting for drill {run} to end what is under way: {list}"));
            told = list;
        }
        driven(session, run, interrupted).await?;
        session.journal.changed(Duration::from_millis(100)).await;
    }
}
