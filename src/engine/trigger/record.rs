//! Where the triggers of a service stand: a fold of their stream.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{NoteDue, NoteOutcome, Refusal, TriggerEvent, Waiting};
use crate::model::id::RunId;
use crate::model::time::{Duration, Timestamp};
use crate::model::trigger::HowToStart;

/// For how long it is known that an incident was heard of before.
const REMEMBERED: Duration = Duration::from_secs(14 * 24 * 3600);

/// Where the triggers of a service stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerRecord {
    /// Deliveries up to these sequences were looked at, by webhook.
    pub cursors: BTreeMap<String, u64>,
    /// What is red.
    pub red: Vec<Red>,
    /// How often an incident was heard of anew, and when last.
    pub openings: BTreeMap<String, (u32, Timestamp)>,
    /// What was decided about and is not over, by trigger.
    pub decided: BTreeMap<String, BTreeSet<String>>,
    /// What is waited for, by trigger and by what it is about.
    pub waiting: BTreeMap<String, BTreeMap<String, (Waiting, usize)>>,
    /// What is to become a run.
    pub opened: Option<Opened>,
    /// Runs that wait for a person, by their key.
    pub staged: BTreeMap<String, StagedRun>,
    /// When each trigger fired last.
    pub fired: BTreeMap<String, Timestamp>,
    /// Notes that are owed, by the key of their run.
    pub notes: BTreeMap<String, Owed>,
    /// The last thing that came of each trigger.
    pub last: BTreeMap<String, Last>,
}

/// Something that is red.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Red {
    /// The trigger.
    pub trigger: String,
    /// The signal; empty for a trigger that listens to one thing.
    pub signal: String,
    /// The webhook.
    pub webhook: String,
    /// The incident.
    pub incident: String,
    /// Which time this is.
    pub opening: u32,
    /// Since when.
    pub since: Timestamp,
    /// When it was last heard of.
    pub last: Timestamp,
    /// It was delivered long after it happened.
    pub old: bool,
    /// For people.
    pub title: Option<String>,
    /// When the incident began.
    pub began_at: Option<Timestamp>,
}

/// What is to become a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The trigger.
    pub trigger: String,
    /// What it is about.
    pub episode: String,
    /// Key of the run.
    pub key: String,
    /// How it is started.
    pub how: HowToStart,
    /// When it was decided.
    pub at: Timestamp,
}

/// A run that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedRun {
    /// The trigger.
    pub trigger: String,
    /// The run.
    pub run: RunId,
}

/// A note that is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The note.
    pub note: NoteDue,
    /// How often it was tried.
    pub tries: u32,
    /// When last; at first, when it was owed.
    pub at: Timestamp,
}

/// The last thing that came of a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// When.
    pub at: Timestamp,
    /// What: `waiting`, `would_have`, `launched`, or the word of a refusal.
    pub what: String,
    /// The same for people.
    pub detail: String,
    /// The run.
    pub run: Option<RunId>,
}

/// What tells the incidents of all webhooks apart.
pub(super) fn name(webhook: &str, incident: &str) -> String {
    format!("{webhook}/{incident}")
}

impl Red {
    /// What a decision about it alone is about.
    #[must_use]
    pub fn episode(&self) -> String {
        let name = name(&self.webhook, &self.incident);
        if self.opening > 1 { format!("{name}#{}", self.opening) } else { name }
    }
}

impl TriggerRecord {
    /// Folds one fact into the record.
    pub fn apply(&mut self, event: &TriggerEvent, at: Timestamp) {
        match event {
            TriggerEvent::Watching { webhook, from: upto } | TriggerEvent::Passed { webhook, upto } => {
                self.pass(webhook, *upto);
            }
            TriggerEvent::Red { source, .. } => {
                self.pass(&source.webhook, source.sequence);
                self.redden(event, at);
            }
            TriggerEvent::Green { webhook, incident, source, .. } => {
                if let Some(source) = source {
                    self.pass(&source.webhook, source.sequence);
                }
                self.calm(|red| red.webhook == *webhook && red.incident == *incident);
            }
            TriggerEvent::Noted { source, .. } => self.pass(&source.webhook, source.sequence),
            TriggerEvent::Waiting { trigger, episode, reason, red, of, .. } => {
                let waiting = self.waiting.entry(trigger.clone()).or_default();
                waiting.insert(episode.clone(), (*reason, *red));
                let detail = format!("{episode}: {reason}, {red} of {of} red");
                self.say(trigger, at, "waiting", detail, None);
            }
            TriggerEvent::Refused { trigger, episode, reason, detail } => {
                self.close(trigger, episode);
                if *reason == Refusal::TooOld {
                    // Heard of again, it is something new.
                    self.calm(|red| red.trigger == *trigger && red.old);
                } else {
                    self.settle(trigger, episode);
                }
                self.say(trigger, at, reason.as_str(), format!("{episode}: {detail}"), None);
            }
            TriggerEvent::WouldHave { trigger, episode, detail, .. } => {
                self.settle(trigger, episode);
                self.fired.insert(trigger.clone(), at);
                self.say(trigger, at, "would_have", format!("{episode}: {detail}"), None);
            }
            TriggerEvent::Fired { trigger, episode, key, how, .. } => {
                self.settle(trigger, episode);
                self.fired.insert(trigger.clone(), at);
                let (trigger, episode, key) = (trigger.clone(), episode.clone(), key.clone());
                self.opened = Some(Opened { trigger, episode, key, how: *how, at });
            }
            TriggerEvent::Launched { .. } => self.launched(event, at),
            TriggerEvent::Over { trigger, episode } => {
                if let Some(decided) = self.decided.get_mut(trigger) {
                    decided.remove(episode);
                }
                self.decided.retain(|_, decided| !decided.is_empty());
            }
            TriggerEvent::Withdrawn { key, .. } => {
                self.staged.remove(key);
            }
            TriggerEvent::NoteTried { key, outcome, .. } => match outcome {
                NoteOutcome::Sent | NoteOutcome::GivenUp => {
                    self.notes.remove(key);
                }
                NoteOutcome::Failed => {
                    if let Some(owed) = self.notes.get_mut(key) {
                        (owed.tries, owed.at) = (owed.tries.saturating_add(1), at);
                    }
                }
            },
        }
    }

    fn redden(&mut self, event: &TriggerEvent, recorded: Timestamp) {
        let TriggerEvent::Red { trigger, signal, source, incident, opening, at, old, title, began_at } =
            event
        else {
            return;
        };
        let known = name(&source.webhook, incident);
        self.openings.retain(|_, (_, heard)| recorded.since(*heard) < REMEMBERED);
        self.openings.insert(known, (*opening, recorded));
        let same = |red: &&mut Red| {
            red.trigger == *trigger
                && red.signal == *signal
                && red.webhook == source.webhook
                && red.incident == *incident
        };
        if let Some(red) = self.red.iter_mut().find(same) {
            red.last = *at;
            red.old &= *old;
            return;
        }
        self.red.push(Red {
            trigger: trigger.clone(),
            signal: signal.clone(),
            webhook: source.webhook.clone(),
            incident: incident.clone(),
            opening: *opening,
            since: *at,
            last: *at,
            old: *old,
            title: title.clone(),
            began_at: *began_at,
        });
    }

    fn launched(&mut self, event: &TriggerEvent, at: Timestamp) {
        let TriggerEvent::Launched { trigger, episode, key, run, how, note, .. } = event else { return };
        self.close(trigger, episode);
        if *how == HowToStart::Staged {
            let staged = StagedRun { trigger: trigger.clone(), run: run.clone() };
            self.staged.insert(key.clone(), staged);
        }
        if let Some(note) = note {
            self.notes.insert(key.clone(), Owed { note: note.clone(), tries: 0, at });
        }
        let what = match how {
            HowToStart::Staged => "staged",
            HowToStart::Immediate => "started",
        };
        self.say(trigger, at, what, format!("{episode}: {what} {run}"), Some(run.clone()));
    }

    fn pass(&mut self, webhook: &str, upto: u64) {
        let cursor = self.cursors.entry(webhook.to_owned()).or_default();
        *cursor = upto.max(*cursor);
    }

    fn calm(&mut self, is_calm: impl Fn(&Red) -> bool) {
        self.red.retain(|red| !is_calm(red));
        let red = &self.red;
        self.waiting.retain(|trigger, _| red.iter().any(|red| red.trigger == *trigger));
    }

    fn settle(&mut self, trigger: &str, episode: &str) {
        self.decided.entry(trigger.to_owned()).or_default().insert(episode.to_owned());
        if let Some(waiting) = self.waiting.get_mut(trigger) {
            waiting.remove(episode);
        }
    }

    fn close(&mut self, trigger: &str, episode: &str) {
        self.opened.take_if(|opened| opened.trigger == trigger && opened.episode == episode);
    }

    fn say(&mut self, trigger: &str, at: Timestamp, what: &str, detail: String, run: Option<RunId>) {
        self.last.insert(trigger.to_owned(), Last { at, what: what.to_owned(), detail, run });
    }
}
