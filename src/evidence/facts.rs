//! One line for a person about each fact, which names what it is about and what was learned. Facts that say
//! nothing new to somebody who follows a run are told apart.

use serde_json::{Map, Value};

use super::line::{brief, first_line};
use crate::engine::IndexedPlan;
use crate::engine::consent_flag;
use crate::engine::event::{
    AttemptStarted, ChildRun, Event, FenceResult, MissingConsent, NodeSucceeded, Reading, RunCreated,
    SkipCause, Want,
};
use crate::engine::input::{Consents, Direction, Observation};
use crate::model::run::{Failure, Identity, RunStatus};
use crate::model::time::Timestamp;
use crate::plan::{NodeIndex, NodeKind};

/// The line of a fact, without its time.
#[must_use]
pub fn describe(plan: &IndexedPlan, event: &Event) -> String {
    match node_of(event) {
        Some(node) => {
            let address = plan.plan.nodes.get(node as usize).map_or("?", |node| node.address.as_str());
            format!("{address}: {}", of_node(event))
        }
        None => of_run(event),
    }
}

/// Says whether a fact is worth a line to somebody who follows the run. The others prepare something, or say
/// again what a line beside them says.
#[must_use]
pub fn is_news(plan: &IndexedPlan, event: &Event) -> bool {
    match event {
        Event::NodeReady { .. } | Event::HandleReturned { .. } => false,
        Event::RequestAnswered { refused, .. } => refused.is_some(),
        // That a check looks again was said when it did not hold.
        Event::AttemptStarted(started) => {
            let node = plan.plan.nodes.get(started.attempt.node as usize);
            let is_check = node.is_some_and(|node| matches!(node.kind, NodeKind::Check { .. }));
            !is_check || started.attempt.attempt == 1
        }
        _ => true,
    }
}

/// The node a fact is about.
#[must_use]
pub fn node_of(event: &Event) -> Option<NodeIndex> {
    match event {
        Event::AttemptStarted(started) => Some(started.attempt.node),
        Event::HandleReturned { attempt, .. }
        | Event::AttemptInDoubt { attempt, .. }
        | Event::Observed { attempt, .. } => Some(attempt.node),
        Event::NodeSucceeded(done) => Some(done.node),
        Event::ReadingTaken(reading) => Some(reading.node),
        Event::NodeReady { node }
        | Event::ChildReported { node, .. }
        | Event::ObserveAgain { node, .. }
        | Event::PersonNeeded { node, .. }
        | Event::RetryScheduled { node, .. }
        | Event::Looked { node, .. }
        | Event::WaitStarted { node, .. }
        | Event::NodeFailed { node, .. }
        | Event::FailureIgnored { node }
        | Event::NodeSkipped { node, .. }
        | Event::NodeMarkedDone { node, .. }
        | Event::SafetyOverridden { node, .. }
        | Event::NodeCancelled { node, .. }
        | Event::NodeReset { node, .. }
        | Event::ApprovalRequested { node, .. }
        | Event::VoteCast { node, .. }
        | Event::ApprovalExpired { node }
        | Event::NodeUndone { node }
        | Event::UndoFailed { node, .. } => Some(*node),
        _ => None,
    }
}

/// What a fact says about its node.
fn of_node(event: &Event) -> String {
    match event {
        Event::NodeReady { .. } => "ready; reads what is there before it begins".to_owned(),
        Event::AttemptStarted(started) => begun(started),
        Event::HandleReturned { handle, .. } => format!("under way, found again by {}", brief(handle)),
        Event::ChildReported { child, .. } => child_reported(child),
        Event::AttemptInDoubt { why, .. } => format!("in doubt: {}", first_line(why)),
        Event::Observed { observation, .. } => observed(observation),
        Event::ObserveAgain { at, failure, .. } => {
            format!("cannot be told yet{}; observed again at {at}", because(failure.as_ref()))
        }
        Event::PersonNeeded { why, .. } => format!("a person must decide: {}", first_line(why)),
        Event::RetryScheduled { at, failure, .. } => format!("{}; tried again at {at}", short(failure)),
        Event::Looked { streak, again_at, failure, .. } => looked(*streak, *again_at, failure.as_ref()),
        Event::WaitStarted { until, .. } => format!("waits until {until}"),
        Event::NodeSucceeded(done) => succeeded(done),
        Event::NodeFailed { failure, .. } => format!("FAILED: {}", short(failure)),
        Event::FailureIgnored { .. } => "failure ignored".to_owned(),
        Event::NodeSkipped { why, .. } => skipped(why),
        Event::NodeMarkedDone { by, reason, outputs, .. } => {
            format!("done by hand by {}: {}{}", by.name, first_line(reason), with_outputs(outputs))
        }
        Event::SafetyOverridden { by, reason, .. } => {
            format!("safety overridden by {}: {}", by.name, first_line(reason))
        }
        Event::NodeReset { by, look, .. } => {
            let first = if *look { ", after one more look" } else { "" };
            format!("to be tried again{first}, says {}", by.name)
        }
        Event::ApprovalRequested { expires_at, message, .. } => {
            let message =
                message.as_deref().map_or_else(String::new, |text| format!(": {}", first_line(text)));
            let until = expires_at.map_or_else(String::new, |at| format!(" until {at}"));
            format!("waits for a person{until}{message}")
        }
        Event::VoteCast { by, granted, .. } => {
            format!("{} by {}", if *granted { "approved" } else { "refused" }, by.name)
        }
        Event::ApprovalExpired { .. } => "nobody answered in time".to_owned(),
        Event::NodeUndone { .. } => "undone".to_owned(),
        Event::UndoFailed { failure, .. } => format!("UNDO FAILED: {}", short(failure)),
        Event::NodeCancelled { why, .. } => format!("cancelled: {}", first_line(why)),
        Event::ReadingTaken(reading) => read(reading),
        other => other.kind().replace('_', " "),
    }
}

/// What a fact says about the whole run.
fn of_run(event: &Event) -> String {
    match event {
        Event::RunCreated(created) => run_created(created),
        Event::TookOver { token, holder, .. } => format!("driven by {holder}, fencing token {token}"),
        Event::RunStarted { by } => format!("started by {}", by.name),
        Event::GateReached { missing } => {
            let flags: Vec<_> = missing.iter().map(consent_flag).collect();
            format!("POINT OF NO RETURN ahead: needs {}", flags.join(" "))
        }
        Event::ConsentsGiven { consents, by } => {
            format!("consents given by {}: {}", by.name, flags(consents))
        }
        Event::GatePassed { data_loss: Some(loss), .. } => {
            format!("POINT OF NO RETURN passed, data loss up to {loss}")
        }
        Event::GatePassed { data_loss: None, .. } => {
            "POINT OF NO RETURN passed, data loss not measured".to_owned()
        }
        Event::WantChanged { want, by, reason } => wanted(*want, by.as_ref(), reason.as_deref()),
        Event::ModeSwitched { mode, by, reason } => {
            format!("mode is {mode} now, says {}: {}", by.name, first_line(reason))
        }
        Event::AdoptionRequested { by } => {
            format!("what has not begun is observed first, says {}", by.name)
        }
        Event::RequestAnswered { verb, by, reason, refused, .. } => {
            let why = reason.as_deref().map_or_else(String::new, |why| format!(" ({})", first_line(why)));
            match refused {
                Some(refused) => {
                    format!("{verb} asked by {}{why}: refused: {}", by.name, first_line(refused))
                }
                None => format!("{verb} asked by {}{why}: accepted", by.name),
            }
        }
        Event::BurnReached { percent, elapsed } => format!("{percent} % of the RTO used up after {elapsed}"),
        Event::ForecastBreached { forecast, objective, .. } => {
            format!("FORECAST: recovery in {forecast}, the RTO is {objective}: it will be missed")
        }
        Event::ForecastRecovered { forecast } => {
            format!("forecast: recovery in {forecast}, within the RTO again")
        }
        Event::ClockMarked { mark } => format!("clock: {}", mark.as_str().replace('_', " ")),
        // Of a run that is about to stop the cause says what it becomes.
        Event::StatusChanged { status: RunStatus::Pausing, cause: Some(cause) } => {
            format!("run: {}", first_line(cause))
        }
        Event::StatusChanged { status, cause } => {
            let why = cause.as_deref().map_or_else(String::new, |cause| format!(": {}", first_line(cause)));
            format!("run is {status}{why}")
        }
        other => other.kind().replace('_', " "),
    }
}

fn child_reported(child: &ChildRun) -> String {
    let why = child.cause.as_deref().map_or_else(String::new, |cause| format!(": {}", first_line(cause)));
    let waits = if child.waits { " and waits for a person" } else { "" };
    format!("run {} is {}{waits}{why}", child.run, child.status)
}

fn short(failure: &Failure) -> String {
    format!("{} ({})", first_line(&failure.message), failure.class)
}

fn because(failure: Option<&Failure>) -> String {
    failure.map_or_else(String::new, |failure| format!(": {}", first_line(&failure.message)))
}

fn begun(started: &AttemptStarted) -> String {
    let what = match started.direction {
        Direction::Do => "started",
        Direction::Undo => "undoing",
    };
    match started.attempt.attempt {
        1 => what.to_owned(),
        again => format!("{what} (attempt {again})"),
    }
}

fn observed(observation: &Observation) -> String {
    match observation {
        Observation::Applied(outputs) => format!("observed: it is already true{}", with_outputs(outputs)),
        Observation::NotApplied => "observed: it is not there".to_owned(),
        Observation::NeverBegan(why) => format!("taken for not begun: {}", first_line(why)),
        Observation::InProgress(handle) => {
            format!("observed: it is under way; followed by {}", brief(handle))
        }
        Observation::Failed(failure) => format!("found to have ended: {}", short(failure)),
        Observation::Unknown(why) => format!("observed, cannot tell: {}", first_line(why)),
    }
}

fn with_outputs(outputs: &Map<String, Value>) -> String {
    if outputs.is_empty() {
        return String::new();
    }
    format!(" {}", brief(&Value::Object(outputs.clone())))
}

fn looked(streak: u32, again_at: Timestamp, failure: Option<&Failure>) -> String {
    match failure {
        Some(failure) => format!("not yet: {}; looks again at {again_at}", short(failure)),
        None => format!("holds, {streak} in a row; looks again at {again_at}"),
    }
}

fn succeeded(done: &NodeSucceeded) -> String {
    match &done.fence {
        Some(FenceResult::Unconfirmed(why)) => format!("fence NOT confirmed: {}", first_line(why)),
        Some(FenceResult::Confirmed) => "fence confirmed".to_owned(),
        None if done.adopted => "already true, adopted".to_owned(),
        None => "succeeded".to_owned(),
    }
}

fn skipped(why: &SkipCause) -> String {
    match why {
        SkipCause::When => "skipped, its condition is false".to_owned(),
        SkipCause::Mode => "skipped in this mode".to_owned(),
        SkipCause::Enough => "skipped, enough others have succeeded".to_owned(),
        SkipCause::Failed => "skipped, what it belongs to has failed".to_owned(),
        SkipCause::Drill => "left out in this drill".to_owned(),
        SkipCause::Person { by, reason } => format!("skipped by {}: {}", by.name, first_line(reason)),
    }
}

fn read(reading: &Reading) -> String {
    let lag = reading.lag.map_or_else(String::new, |lag| format!(" lag {lag}"));
    let reach = reading.recovery_point_at.map_or_else(String::new, |at| format!(" data reaches {at}"));
    format!("recovery point {}:{lag}{reach}", reading.point)
}

fn run_created(created: &RunCreated) -> String {
    let from = created.from.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
    let to = created.to.as_ref().map_or_else(|| "the others".to_owned(), ToString::to_string);
    if (&created.from, &created.to) == (&None, &None) {
        let (run, mode, operation) = (&created.run, created.mode, created.operation);
        return format!("run {run}: {mode} {operation} of {}, {}", created.service, created.intent);
    }
    format!(
        "run {}: {} {} of {}, {from} to {to}, {}",
        created.run, created.mode, created.operation, created.service, created.intent
    )
}

fn flags(consents: &Consents) -> String {
    let mut given = Vec::new();
    given.extend(consents.confirm.clone().map(MissingConsent::Confirm));
    given.extend(consents.accept_loss.map(MissingConsent::AcceptLoss));
    given.extend(consents.accept_unmeasured_loss.then_some(MissingConsent::AcceptUnmeasuredLoss));
    given.extend(consents.accept_unfenced.then(|| MissingConsent::AcceptUnfenced(Vec::new())));
    given.iter().map(consent_flag).collect::<Vec<_>>().join(" ")
}

fn wanted(want: Want, by: Option<&Identity>, reason: Option<&str>) -> String {
    let who = by.map_or("policy", |by| by.name.as_str());
    let why = reason.map_or_else(String::new, |reason| format!(": {}", first_line(reason)));
    let what = match want {
        Want::Run => "go on",
        Want::Pause => "pause",
        Want::Abort => "abort and hold",
        Want::Fail => "give up",
        Want::Unwind => "unwind",
        Want::CleanUp => "clean up",
    };
    format!("{what}, says {who}{why}")
}
