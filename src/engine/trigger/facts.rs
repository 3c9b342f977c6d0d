//! What is known when triggers are looked at, and what can follow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{NoteDue, TriggerEvent};
use crate::engine::schedule::RunLine;
use crate::model::id::{RunId, ServiceName};
use crate::model::run::words;
use crate::model::time::Timestamp;
use crate::model::trigger::{Event, HowToStart, Trigger, TriggerSource, TriggerStart};

/// A service with triggers.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// The service.
    pub service: ServiceName,
    /// Its triggers.
    pub triggers: Vec<Trigger>,
}

/// A webhook, as far as triggers are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// Whose deliveries they are.
    pub source: TriggerSource,
    /// Its incidents can be asked about.
    pub asks: bool,
    /// Its incidents take notes.
    pub notes: bool,
    /// Deliveries up to this sequence are not heard by a service that is looked at for the first time.
    pub from: u64,
}

/// A delivery that has arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// The webhook.
    pub webhook: String,
    /// Sequence of the delivery in the webhook's stream.
    pub sequence: u64,
    /// When it was delivered.
    pub at: Timestamp,
    /// What it reports.
    pub events: Vec<Reported>,
}

/// One thing that was reported, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// The event.
    pub event: Event,
    /// Something newer was delivered of its incident before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// It was delivered long after it happened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub old: bool,
}

words! {
    /// What the sender says of an incident when it is asked.
    Answer {
        /// It stands.
        Open = "open",
        /// It is over.
        Resolved = "resolved",
        /// It could not be asked.
        Unknown = "unknown",
    }
}

/// What was said of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The webhook.
    pub webhook: String,
    /// The incident.
    pub incident: String,
    /// What was said.
    pub answer: Answer,
    /// Why it could not be asked.
    pub why: Option<String>,
}

/// What is known when triggers are looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The time.
    pub now: Timestamp,
    /// The webhooks, by name.
    pub hooks: BTreeMap<String, Hook>,
    /// Deliveries that were not looked at, in the order of each webhook.
    pub arrivals: Vec<Arrival>,
    /// Who has halted all triggers, and why.
    pub stopped: Option<String>,
    /// Runs of the service that are not over, and the one that was decided on last.
    pub runs: Vec<RunLine>,
    /// What was said of incidents, once they were asked about.
    pub answers: Vec<Answered>,
}

/// A run that is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The trigger.
    pub trigger: String,
    /// What it is about.
    pub episode: String,
    /// Key under which its run is started.
    pub key: String,
    /// How it is started.
    pub how: HowToStart,
    /// What is started.
    pub start: TriggerStart,
    /// Why, for people.
    pub reason: String,
    /// When the incident began.
    pub incident_at: Option<Timestamp>,
    /// When it was first delivered.
    pub detected_at: Timestamp,
    /// The webhook it came by.
    pub webhook: String,
    /// The incident.
    pub incident: String,
    /// The incident that takes a note, and its webhook.
    pub note_to: Option<(String, String)>,
}

/// A staged run that is to be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Key of the run.
    pub key: String,
    /// The run.
    pub run: RunId,
    /// Why.
    pub detail: String,
}

/// A note that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteOrder {
    /// Key of the run it is about.
    pub key: String,
    /// The note.
    pub note: NoteDue,
    /// It is the last time that it is tried.
    pub last: bool,
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing, until something arrives or this time has come.
    Wait(Option<Timestamp>),
    /// These facts are recorded, and it is decided again.
    Record(Vec<TriggerEvent>),
    /// Nothing in the deliveries is about the service: it is decided again without them.
    Pass,
    /// The senders must be asked about these incidents, by webhook.
    Ask(Vec<(String, String)>),
    /// A run that was decided on is begun.
    Launch(Box<Order>),
    /// A staged run is ended.
    Withdraw(Withdrawal),
    /// A note is sent.
    Note(NoteOrder),
}
