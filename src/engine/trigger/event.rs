//! Facts about the triggers of a service, as their stream keeps them.

use serde::{Deserialize, Serialize};

use crate::model::id::RunId;
use crate::model::run::words;
use crate::model::time::Timestamp;
use crate::model::trigger::HowToStart;

words! {
    /// Why what stands red does not become a run. The words are stable: programs may rely on them.
    Refusal {
        /// The trigger fired a short time ago.
        Cooldown = "cooldown",
        /// A real run of the service is not over, perhaps one that is staged.
        RunInProgress = "run_in_progress",
        /// A person has halted all triggers (`drctl stop-all on`).
        Stopped = "stopped",
        /// The incident is over.
        IncidentResolved = "incident_resolved",
        /// It was reported long after it happened, and nobody could say that it still stands.
        TooOld = "too_old",
        /// The run could not be planned or created.
        NotStarted = "not_started",
    }
}

words! {
    /// What a trigger waits for.
    Waiting {
        /// Not enough signals are red.
        Quorum = "quorum",
        /// They are not red for long enough.
        Dwell = "dwell",
    }
}

words! {
    /// Why a signal is no longer red.
    Calm {
        /// The sender said so.
        Resolved = "resolved",
        /// The sender said so when it was asked.
        FoundResolved = "found_resolved",
        /// Nothing was heard of it for long.
        Faded = "faded",
    }
}

words! {
    /// Why an event that a trigger listens to changes nothing.
    Noted {
        /// Something newer was heard of its incident before.
        OutOfOrder = "out_of_order",
        /// The condition could not be worked out for it.
        ConditionFailed = "condition_failed",
        /// It fits, and is about no incident: nothing would ever say that it is over.
        NoIncident = "no_incident",
    }
}

words! {
    /// What became of a staged run whose incident is over.
    WithdrawOutcome {
        /// It is ended.
        Withdrawn = "withdrawn",
        /// A person has started it: it is left alone.
        Begun = "begun",
        /// It was over already.
        Over = "over",
    }
}

words! {
    /// What became of a note to an incident.
    NoteOutcome {
        /// It stands there; perhaps twice, if this was recorded late.
        Sent = "sent",
        /// It is tried again.
        Failed = "failed",
        /// It is not tried again.
        GivenUp = "given_up",
    }
}

/// Where something was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The webhook.
    pub webhook: String,
    /// Sequence of the delivery in the webhook's stream.
    pub sequence: u64,
    /// Id of the event.
    pub event: String,
}

/// A fact about the triggers of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerEvent {
    /// A webhook was listened to for the first time: what lay before is not heard.
    Watching {
        /// The webhook.
        webhook: String,
        /// Deliveries up to this sequence are not heard.
        from: u64,
    },
    /// Nothing in these deliveries was about the service.
    Passed {
        /// The webhook.
        webhook: String,
        /// The last of them.
        upto: u64,
    },
    /// A signal is red, or is said again to be.
    Red {
        /// The trigger.
        trigger: String,
        /// The signal; empty for a trigger that listens to one thing.
        signal: String,
        /// Where it was heard.
        source: Source,
        /// The incident.
        incident: String,
        /// Which time this is that the incident is heard of after it was over, from 1.
        opening: u32,
        /// When it was delivered.
        at: Timestamp,
        /// It was delivered long after it happened.
        old: bool,
        /// For people.
        title: Option<String>,
        /// When the incident began.
        began_at: Option<Timestamp>,
    },
    /// An incident makes nothing red any more.
    Green {
        /// The webhook.
        webhook: String,
        /// The incident.
        incident: String,
        /// Why.
        why: Calm,
        /// Where it was heard, if anywhere.
        source: Option<Source>,
    },
    /// An event changes nothing.
    Noted {
        /// The trigger that listens to it.
        trigger: String,
        /// Where it was heard.
        source: Source,
        /// Why.
        reason: Noted,
        /// The same for people.
        detail: String,
    },
    /// Something is red, and it is too early for a decision.
    Waiting {
        /// The trigger.
        trigger: String,
        /// What it would be about.
        episode: String,
        /// For what.
        reason: Waiting,
        /// How many signals are red.
        red: usize,
        /// How many must be.
        of: usize,
        /// When it is decided if nothing changes.
        until: Option<Timestamp>,
    },
    /// It does not become a run.
    Refused {
        /// The trigger.
        trigger: String,
        /// What it is about.
        episode: String,
        /// Why.
        reason: Refusal,
        /// The same for people.
        detail: String,
    },
    /// A trigger in shadow mode would have acted.
    WouldHave {
        /// The trigger.
        trigger: String,
        /// What it is about.
        episode: String,
        /// What it would have done.
        how: HowToStart,
        /// The same for people.
        detail: String,
    },
    /// It is to become a run.
    Fired {
        /// The trigger.
        trigger: String,
        /// What it is about.
        episode: String,
        /// Key under which the run is started: whoever starts it, it is one run.
        key: String,
        /// How it is started.
        how: HowToStart,
        /// Why it is not started as the runbook says.
        instead: Option<String>,
    },
    /// It became a run.
    Launched {
        /// The trigger.
        trigger: String,
        /// What it is about.
        episode: String,
        /// Key of the run.
        key: String,
        /// The run.
        run: RunId,
        /// How it was started.
        how: HowToStart,
        /// The command that goes on from here.
        command: String,
        /// The note that its incident is owed.
        note: Option<NoteDue>,
    },
    /// What a decision was about is over: the next time is decided anew.
    Over {
        /// The trigger.
        trigger: String,
        /// What it was about.
        episode: String,
    },
    /// A staged run is no longer waited for.
    Withdrawn {
        /// Key of the run.
        key: String,
        /// The run.
        run: RunId,
        /// What became of it.
        outcome: WithdrawOutcome,
        /// Why.
        detail: String,
    },
    /// A note was tried.
    NoteTried {
        /// Key of the run it is about.
        key: String,
        /// What became of it.
        outcome: NoteOutcome,
        /// What went wrong.
        why: Option<String>,
    },
}

/// A note that an incident is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteDue {
    /// The webhook the incident came by.
    pub webhook: String,
    /// The incident.
    pub incident: String,
    /// The text.
    pub text: String,
}

impl TriggerEvent {
    /// The type under which the event is stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Watching { .. } => "trigger_watching",
            Self::Passed { .. } => "trigger_passed",
            Self::Red { .. } => "trigger_red",
            Self::Green { .. } => "trigger_green",
            Self::Noted { .. } => "trigger_noted",
            Self::Waiting { .. } => "trigger_waiting",
            Self::Refused { .. } => "trigger_refused",
            Self::WouldHave { .. } => "trigger_would_have",
            Self::Fired { .. } => "trigger_fired",
            Self::Launched { .. } => "trigger_launched",
            Self::Over { .. } => "trigger_over",
            Self::Withdrawn { .. } => "trigger_withdrawn",
            Self::NoteTried { .. } => "trigger_note",
        }
    }
}
