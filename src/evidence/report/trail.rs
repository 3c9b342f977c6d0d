//! Folds the records of a run into what a report shows beyond its state: the timeline, and what people said.
//! Pure; every record is given once, in order.

use serde::Serialize;

use super::contents::Attestation;
use crate::engine::IndexedPlan;
use crate::engine::event::{Event, SkipCause};
use crate::engine::input::Consents;
use crate::evidence::{describe, is_news};
use crate::model::evidence::EvidenceFact;
use crate::model::run::{Identity, words};
use crate::model::time::Timestamp;
use crate::plan::NodeIndex;

/// Most moments that the timeline of a report holds; what goes beyond stands in the journal.
const MOMENTS: usize = 5_000;

words! {
    /// What a moment of the timeline means to a reader.
    Tone {
        /// One among many.
        Plain = "plain",
        /// A point of the run was passed.
        Mark = "mark",
        /// A person did or decided something.
        Person = "person",
        /// Something went wrong.
        Trouble = "trouble",
    }
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Number of its record in the run's stream.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What it means to a reader.
    pub tone: Tone,
    /// What happened.
    pub text: String,
}

/// A consent to something that cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consent {
    /// When it was given.
    pub at: Timestamp,
    /// What was agreed to.
    pub to: String,
    /// Who.
    pub by: Identity,
}

/// A person's answer to a request for approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// When it was given.
    pub at: Timestamp,
    /// What it was about.
    pub step: String,
    /// Yes or no.
    pub granted: bool,
    /// Who.
    pub by: Identity,
}

/// Something that was done otherwise than the plan, the policy or a safety rule said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Override {
    /// When.
    pub at: Timestamp,
    /// What was done otherwise.
    pub what: String,
    /// Who, where a person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Identity>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A process that drove the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drive {
    /// When it took the run over.
    pub at: Timestamp,
    /// Its fencing token.
    pub token: u64,
    /// Who.
    pub holder: String,
    /// On which machine.
    pub host: String,
}

/// What the records of a run tell, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trail {
    pub(super) moments: Vec<Moment>,
    pub(super) more_moments: u64,
    pub(super) consents: Vec<Consent>,
    pub(super) approvals: Vec<Approval>,
    pub(super) overrides: Vec<Override>,
    pub(super) attestations: Vec<Attestation>,
    pub(super) drives: Vec<Drive>,
    pub(super) told: Vec<(Timestamp, EvidenceFact)>,
    pub(super) records: u64,
    pub(super) last_hash: String,
    pub(super) last_told_hash: String,
}

impl Trail {
    /// Takes the next record of the run in. `hash`: its SHA-256 in hex.
    pub fn take(&mut self, plan: &IndexedPlan, at: Timestamp, hash: String, event: &Event) {
        self.records += 1;
        self.last_hash = hash;
        if is_news(plan, event) {
            self.moment(plan, at, event);
        }
        let address = |node: &NodeIndex| {
            plan.plan.nodes.get(*node as usize).map_or("?", |node| node.address.as_str()).to_owned()
        };
        match event {
            Event::RunCreated(created) => {
                self.consent(at, &created.consents, &created.started_by);
                if created.adopt {
                    self.overridden(at, "what was there already was adopted".to_owned(), None, None);
                }
            }
            Event::ConsentsGiven { consents, by } => self.consent(at, consents, by),
            Event::TookOver { token, holder, host, .. } => {
                let (token, holder, host) = (*token, holder.clone(), host.clone());
                self.drives.push(Drive { at, token, holder, host });
            }
            Event::VoteCast { node, by, granted } => {
                let (step, granted, by) = (address(node), *granted, by.clone());
                self.approvals.push(Approval { at, step, granted, by });
            }
            Event::SafetyOverridden { node, by, reason } => {
                let what = format!("the safety of {} was overridden", address(node));
                self.overridden(at, what, Some(by), Some(reason));
            }
            Event::NodeSkipped { node, why: SkipCause::Person { by, reason } } => {
                self.overridden(at, format!("{} was skipped", address(node)), Some(by), Some(reason));
            }
            Event::NodeMarkedDone { node, by, reason, .. } => {
                let what = format!("{} was done by hand", address(node));
                self.overridden(at, what, Some(by), Some(reason));
            }
            Event::ModeSwitched { mode, by, reason } => {
                self.overridden(at, format!("the mode became {mode}"), Some(by), Some(reason));
            }
            Event::Attested(attested) => self.attestations.push(Attestation {
                at,
                passed: attested.passed,
                notes: attested.notes.clone().unwrap_or_default(),
                by: attested.by.clone(),
            }),
            Event::FailureIgnored { node } => {
                let what = format!("the failure of {} was ignored, as the runbook says", address(node));
                self.overridden(at, what, None, None);
            }
            _ => {}
        }
    }

    /// Takes the next fact in that a person added beside the run. `hash`: its SHA-256 in hex.
    pub fn tell(&mut self, at: Timestamp, hash: String, fact: EvidenceFact) {
        self.last_told_hash = hash;
        self.told.push((at, fact));
    }

    /// When the last fact beside the run was added.
    #[must_use]
    pub fn last_told(&self) -> Option<Timestamp> {
        self.told.last().map(|(at, _)| *at)
    }

    fn moment(&mut self, plan: &IndexedPlan, at: Timestamp, event: &Event) {
        if self.moments.len() >= MOMENTS {
            self.more_moments += 1;
            return;
        }
        let text = describe(plan, event);
        self.moments.push(Moment { sequence: self.records, at, tone: tone(event), text });
    }

    fn overridden(&mut self, at: Timestamp, what: String, by: Option<&Identity>, reason: Option<&String>) {
        self.overrides.push(Override { at, what, by: by.cloned(), reason: reason.cloned() });
    }

    fn consent(&mut self, at: Timestamp, given: &Consents, by: &Identity) {
        let mut give = |to: String| self.consents.push(Consent { at, to, by: by.clone() });
        if let Some(confirmed) = &given.confirm {
            give(format!("the point of no return, as {confirmed}"));
        }
        if let Some(loss) = given.accept_loss {
            give(format!("a data loss of up to {loss}"));
        }
        if given.accept_unmeasured_loss {
            give("a data loss nobody could measure".to_owned());
        }
        if given.accept_unfenced {
            give("that the old primary may still accept writes".to_owned());
        }
    }
}

fn tone(event: &Event) -> Tone {
    match event {
        Event::NodeFailed { .. }
        | Event::UndoFailed { .. }
        | Event::ForecastBreached { .. }
        | Event::AttemptInDoubt { .. }
        | Event::ApprovalExpired { .. }
        | Event::PersonNeeded { .. }
        | Event::RetryScheduled { .. } => Tone::Trouble,
        Event::NodeSucceeded(done)
            if matches!(done.fence, Some(crate::engine::event::FenceResult::Unconfirmed(_))) =>
        {
            Tone::Trouble
        }
        Event::VoteCast { .. }
        | Event::ConsentsGiven { .. }
        | Event::NodeMarkedDone { .. }
        | Event::NodeSkipped { why: SkipCause::Person { .. }, .. }
        | Event::SafetyOverridden { .. }
        | Event::NodeReset { .. }
        | Event::ModeSwitched { .. }
        | Event::RunStarted { .. }
        | Event::Attested(_)
        | Event::AdoptionRequested { .. }
        | Event::WantChanged { by: Some(_), .. } => Tone::Person,
        Event::RunCreated(_)
        | Event::GateReached { .. }
        | Event::GatePassed { .. }
        | Event::ClockMarked { .. }
        | Event::StatusChanged { .. }
        | Event::BurnReached { .. } => Tone::Mark,
        _ => Tone::Plain,
    }
}
