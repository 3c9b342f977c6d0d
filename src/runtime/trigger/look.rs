//! One look at the triggers of one service: step after step, until nothing is left to do.

use std::collections::BTreeMap;

use super::deliveries;
use super::{Looking, Processor};
use crate::engine::schedule::RunLine;
use crate::engine::trigger::{
    Answer, Answered, Facts, GRACE, Hook, NoteOutcome, Refusal, Step, TriggerEvent, TriggerRecord, Watch,
    Withdrawal, decide, launched,
};
use crate::engine::trigger::{NoteOrder, Order};
use crate::model::id::ServiceName;
use crate::model::time::Timestamp;
use crate::ports::{IncidentState, Journal, JournalError, RunFilter, RunSummary, StreamName};
use crate::runtime::facts;
use crate::runtime::intake::sequence_before;
use crate::runtime::{Error, LaunchError, stop_switch};

/// Most steps of one look; what is left then is done by the next.
const STEPS: usize = 512;
/// Most records that are read at once.
const PAGE: usize = 1_000;

/// Where a service stands, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Kept {
    record: TriggerRecord,
    head: u64,
    /// Deliveries up to these sequences are about something else, by webhook.
    passed: BTreeMap<String, u64>,
}

impl Kept {
    async fn catch_up(&mut self, journal: &dyn Journal, service: &ServiceName) -> Result<(), JournalError> {
        let stream = StreamName::trigger(service);
        loop {
            let records = journal.read(&stream, self.head, PAGE).await?;
            for entry in &records {
                self.head = entry.sequence;
                // A pruned one is about what is over for long.
                if entry.body.is_empty() {
                    continue;
                }
                let event: TriggerEvent = serde_json::from_str(&entry.body).map_err(|error| {
                    JournalError::Damaged(format!("{stream} record {}: {error}", entry.sequence))
                })?;
                self.record.apply(&event, entry.recorded_at);
            }
            if records.len() < PAGE {
                return Ok(());
            }
        }
    }
}

/// Reads where the triggers of a service stand.
///
/// # Errors
/// When the journal cannot be read or its record makes no sense.
pub async fn trigger_record(journal: &dyn Journal, service: &ServiceName) -> Looking<TriggerRecord> {
    let mut kept = Kept::default();
    kept.catch_up(journal, service).await?;
    Ok(kept.record)
}

impl Processor {
    /// Looks at one service; returns when something is due even if nothing arrives.
    pub(super) async fn look_at(
        &self,
        watch: &Watch,
        recorded: &mut Vec<TriggerEvent>,
    ) -> Looking<Option<Timestamp>> {
        let kept = self.kept(&watch.service);
        let mut kept = kept.lock().await;
        let mut answers: Vec<Answered> = Vec::new();
        for _ in 0..STEPS {
            kept.catch_up(self.journal.as_ref(), &watch.service).await?;
            let facts = self.facts(watch, &kept, answers.clone()).await?;
            let events = match decide(watch, &kept.record, &facts) {
                Step::Wait(next) => return Ok(next),
                Step::Pass => {
                    for arrival in &facts.arrivals {
                        kept.passed.insert(arrival.webhook.clone(), arrival.sequence);
                    }
                    continue;
                }
                Step::Record(events) => events,
                Step::Ask(incidents) => {
                    for (webhook, incident) in incidents {
                        answers.push(self.ask(webhook, incident).await);
                    }
                    continue;
                }
                Step::Launch(order) => vec![self.launch(watch, &order).await?],
                Step::Withdraw(withdrawal) => vec![self.withdraw(withdrawal).await?],
                Step::Note(order) => vec![self.note(order).await],
            };
            if self.append(&watch.service, kept.head, &events).await? {
                recorded.extend(events);
            }
        }
        Ok(Some(self.clock.now()))
    }

    async fn facts(&self, watch: &Watch, kept: &Kept, answers: Vec<Answered>) -> Looking<Facts> {
        let journal = self.journal.as_ref();
        let mut hooks = BTreeMap::new();
        let mut arrivals = Vec::new();
        for name in self.heard_by(watch) {
            let Some(used) = self.hooks.get(name) else { continue };
            let cursor = kept.record.cursors.get(name);
            let from = if cursor.is_some() {
                0
            } else {
                let since = self.clock.now().minus(GRACE);
                sequence_before(journal, &StreamName::webhook(name), since).await?
            };
            let (asks, notes) = (used.incidents.is_some(), used.notes.is_some());
            hooks.insert(name.to_owned(), Hook { source: used.source, asks, notes, from });
            if let Some(cursor) = cursor {
                let passed = kept.passed.get(name).copied().unwrap_or(0);
                arrivals.extend(deliveries::after(journal, name, passed.max(*cursor)).await?);
            }
        }
        let switch = stop_switch(journal).await?;
        let stopped = switch.stopped.then(|| {
            let by = switch.by.map_or_else(String::new, |by| format!(" by {}", by.name));
            let reason = switch.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            format!("stop-all is on{by}{reason}")
        });
        let runs = self.runs(watch, kept).await?;
        // Read last: what was found is not older than the time it is judged by.
        let now = self.clock.now();
        Ok(Facts { now, hooks, arrivals, stopped, runs, answers })
    }

    /// Runs of the service that are not over, and the one that was decided on last.
    async fn runs(&self, watch: &Watch, kept: &Kept) -> Looking<Vec<RunLine>> {
        let journal = self.journal.as_ref();
        let all = RunFilter { service: Some(watch.service.clone()), ..RunFilter::default() };
        let mut found = journal.runs(&RunFilter { open: true, ..all.clone() }).await?;
        if let Some(opened) = &kept.record.opened {
            let is_its = |run: &RunSummary| run.idempotency_key.as_deref() == Some(&opened.key);
            if !found.iter().any(is_its) {
                found.extend(journal.runs(&all).await?.into_iter().find(is_its));
            }
        }
        let line = |run: RunSummary| {
            let RunSummary { run, intent, status, verdict, idempotency_key: key, .. } = run;
            RunLine { run, intent, status, verdict, key, driven: false, due: false }
        };
        Ok(found.into_iter().map(line).collect())
    }

    /// Asks a sender whether an incident stands.
    async fn ask(&self, webhook: String, incident: String) -> Answered {
        let incidents = self.hooks.get(&webhook).and_then(|hook| hook.incidents.as_ref());
        let (answer, why) = match incidents {
            None => (Answer::Unknown, Some("it cannot be asked".to_owned())),
            Some(incidents) => match incidents.state(&incident).await {
                Ok(IncidentState::Open) => (Answer::Open, None),
                Ok(IncidentState::Resolved) => (Answer::Resolved, None),
                Err(error) => (Answer::Unknown, Some(error.message)),
            },
        };
        Answered { webhook, incident, answer, why }
    }

    async fn launch(&self, watch: &Watch, order: &Order) -> Looking<TriggerEvent> {
        match self.act.launch(&watch.service, order).await {
            Ok(run) => Ok(launched(order, run)),
            Err(LaunchError::Failed(error)) => Err(error),
            Err(LaunchError::Refused(detail)) => {
                let (trigger, episode) = (order.trigger.clone(), order.episode.clone());
                Ok(TriggerEvent::Refused { trigger, episode, reason: Refusal::NotStarted, detail })
            }
        }
    }

    async fn withdraw(&self, withdrawal: Withdrawal) -> Looking<TriggerEvent> {
        let Withdrawal { key, run, detail } = withdrawal;
        match self.act.withdraw(&run, &detail).await {
            Ok(outcome) => Ok(TriggerEvent::Withdrawn { key, run, outcome, detail }),
            Err(LaunchError::Failed(error)) => Err(error),
            Err(LaunchError::Refused(why)) => Err(Error::NotReady(why)),
        }
    }

    async fn note(&self, order: NoteOrder) -> TriggerEvent {
        let NoteOrder { key, note, last } = order;
        let notes = self.hooks.get(&note.webhook).and_then(|hook| hook.notes.as_ref());
        let told = match notes {
            None => Err("it takes no notes".to_owned()),
            Some(notes) => notes.note(&note.incident, &note.text).await.map_err(|error| error.message),
        };
        let (outcome, why) = match told {
            Ok(()) => (NoteOutcome::Sent, None),
            Err(why) if last => (NoteOutcome::GivenUp, Some(why)),
            Err(why) => (NoteOutcome::Failed, Some(why)),
        };
        TriggerEvent::NoteTried { key, outcome, why }
    }

    /// Records facts, unless somebody else has recorded some since.
    async fn append(&self, service: &ServiceName, head: u64, events: &[TriggerEvent]) -> Looking<bool> {
        let records = events.iter().map(|event| (event.kind(), event));
        let (journal, stream) = (self.journal.as_ref(), StreamName::trigger(service));
        facts::append(journal, stream, head, self.clock.now(), records).await
    }
}
