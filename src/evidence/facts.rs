//! One line for a person about each fact. Facts that say nothing new to a person have none.

use crate::engine::IndexedPlan;
use crate::engine::consent_flag;
use crate::engine::event::{Event, FenceResult, SkipCause, Want};
use crate::engine::input::Observation;
use crate::plan::NodeIndex;

/// The line of a fact, without its time.
#[must_use]
pub fn describe(plan: &IndexedPlan, event: &Event) -> Option<String> {
    node_fact(plan, event).or_else(|| run_fact(event))
}

fn address(plan: &IndexedPlan, node: NodeIndex) -> &str {
    plan.plan.nodes.get(node as usize).map_or("?", |node| node.address.as_str())
}

fn node_fact(plan: &IndexedPlan, event: &Event) -> Option<String> {
    let name = |node: &NodeIndex| address(plan, *node);
    Some(match event {
        Event::AttemptStarted(started) => {
            let again = if started.attempt.attempt > 1 {
                format!(" (attempt {})", started.attempt.attempt)
            } else {
                String::new()
            };
            let what = if started.direction == crate::engine::input::Direction::Undo {
                "undoing"
            } else {
                "started"
            };
            format!("{}: {what}{again}", name(&started.attempt.node))
        }
        Event::AttemptInDoubt { attempt, why } => format!("{}: in doubt: {why}", name(&attempt.node)),
        Event::Observed { attempt, observation, .. } => match observation {
            Observation::Applied(_) => format!("{}: observed: it is already true", name(&attempt.node)),
            Observation::NotApplied => format!("{}: observed: it is not there", name(&attempt.node)),
            Observation::InProgress(_) => {
                format!("{}: observed: it is under way; following it", name(&attempt.node))
            }
            Observation::Unknown(why) => format!("{}: observed, cannot tell: {why}", name(&attempt.node)),
        },
        Event::PersonNeeded { node, why } => format!("{}: a person must decide: {why}", name(node)),
        Event::RetryScheduled { node, at, failure, .. } => {
            format!("{}: {failure}; again at {at}", name(node))
        }
        Event::WaitStarted { node, until } => format!("{}: waits until {until}", name(node)),
        Event::NodeSucceeded(done) => match &done.fence {
            Some(FenceResult::Unconfirmed(why)) => {
                format!("{}: fence NOT confirmed: {why}", name(&done.node))
            }
            Some(FenceResult::Confirmed) => format!("{}: fence confirmed", name(&done.node)),
            None if done.adopted => format!("{}: already true, adopted", name(&done.node)),
            None => format!("{}: succeeded", name(&done.node)),
        },
        Event::NodeFailed { node, failure, .. } => format!("{}: FAILED: {failure}", name(node)),
        Event::FailureIgnored { node } => format!("{}: failure ignored", name(node)),
        Event::NodeSkipped { node, why } => match why {
            SkipCause::When => format!("{}: skipped, its condition is false", name(node)),
            SkipCause::Mode => format!("{}: skipped in this mode", name(node)),
            SkipCause::Enough => format!("{}: skipped, enough others have succeeded", name(node)),
            SkipCause::Failed => format!("{}: skipped, what it belongs to has failed", name(node)),
            SkipCause::Person { by, reason } => format!("{}: skipped by {}: {reason}", name(node), by.name),
        },
        Event::NodeMarkedDone { node, by, reason, .. } => {
            format!("{}: done by hand by {}: {reason}", name(node), by.name)
        }
        Event::SafetyOverridden { node, by, reason } => {
            format!("{}: safety overridden by {}: {reason}", name(node), by.name)
        }
        Event::NodeReset { node, by, .. } => format!("{}: to be tried again, says {}", name(node), by.name),
        Event::ApprovalRequested { node, .. } => format!("{}: waits for a person", name(node)),
        Event::VoteCast { node, by, granted } => {
            format!("{}: {} by {}", name(node), if *granted { "approved" } else { "refused" }, by.name)
        }
        Event::ApprovalExpired { node } => format!("{}: nobody answered in time", name(node)),
        Event::NodeUndone { node } => format!("{}: undone", name(node)),
        Event::UndoFailed { node, failure } => format!("{}: UNDO FAILED: {failure}", name(node)),
        Event::NodeCancelled { node, why } => format!("{}: cancelled: {why}", name(node)),
        Event::ReadingTaken(reading) => {
            let lag = reading.lag.map_or_else(String::new, |lag| format!(" lag {lag}"));
            let reach =
                reading.recovery_point_at.map_or_else(String::new, |at| format!(" data reaches {at}"));
            format!("{}: recovery point {}:{lag}{reach}", name(&reading.node), reading.point)
        }
        _ => return None,
    })
}

fn run_fact(event: &Event) -> Option<String> {
    Some(match event {
        Event::RunCreated(created) => {
            let from = created.from.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
            let to = created.to.as_ref().map_or_else(|| "the others".to_owned(), ToString::to_string);
            format!(
                "run {}: {} {} of {}, {from} to {to}, {}",
                created.run, created.mode, created.operation, created.service, created.intent
            )
        }
        Event::TookOver { token, holder, .. } => format!("driven by {holder}, fencing token {token}"),
        Event::RunStarted { by } => format!("started by {}", by.name),
        Event::GateReached { missing } => {
            let flags: Vec<_> = missing.iter().map(consent_flag).collect();
            format!("POINT OF NO RETURN ahead: needs {}", flags.join(" "))
        }
        Event::ConsentsGiven { by, .. } => format!("consents given by {}", by.name),
        Event::GatePassed { data_loss, .. } => match data_loss {
            Some(loss) => format!("POINT OF NO RETURN passed, data loss up to {loss}"),
            None => "POINT OF NO RETURN passed, data loss not measured".to_owned(),
        },
        Event::WantChanged { want, by, reason } => {
            let who = by.as_ref().map_or("policy", |by| by.name.as_str());
            let why = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            let what = match want {
                Want::Run => "go on",
                Want::Pause => "pause",
                Want::Abort => "abort and hold",
                Want::Fail => "give up",
                Want::Unwind => "unwind",
            };
            format!("{what}, says {who}{why}")
        }
        Event::ModeSwitched { mode, by, reason } => format!("mode is {mode} now, says {}: {reason}", by.name),
        Event::RequestAnswered { verb, by, refused: Some(refused), .. } => {
            format!("{verb} of {} refused: {refused}", by.name)
        }
        Event::BurnReached { percent, elapsed } => format!("{percent} % of the RTO used up after {elapsed}"),
        Event::ForecastBreached { forecast, objective, .. } => {
            format!("FORECAST: recovery in {forecast}, the RTO is {objective}: it will be missed")
        }
        Event::ForecastRecovered { forecast } => {
            format!("forecast: recovery in {forecast}, within the RTO again")
        }
        Event::ClockMarked { mark } => mark.as_str().replace('_', " "),
        Event::StatusChanged { status, cause } => {
            let why = cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"));
            format!("run is {status}{why}")
        }
        _ => return None,
    })
}
