//! What follows from what is known: one step at a time, until there is nothing to do.

use super::event::{Calm, TriggerEvent, WithdrawOutcome};
use super::facts::{Facts, NoteOrder, Step, Watch, Withdrawal};
use super::hear::hear;
use super::judge::{judge, standing};
use super::launch::of_opened;
use super::record::{Owed, TriggerRecord};
use super::{FADES_AFTER, NOTE_TRIES};
use crate::model::run::RunStatus;
use crate::model::time::{Duration, Timestamp};

/// First time between two tries of a note; doubled each time.
const NOTE_AGAIN: Duration = Duration::from_secs(20);

/// Says what follows.
#[must_use]
pub fn decide(watch: &Watch, record: &TriggerRecord, facts: &Facts) -> Step {
    let unseen = facts.hooks.iter().filter(|(webhook, _)| !record.cursors.contains_key(*webhook));
    let unseen: Vec<_> = unseen
        .map(|(webhook, hook)| TriggerEvent::Watching { webhook: webhook.clone(), from: hook.from })
        .collect();
    if !unseen.is_empty() {
        return Step::Record(unseen);
    }
    if !facts.arrivals.is_empty() {
        let heard = hear(watch, record, facts);
        return if heard.is_empty() { Step::Pass } else { Step::Record(heard) };
    }
    let tidied = tidied(watch, record, facts.now);
    if !tidied.is_empty() {
        return Step::Record(tidied);
    }
    if let Some(opened) = &record.opened {
        return of_opened(watch, record, opened, facts);
    }
    if let Some(step) = withdrawal(record, facts) {
        return step;
    }
    let mut next = match note(record, facts) {
        Ok(next) => next,
        Err(step) => return step,
    };
    for trigger in &watch.triggers {
        match judge(watch, trigger, record, facts) {
            Ok(due) => next = [next, due].into_iter().flatten().min(),
            Err(step) => return step,
        }
    }
    Step::Wait(next)
}

/// What is over without anybody having said so.
fn tidied(watch: &Watch, record: &TriggerRecord, now: Timestamp) -> Vec<TriggerEvent> {
    let mut events: Vec<TriggerEvent> = Vec::new();
    for red in record.red.iter().filter(|red| now.since(red.last) > FADES_AFTER) {
        let (webhook, incident) = (red.webhook.clone(), red.incident.clone());
        let faded = TriggerEvent::Green { webhook, incident, why: Calm::Faded, source: None };
        if !events.contains(&faded) {
            events.push(faded);
        }
    }
    for (name, decided) in &record.decided {
        let trigger = watch.triggers.iter().find(|trigger| trigger.name.as_str() == name);
        let standing = trigger.map_or_else(Vec::new, |trigger| standing(trigger, record));
        let holds = |episode: &&String| {
            standing.iter().any(|standing| standing.episode == **episode && standing.since.is_some())
        };
        let opened = |episode: &&String| {
            record.opened.as_ref().is_some_and(|it| it.trigger == *name && it.episode == **episode)
        };
        let over = decided.iter().filter(|episode| !holds(episode) && !opened(episode));
        events.extend(over.map(|episode| {
            let (trigger, episode) = (name.clone(), episode.clone());
            TriggerEvent::Over { trigger, episode }
        }));
    }
    events
}

/// A run that waits for a person, and whose trigger has nothing red any more.
fn withdrawal(record: &TriggerRecord, facts: &Facts) -> Option<Step> {
    let calm = |trigger: &str| !record.red.iter().any(|red| red.trigger == trigger);
    let (key, staged) = record.staged.iter().find(|(_, staged)| calm(&staged.trigger))?;
    let (key, run) = (key.clone(), staged.run.clone());
    let detail = format!("nothing that {} listens to is red any more", staged.trigger);
    let status = facts.runs.iter().find(|line| line.run == run).map(|line| line.status);
    let outcome = match status {
        Some(RunStatus::Staged) => return Some(Step::Withdraw(Withdrawal { key, run, detail })),
        Some(status) if !status.is_terminal() => WithdrawOutcome::Begun,
        Some(_) | None => WithdrawOutcome::Over,
    };
    Some(Step::Record(vec![TriggerEvent::Withdrawn { key, run, outcome, detail }]))
}

/// The note that is due, or when one is.
fn note(record: &TriggerRecord, facts: &Facts) -> Result<Option<Timestamp>, Step> {
    let due = |owed: &Owed| {
        if owed.tries == 0 { owed.at } else { owed.at.plus(again(owed.tries)) }
    };
    let able = |owed: &Owed| facts.hooks.get(&owed.note.webhook).is_some_and(|hook| hook.notes);
    let mut next = None;
    for (key, owed) in record.notes.iter().filter(|(_, owed)| able(owed)) {
        if due(owed) <= facts.now {
            let last = owed.tries.saturating_add(1) >= NOTE_TRIES;
            return Err(Step::Note(NoteOrder { key: key.clone(), note: owed.note.clone(), last }));
        }
        next = [next, Some(due(owed))].into_iter().flatten().min();
    }
    Ok(next)
}

/// How long after so many tries the next one is.
fn again(tries: u32) -> Duration {
    let doubled = 1_u64 << tries.saturating_sub(1).min(16);
    Duration::from_millis(NOTE_AGAIN.as_millis().saturating_mul(doubled))
}
