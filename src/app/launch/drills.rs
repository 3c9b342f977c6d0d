//! A real start interrupts the drills of its service: asks their drivers to end them, or drives them to
//! their end beside the real run. Never waits for a drill longer than it takes to hear that it has let go.

use tokio::task::JoinHandle;

use super::takeover::take_over;
use super::{inbox, policy};
use crate::app::{Error, Session, exit};
use crate::engine::drill::is_moved;
use crate::engine::input::Control;
use crate::engine::{Takeover, keep_all, keep_nothing, takeover};
use crate::model::id::{RunId, ServiceName};
use crate::model::run::{Intent, RunStatus};
use crate::model::time::Duration;
use crate::plan::Plan;
use crate::ports::RunFilter;
use crate::runtime::{self, Loaded, Silent, Stop};

/// How long a drill may take to let go of its service.
const LETS_GO_WITHIN: Duration = Duration::from_secs(30);
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

/// Interrupts every drill of a service that has effects. `real`: the plan that begins; absent: only those
/// that have moved the service are told to let it be.
///
/// # Errors
/// When a drill does not let go of its service, or the journal refuses.
pub(crate) async fn interrupt(
    session: &Session,
    service: &ServiceName,
    real: Option<&Plan>,
    fate: DrillFate,
    why: &str,
) -> Result<Interrupted, Error> {
    let mut interrupted = Interrupted::default();
    let filter = RunFilter { service: Some(service.clone()), open: true, ..RunFilter::default() };
    for drill in session.journal.runs(&filter).await? {
        if drill.intent != Intent::Drill || drill.status == RunStatus::AwaitingAttestation {
            continue;
        }
        let loaded = runtime::load(session.journal.as_ref(), &drill.run).await?;
        if real.is_none() && !stands(&loaded) {
            continue;
        }
        end(session, &drill.run, &loaded, real, fate, why, &mut interrupted).await?;
    }
    Ok(interrupted)
}

/// Makes way for a staged run that is to begin: interrupts the drills of its service, as its start at once
/// would have done. What is not about to begin for real interrupts nothing.
///
/// # Errors
/// When the policy does not let it begin, or a drill has moved the service or does not let go of it.
pub(crate) async fn make_way(
    session: &Session,
    run: &RunId,
    reason: Option<&str>,
) -> Result<Interrupted, Error> {
    let staged = runtime::load(session.journal.as_ref(), run).await?;
    let created = &staged.state.created;
    if staged.state.status != RunStatus::Staged || created.intent != Intent::Real {
        return Ok(Interrupted::default());
    }
    // Nothing is interrupted for the sake of a refusal.
    policy::may_begin(session, &staged).await?;
    let filter = RunFilter { service: Some(created.service.clone()), open: true, ..RunFilter::default() };
    for other in session.journal.runs(&filter).await?.into_iter().filter(|it| it.intent == Intent::Drill) {
        if stands(&runtime::load(session.journal.as_ref(), &other.run).await?) {
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
    let why = format!("a real run begins: {}", reason.or(created.reason.as_deref()).unwrap_or_default());
    let plan = Some(&staged.plan.plan);
    let interrupted = interrupt(session, &created.service, plan, DrillFate::Auto, &why).await?;
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
pub(crate) fn choose(loaded: &Loaded, real: Option<&Plan>, fate: DrillFate) -> Takeover {
    // What moved the service cannot be taken back step by step.
    if is_moved(&loaded.plan, &loaded.state) {
        return keep_all(&loaded.plan, &loaded.state);
    }
    match (fate, real) {
        (DrillFate::CleanUp, _) => keep_nothing(&loaded.plan, &loaded.state),
        (DrillFate::Promote, _) | (DrillFate::Auto, None) => keep_all(&loaded.plan, &loaded.state),
        (DrillFate::Auto, Some(real)) => takeover(&loaded.plan, &loaded.state, real),
    }
}

async fn end(
    session: &Session,
    run: &RunId,
    loaded: &Loaded,
    real: Option<&Plan>,
    fate: DrillFate,
    why: &str,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let choice = choose(loaded, real, fate);
    let list = |nodes: &[crate::model::id::NodeAddress]| {
        nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let stays = if choice.keep.is_empty() {
        "nothing it did is used by this run".to_owned()
    } else {
        format!("this run goes on from {}", list(&choice.keep))
    };
    let mut goes = String::new();
    if !choice.clean.is_empty() {
        goes = format!("; taken back: {}", list(&choice.clean));
    }
    if choice.promotes() {
        goes.push_str("; its steps of failback and cleanup are left out");
    }
    session.say(&format!("\x1b[1minterrupting drill {run}\x1b[0m ({}): {stays}{goes}", loaded.state.status));
    if choice.promotes() {
        interrupted.promoted.push(run.clone());
    }
    let staged = loaded.state.status == RunStatus::Staged;
    let control = if staged { Control::Abort } else { Control::Promote { keep: choice.keep } };
    let id = inbox::submit(session, run, control, Some(why.to_owned())).await?;
    let lease = session.journal.lease(run).await?;
    if lease.is_none_or(|lease| !lease.alive || lease.holder.is_none()) {
        let driver = take_over(session, run, std::collections::BTreeMap::new(), None).await?;
        let task = tokio::spawn(async move {
            driver.drive(&Silent, Stop::AtPerson).await.map(|(_, state)| state.status)
        });
        interrupted.driven.push((run.clone(), task));
    }
    lets_go(session, run, &id).await
}

/// Waits until the drill has heard that it is to end.
async fn lets_go(session: &Session, run: &RunId, id: &str) -> Result<(), Error> {
    let mut waited = Duration::ZERO;
    while waited < LETS_GO_WITHIN {
        let loaded = runtime::load(session.journal.as_ref(), run).await?;
        if loaded.state.answered.contains(id) || loaded.state.status.is_terminal() {
            return Ok(());
        }
        let look = Duration::from_millis(100);
        session.journal.changed(look).await;
        waited = waited.plus(look);
    }
    Err(Error::new(exit::HELD, format!("drill {run} does not let go of its service"))
        .help(format!("see `drctl runs events {run}`; end the process that drives it, and run this again"))
        .reason("drill_in_the_way"))
}
