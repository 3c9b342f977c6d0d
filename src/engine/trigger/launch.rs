//! A run that was decided on: what it is started with, and what its incident is told. Starts nothing.

use super::event::{NoteDue, Refusal, TriggerEvent};
use super::facts::{Facts, Order, Step, Watch};
use super::judge::standing;
use super::record::{Opened, TriggerRecord};
use super::{LATE, Red};
use crate::model::id::RunId;
use crate::model::limits::REASON_CHARS;
use crate::model::trigger::{HowToStart, Trigger};

/// What follows from a decision whose run has not begun, as far as anybody knows.
pub(super) fn of_opened(watch: &Watch, record: &TriggerRecord, opened: &Opened, facts: &Facts) -> Step {
    let refused = |reason: Refusal, detail: &str| {
        Step::Record(vec![TriggerEvent::Refused {
            trigger: opened.trigger.clone(),
            episode: opened.episode.clone(),
            reason,
            detail: detail.to_owned(),
        }])
    };
    let Some(trigger) = watch.triggers.iter().find(|trigger| trigger.name.as_str() == opened.trigger) else {
        return refused(Refusal::NotStarted, "the runbook no longer has this trigger");
    };
    let standing = standing(trigger, record);
    let standing = standing.iter().find(|standing| standing.episode == opened.episode);
    let begun = facts.runs.iter().find(|line| line.key.as_deref() == Some(&opened.key));
    let Some((standing, red)) = standing.and_then(|standing| Some((standing, standing.reds.first()?))) else {
        // Over before it began: a run that a crash has hidden is withdrawn like any other.
        return match begun {
            Some(line) => Step::Record(vec![hidden(opened, line.run.clone())]),
            None => refused(Refusal::IncidentResolved, "it was over before its run began"),
        };
    };
    let mut order = order(trigger, opened, red);
    let takes_notes = |red: &&&Red| facts.hooks.get(&red.webhook).is_some_and(|hook| hook.notes);
    let noted = standing.reds.iter().find(takes_notes);
    order.note_to = noted.map(|red| (red.webhook.clone(), red.incident.clone()));
    if let Some(line) = begun {
        return Step::Record(vec![launched(&order, line.run.clone())]);
    }
    if let Some(stopped) = &facts.stopped {
        return refused(Refusal::Stopped, stopped);
    }
    if facts.now.since(opened.at) > LATE {
        order.how = HowToStart::Staged;
    }
    Step::Launch(Box::new(order))
}

fn hidden(opened: &Opened, run: RunId) -> TriggerEvent {
    TriggerEvent::Launched {
        trigger: opened.trigger.clone(),
        episode: opened.episode.clone(),
        key: opened.key.clone(),
        command: command(opened.how, &run),
        run,
        how: opened.how,
        note: None,
    }
}

fn order(trigger: &Trigger, opened: &Opened, red: &Red) -> Order {
    let title = red.title.as_deref().map_or_else(String::new, |title| format!(": {title}"));
    let others = if trigger.is_quorum() { " and others" } else { "" };
    let reason = format!("{} {}{others}{title}", red.webhook, red.incident);
    Order {
        trigger: opened.trigger.clone(),
        episode: opened.episode.clone(),
        key: opened.key.clone(),
        how: opened.how,
        start: trigger.start.clone(),
        reason: reason.chars().take(REASON_CHARS).collect(),
        incident_at: red.began_at,
        detected_at: red.since,
        webhook: red.webhook.clone(),
        incident: red.incident.clone(),
        note_to: None,
    }
}

/// The fact that a run has begun, with the note that its incident is owed.
#[must_use]
pub fn launched(order: &Order, run: RunId) -> TriggerEvent {
    let command = command(order.how, &run);
    let text = note(order, &run, &command);
    let note = order.note_to.clone().map(|(webhook, incident)| NoteDue { webhook, incident, text });
    TriggerEvent::Launched {
        trigger: order.trigger.clone(),
        episode: order.episode.clone(),
        key: order.key.clone(),
        run,
        how: order.how,
        command,
        note,
    }
}

/// The command that goes on from here.
fn command(how: HowToStart, run: &RunId) -> String {
    match how {
        HowToStart::Staged => format!("drctl start {run}"),
        HowToStart::Immediate => format!("drctl runs watch {run}"),
    }
}

fn note(order: &Order, run: &RunId, command: &str) -> String {
    let operation = order.start.operation;
    let to = order.start.to.as_ref().map_or_else(String::new, |to| format!(" to {to}"));
    match order.how {
        HowToStart::Staged => format!(
            "drctl has staged the {operation}{to} as run {run} (trigger {}). Nothing has been changed.\n\
             Start it: {command}\nLook at it: drctl runs show {run}\nIt is withdrawn when this incident is \
             resolved.",
            order.trigger
        ),
        HowToStart::Immediate => format!(
            "drctl has started the {operation}{to} as run {run} (trigger {}).\nFollow it: {command}\nStop it: \
             drctl abort {run} --reason …\nBefore the point of no return it waits: drctl approve {run}",
            order.trigger
        ),
    }
}
