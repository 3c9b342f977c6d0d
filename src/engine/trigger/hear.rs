//! What a delivery means for the triggers of a service: what turns red, what turns green, what is left out
//! and why.

use super::event::{Calm, Noted, Source, TriggerEvent};
use super::facts::{Arrival, Facts, Reported, Watch};
use super::record::{TriggerRecord, name};
use crate::model::time::Duration;
use crate::model::trigger::{Event, Listening, SignalStatus, TriggerSource};

/// How often it is recorded that something that is red is said again to be.
const SAID_AGAIN: Duration = Duration::from_secs(6 * 3600);
/// Most deliveries without a meaning before the place is recorded.
const PASSED: usize = 200;

/// What an event is to something that listens, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hearing {
    /// It comes from elsewhere.
    Elsewhere,
    /// It is a test of the connection.
    Test,
    /// It says that its incident is over.
    Resolves,
    /// The condition does not hold.
    NoMatch,
    /// The condition cannot be worked out.
    Broken,
    /// The condition holds.
    Match,
}

/// What an event is to something that listens, and what is wrong with the condition.
pub(super) fn hearing(
    listening: &Listening<'_>,
    event: &Event,
    source: TriggerSource,
    webhook: &str,
) -> (Hearing, Option<String>) {
    if !listening.hears(source, webhook) {
        return (Hearing::Elsewhere, None);
    }
    match event.status {
        SignalStatus::Test => return (Hearing::Test, None),
        SignalStatus::Resolved => return (Hearing::Resolves, None),
        SignalStatus::Firing | SignalStatus::Acknowledged | SignalStatus::Other => {}
    }
    let Some(when) = listening.when else {
        let fires = event.status == SignalStatus::Firing;
        return (if fires { Hearing::Match } else { Hearing::NoMatch }, None);
    };
    match event.fits(when, source, webhook) {
        Ok(true) => (Hearing::Match, None),
        Ok(false) => (Hearing::NoMatch, None),
        Err(error) => (Hearing::Broken, Some(error.message)),
    }
}

/// What all deliveries mean that were not looked at. Nothing: none of them is about the service.
pub(super) fn hear(watch: &Watch, record: &TriggerRecord, facts: &Facts) -> Vec<TriggerEvent> {
    let mut after = record.clone();
    let mut events = Vec::new();
    let mut silent = std::collections::BTreeMap::<&str, (usize, u64)>::new();
    for arrival in &facts.arrivals {
        let mut heard = Vec::new();
        for reported in &arrival.events {
            let found = one(watch, &after, facts, arrival, reported);
            for event in &found {
                after.apply(event, facts.now);
            }
            heard.extend(found);
        }
        if heard.is_empty() {
            let (count, upto) = silent.entry(&arrival.webhook).or_default();
            *count += 1;
            *upto = arrival.sequence;
        }
        events.extend(heard);
    }
    for (webhook, (count, upto)) in silent {
        if count >= PASSED {
            events.push(TriggerEvent::Passed { webhook: webhook.to_owned(), upto });
        }
    }
    events
}

fn one(
    watch: &Watch,
    record: &TriggerRecord,
    facts: &Facts,
    arrival: &Arrival,
    reported: &Reported,
) -> Vec<TriggerEvent> {
    let event = &reported.event;
    let webhook = arrival.webhook.as_str();
    let Some(hook) = facts.hooks.get(webhook) else { return Vec::new() };
    let source =
        || Source { webhook: webhook.to_owned(), sequence: arrival.sequence, event: event.id.clone() };
    if event.status == SignalStatus::Resolved {
        let Some(incident) = event.incident.as_ref().filter(|_| !reported.stale) else { return Vec::new() };
        let is_its = |red: &super::Red| red.webhook == webhook && red.incident == incident.id;
        return if record.red.iter().any(is_its) {
            let (incident, source) = (incident.id.clone(), Some(source()));
            vec![TriggerEvent::Green { webhook: webhook.to_owned(), incident, why: Calm::Resolved, source }]
        } else {
            Vec::new()
        };
    }
    let mut events = Vec::new();
    for trigger in &watch.triggers {
        for listening in trigger.listening() {
            let note = |reason: Noted, detail: String| TriggerEvent::Noted {
                trigger: trigger.name.to_string(),
                source: source(),
                reason,
                detail,
            };
            match hearing(&listening, event, hook.source, webhook) {
                (Hearing::Match, _) => match &event.incident {
                    None => events.push(note(Noted::NoIncident, format!("{} is about none", event.kind))),
                    Some(_) if reported.stale => {
                        let detail = format!("something newer than {} was heard before", event.kind);
                        events.push(note(Noted::OutOfOrder, detail));
                    }
                    Some(incident) => {
                        let place = Place { trigger: trigger.name.as_str(), signal: listening.signal };
                        let red = redden(record, place, arrival, reported, &incident.id);
                        events.extend(red.map(|(opening, title)| TriggerEvent::Red {
                            trigger: place.trigger.to_owned(),
                            signal: place.signal.to_owned(),
                            source: source(),
                            incident: incident.id.clone(),
                            opening,
                            at: arrival.at,
                            old: reported.old,
                            title,
                            began_at: event.began_at,
                        }));
                    }
                },
                (Hearing::Broken, why) => {
                    events.push(note(Noted::ConditionFailed, why.unwrap_or_default()));
                }
                (Hearing::Elsewhere | Hearing::Test | Hearing::Resolves | Hearing::NoMatch, _) => {}
            }
        }
    }
    events
}

#[derive(Clone, Copy)]
struct Place<'t> {
    trigger: &'t str,
    signal: &'t str,
}

/// Which time an incident makes something red, unless it is red already and was heard of not long ago.
fn redden(
    record: &TriggerRecord,
    place: Place<'_>,
    arrival: &Arrival,
    reported: &Reported,
    incident: &str,
) -> Option<(u32, Option<String>)> {
    let of_incident = |red: &&super::Red| red.webhook == arrival.webhook && red.incident == incident;
    let known = record.openings.get(&name(&arrival.webhook, incident)).map(|(count, _)| *count);
    let red: Vec<_> = record.red.iter().filter(of_incident).collect();
    let opening = match (known, red.first()) {
        (None, _) => 1,
        (Some(_), Some(red)) => red.opening,
        (Some(count), None) => count.saturating_add(1),
    };
    let own = red.iter().find(|red| red.trigger == place.trigger && red.signal == place.signal);
    if own.is_some_and(|red| arrival.at.since(red.last) < SAID_AGAIN && (!red.old || reported.old)) {
        return None;
    }
    let title = reported.event.title.clone();
    Some((opening, title.or_else(|| reported.event.incident.as_ref().and_then(|it| it.title.clone()))))
}
