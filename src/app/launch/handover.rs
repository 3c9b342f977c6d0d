//! One drill makes way for a real run: it is asked to end, driven to its end where nobody else does that, and
//! waited for. Must never let the real run begin beside what the drill does about the same thing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::inbox;
use super::interrupt::{DrillFate, Interrupted, Way};
use super::takeover::take_over;
use crate::app::{Error, Session, exit};
use crate::engine::drill::is_moved;
use crate::engine::input::Control;
use crate::engine::{
    Hold, Takeover, contested, handed_over, in_the_way, is_handed_over, is_made_real, keep_all, keep_nothing,
    returning, takeover,
};
use crate::model::id::{NodeAddress, RunId};
use crate::model::run::RunStatus;
use crate::model::time::Duration;
use crate::plan::Plan;
use crate::runtime::{self, Loaded, Silent, Stop};

/// How long a drill may take to let go of its service.
const LETS_GO_WITHIN: Duration = Duration::from_secs(30);
/// How long what a drill has under way, and the fault it made, may keep a real run from beginning.
const OUT_OF_THE_WAY_WITHIN: std::time::Duration = std::time::Duration::from_mins(10);
/// Pause between two looks at a drill that is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Asks a drill to end. Returns whether somebody drives it to its end, so that it is worth waiting for.
///
/// # Errors
/// When it does not let go of its service, or cannot be ended from here and is in the way; or the journal
/// refuses.
pub(super) async fn end(
    session: &Session,
    run: &RunId,
    loaded: &Loaded,
    way: Way<'_>,
    interrupted: &mut Interrupted,
) -> Result<bool, Error> {
    let staged = loaded.state.status == RunStatus::Staged;
    let asked = if is_made_real(&loaded.state) {
        // What it keeps is settled: another real start counts on it, or has died over it.
        session.say(&format!("drill {run} was told before to make way for a real run: {}", kept(loaded)));
        None
    } else {
        let choice = choose(loaded, way.real, way.fate);
        let status = loaded.state.status;
        let contested = contested(&loaded.plan, &loaded.state, way.real);
        if status == RunStatus::CleanupIncomplete && !choice.promotes() && contested.is_empty() {
            // It is over, with a result of its own, and nothing of it goes on.
            let cause = loaded.state.cause.as_deref().unwrap_or_default();
            session
                .say(&format!("drill {run} is over: {cause}; `drctl drill cleanup {run}` tries that again"));
            return Ok(false);
        }
        session.say(&format!("\x1b[1minterrupting drill {run}\x1b[0m ({status}): {}", told(&choice)));
        let control = if staged { Control::Abort } else { Control::Promote { keep: choice.kept() } };
        Some(inbox::submit(session, run, control, Some(way.why.to_owned())).await?)
    };
    match driven(session, run, way.sensitive, interrupted).await {
        Err(error) if is_unready(&error) => {
            left_alone(session, run, way, &error, interrupted).await?;
            return Ok(false);
        }
        driven => driven?,
    }
    if let Some(id) = asked {
        lets_go(session, run, &id, way, interrupted).await?;
    }
    // It may have gone on before it heard of this: what it has done by now counts.
    let loaded = runtime::load(session.journal.as_ref(), run).await?;
    if is_handed_over(&loaded.plan, &loaded.state) {
        interrupted.goes_on_from(run);
    }
    Ok(true)
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
    let alone = |text: &str, is_so: bool| is_so.then(|| text.to_owned());
    let mut parts = used(choice);
    parts.extend(alone("nothing it did is used by this run", !choice.promotes()));
    parts.extend(part("taken back: ", &choice.clean, ""));
    parts.extend(part("left standing: ", &choice.left, " (`drctl drill cleanup` takes it away afterwards)"));
    parts.extend(alone("its steps of failback and cleanup are left out", choice.promotes()));
    parts.join("; ")
}

/// What of a drill the real run uses: what it finds done, and what it does once more.
fn used(choice: &Takeover) -> Vec<String> {
    let parts = [
        part("this run goes on from ", &choice.keep, ""),
        part("done again by this run, because nobody can look whether it is done: ", &choice.again, ""),
        part("being taken back, and then done again by this run: ", &choice.undone, ""),
    ];
    parts.into_iter().flatten().collect()
}

fn part(before: &str, nodes: &[NodeAddress], after: &str) -> Option<String> {
    (!nodes.is_empty()).then(|| format!("{before}{}{after}", list(nodes)))
}

/// What a drill that was told to end keeps, in a line for people.
fn kept(loaded: &Loaded) -> String {
    let choice = handed_over(&loaded.plan, &loaded.state);
    match (choice.promotes(), is_handed_over(&loaded.plan, &loaded.state)) {
        (true, _) => used(&choice).join("; "),
        (false, true) => "this run goes on from where it is".to_owned(),
        (false, false) => "nothing it did is used by this run".to_owned(),
    }
}

fn list(nodes: &[NodeAddress]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Says whether a drill cannot be driven by this process, whatever the journal says.
fn is_unready(error: &Error) -> bool {
    matches!(error.code, exit::USAGE | exit::REFUSED)
}

/// A drill that cannot be ended from here keeps no real run from beginning, unless it has something under way
/// that the run would touch, or has locked its service. What it was told stands in its inbox.
async fn left_alone(
    session: &Session,
    run: &RunId,
    way: Way<'_>,
    why: &Error,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let loaded = runtime::load(session.journal.as_ref(), run).await?;
    let waiting = session.journal.inbox(run).await?;
    let ended = inbox::ended(&loaded, &waiting);
    let holds = in_the_way(&loaded.plan, &ended, way.real);
    let what = format!("drill {run} cannot be ended from here: {}", why.message);
    let strict: Vec<_> = holds.iter().filter(|hold| hold.strict).cloned().collect();
    if !strict.is_empty() || !is_made_real(&ended) || crate::engine::drill::locks_service(&loaded.plan) {
        let help = why.help.as_deref().map_or_else(String::new, |help| format!("{help}; "));
        return Err(Error::new(exit::HELD, format!("{what}; in the way: {}", named(&strict)))
            .help(format!("{help}`drctl resume {run}` where that can be had, and run this again"))
            .reason("drill_in_the_way"));
    }
    let stays =
        if holds.is_empty() { String::new() } else { format!(" {} stays until then.", named(&holds)) };
    session.say(&format!(
        "\x1b[33m{what}\x1b[0m. This run begins all the same; `drctl resume {run}` cleans up.{stays}"
    ));
    if is_handed_over(&loaded.plan, &ended) {
        interrupted.goes_on_from(run);
    }
    Ok(())
}

fn named(holds: &[Hold]) -> String {
    if holds.is_empty() {
        return "the lock of its service".to_owned();
    }
    holds.iter().map(|hold| hold.node.to_string()).collect::<Vec<_>>().join(", ")
}

/// Sees to it that somebody drives the drill to its end: this process, where nobody else does.
async fn driven(
    session: &Session,
    run: &RunId,
    sensitive: &BTreeMap<String, Value>,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let lease = session.journal.lease(run).await?;
    if lease.is_some_and(|lease| lease.alive && lease.holder.is_some()) {
        return Ok(());
    }
    let driver = match take_over(session, run, sensitive.clone(), None).await {
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
async fn lets_go(
    session: &Session,
    run: &RunId,
    id: &str,
    way: Way<'_>,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let mut waited = Duration::ZERO;
    while waited < LETS_GO_WITHIN {
        let loaded = runtime::load(session.journal.as_ref(), run).await?;
        if loaded.state.status.is_terminal() {
            return Ok(());
        }
        if loaded.state.answered.contains(id) {
            return match inbox::find(session, run, id).await? {
                inbox::Answer::Refused(why) => Err(goes_on(run, &loaded, &why)),
                inbox::Answer::Accepted | inbox::Answer::None => Ok(()),
            };
        }
        // Whoever drove it may have left it to a person just now.
        driven(session, run, way.sensitive, interrupted).await?;
        session.journal.changed(LOOK).await;
        waited = waited.plus(LOOK);
    }
    Err(Error::new(exit::HELD, format!("drill {run} does not let go of its service"))
        .help(format!("see `drctl runs events {run}`; end the process that drives it, and run this again"))
        .reason("drill_in_the_way"))
}

/// What is said of a drill that goes on: it has moved its service back since this run was planned, or is
/// about to.
fn goes_on(run: &RunId, loaded: &Loaded, why: &str) -> Error {
    let back = loaded.state.clock.return_shifted_at.is_some();
    let back = back || returning(&loaded.plan, &loaded.state).is_some();
    Error::new(exit::HELD, format!("drill {run} goes on: {why}"))
        .help(format!("see `drctl runs watch {run}`, and run this again"))
        .reason(if back { "service_changed" } else { "drill_in_the_way" })
}

/// Drives a drill that nobody drives on until it has moved its service back: half a move has no way back, and
/// nobody else would end it.
///
/// # Errors
/// When it cannot be driven from here, or does not come to the end of it.
pub(super) async fn brought_back(
    session: &Session,
    run: &RunId,
    sensitive: &BTreeMap<String, Value>,
    interrupted: &mut Interrupted,
) -> Result<Loaded, Error> {
    let began = std::time::Instant::now();
    session
        .say(&format!("drill {run} was lost while it moved its service back: this process ends that first"));
    loop {
        let loaded = runtime::load(session.journal.as_ref(), run).await?;
        if loaded.state.status.is_terminal() || returning(&loaded.plan, &loaded.state).is_none() {
            return Ok(loaded);
        }
        if began.elapsed() >= OUT_OF_THE_WAY_WITHIN {
            return Err(Error::new(exit::HELD, format!("drill {run} has not moved its service back yet"))
                .help(format!("see `drctl runs watch {run}`, and run this again"))
                .reason("drill_returning"));
        }
        driven(session, run, sensitive, interrupted).await?;
        session.journal.changed(LOOK).await;
    }
}

/// Waits until nothing of the drill is under way that the real run would touch, and its fault is gone.
///
/// # Errors
/// When it takes too long, or the journal refuses.
pub(super) async fn out_of_the_way(
    session: &Session,
    run: &RunId,
    way: Way<'_>,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let began = std::time::Instant::now();
    let mut told = String::new();
    loop {
        let loaded = runtime::load(session.journal.as_ref(), run).await?;
        let holds = in_the_way(&loaded.plan, &loaded.state, way.real);
        if holds.is_empty() {
            return left_to_the_run(session, run, &loaded, way, interrupted).await;
        }
        let list = named(&holds);
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
        driven(session, run, way.sensitive, interrupted).await?;
        session.journal.changed(LOOK).await;
    }
}

/// What the drill could not take back and the real run does itself is the run's: the drill lets it be.
async fn left_to_the_run(
    session: &Session,
    run: &RunId,
    loaded: &Loaded,
    way: Way<'_>,
    interrupted: &mut Interrupted,
) -> Result<(), Error> {
    let keep = contested(&loaded.plan, &loaded.state, way.real);
    if keep.is_empty() {
        // Another start may have had it kept meanwhile.
        if is_handed_over(&loaded.plan, &loaded.state) {
            interrupted.goes_on_from(run);
        }
        return Ok(());
    }
    session.say(&format!("drill {run} could not take back {}: that is this run's now", list(&keep)));
    let id = inbox::submit(session, run, Control::Promote { keep }, Some(way.why.to_owned())).await?;
    driven(session, run, way.sensitive, interrupted).await?;
    lets_go(session, run, &id, way, interrupted).await?;
    interrupted.goes_on_from(run);
    Ok(())
}
