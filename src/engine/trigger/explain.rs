//! What each trigger of a service would do with an event, and why. Changes nothing.

use serde::Serialize;

use super::event::TriggerEvent;
use super::facts::{Facts, Step, Watch};
use super::hear::{Hearing, hear, hearing};
use super::judge::judge;
use super::record::TriggerRecord;
use crate::model::run::words;
use crate::model::trigger::{HowToStart, Trigger};

words! {
    /// What a trigger would do.
    Outcome {
        /// It does not listen there.
        NotListening = "not_listening",
        /// Its condition does not hold.
        NoMatch = "no_match",
        /// Its condition cannot be worked out.
        Broken = "broken",
        /// The event only tests the connection, or is out of date.
        Ignored = "ignored",
        /// The event says that its incident is over.
        Resolves = "resolves",
        /// It waits for more signals, or for time to pass.
        Waits = "waits",
        /// It was decided before.
        Decided = "decided",
        /// It would not act.
        Refused = "refused",
        /// It would act, but is in shadow mode.
        Shadow = "shadow",
        /// It would stage a run.
        Stages = "stages",
        /// It would start a run.
        Starts = "starts",
    }
}

/// What one trigger would do with one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The trigger.
    pub trigger: String,
    /// Id of the event.
    pub event: String,
    /// What it would do.
    pub outcome: Outcome,
    /// Why.
    pub why: String,
}

/// Says what each trigger would do with each event of the deliveries, one after the other.
#[must_use]
pub fn explain(watch: &Watch, record: &TriggerRecord, facts: &Facts) -> Vec<Told> {
    let mut after = record.clone();
    let mut told = Vec::new();
    for arrival in &facts.arrivals {
        for reported in &arrival.events {
            let one = super::Arrival { events: vec![reported.clone()], ..arrival.clone() };
            let alone = Facts { arrivals: vec![one], ..facts.clone() };
            let heard = hear(watch, &after, &alone);
            for event in &heard {
                after.apply(event, facts.now);
            }
            for trigger in &watch.triggers {
                let (outcome, why) = of_trigger(watch, trigger, &after, &alone, &heard);
                let (trigger, event) = (trigger.name.to_string(), reported.event.id.clone());
                told.push(Told { trigger, event, outcome, why });
            }
        }
    }
    told
}

fn of_trigger(
    watch: &Watch,
    trigger: &Trigger,
    record: &TriggerRecord,
    facts: &Facts,
    heard: &[TriggerEvent],
) -> (Outcome, String) {
    let noted = heard.iter().find_map(|event| {
        let TriggerEvent::Noted { trigger: of, reason, detail, .. } = event else { return None };
        (*of == trigger.name.as_str()).then(|| (*reason, detail.clone()))
    });
    if let Some((reason, detail)) = noted {
        let broken = reason == super::Noted::ConditionFailed;
        let outcome = if broken { Outcome::Broken } else { Outcome::Ignored };
        return (outcome, format!("{reason}: {detail}"));
    }
    match heard_best(trigger, facts) {
        (Hearing::Match, signal) => {
            let signal = if signal.is_empty() { String::new() } else { format!("signal {signal} is red; ") };
            let (outcome, why) = judged(watch, trigger, record, facts);
            (outcome, format!("{signal}{why}"))
        }
        (Hearing::Elsewhere, _) => (Outcome::NotListening, "it listens elsewhere".to_owned()),
        (Hearing::Test, _) => (Outcome::Ignored, "the event tests the connection".to_owned()),
        (Hearing::Resolves, _) => {
            (Outcome::Resolves, "a staged run is withdrawn once nothing is red any more".to_owned())
        }
        (Hearing::NoMatch, signal) => {
            let of = if signal.is_empty() { String::new() } else { format!(" of {signal}") };
            (Outcome::NoMatch, format!("the condition{of} does not hold"))
        }
        (Hearing::Broken, _) => (Outcome::Broken, "the condition cannot be worked out".to_owned()),
    }
}

/// The most that the event is to anything the trigger listens to.
fn heard_best<'t>(trigger: &'t Trigger, facts: &Facts) -> (Hearing, &'t str) {
    let mut best = (Hearing::Elsewhere, "");
    for arrival in &facts.arrivals {
        let Some(hook) = facts.hooks.get(&arrival.webhook) else { continue };
        for reported in &arrival.events {
            for listening in trigger.listening() {
                let (heard, _) = hearing(&listening, &reported.event, hook.source, &arrival.webhook);
                if heard > best.0 {
                    best = (heard, listening.signal);
                }
            }
        }
    }
    best
}

fn judged(watch: &Watch, trigger: &Trigger, record: &TriggerRecord, facts: &Facts) -> (Outcome, String) {
    let own = |event: &TriggerEvent| match event {
        TriggerEvent::Waiting { reason, red, of, until, .. } => {
            let until = until.map_or_else(String::new, |until| format!(" until {until}"));
            (Outcome::Waits, format!("{reason}: {red} of {of} red{until}"))
        }
        TriggerEvent::Refused { reason, detail, .. } => (Outcome::Refused, format!("{reason}: {detail}")),
        TriggerEvent::WouldHave { detail, .. } => (Outcome::Shadow, format!("would be {detail}")),
        TriggerEvent::Fired { how, instead, key, .. } => {
            let outcome = match how {
                HowToStart::Staged => Outcome::Stages,
                HowToStart::Immediate => Outcome::Starts,
            };
            let instead = instead.as_ref().map_or_else(String::new, |why| format!("; {why}"));
            (outcome, format!("a {} under the key {key}{instead}", trigger.start.operation))
        }
        TriggerEvent::Watching { .. }
        | TriggerEvent::Passed { .. }
        | TriggerEvent::Red { .. }
        | TriggerEvent::Green { .. }
        | TriggerEvent::Noted { .. }
        | TriggerEvent::Launched { .. }
        | TriggerEvent::Over { .. }
        | TriggerEvent::Withdrawn { .. }
        | TriggerEvent::NoteTried { .. } => (Outcome::Decided, String::new()),
    };
    match judge(watch, trigger, record, facts) {
        Err(Step::Record(events)) => events.first().map_or((Outcome::Decided, String::new()), own),
        Err(Step::Ask(_)) => (Outcome::Waits, "the sender is asked first".to_owned()),
        Err(_) | Ok(None) => (Outcome::Decided, "it was decided about this before".to_owned()),
        Ok(Some(until)) => (Outcome::Waits, format!("dwell: until {until}")),
    }
}
