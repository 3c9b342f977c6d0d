//! Makes what a driver has decided durable, and tells its follower. Decides nothing.

use super::driver::{Driver, Follower, Opening, Recorded};
use super::{Error, service};
use crate::engine::event::{self, DrillOutcome, Event};
use crate::engine::{STATE_FORMAT, clock, drill};
use crate::model::limits;
use crate::model::run::{Intent, RunStatus};
use crate::model::time::Timestamp;
use crate::ports::{Append, Checkpoint, NewRecord, RunSummary, StreamName};

impl Driver {
    /// Records the creation of a new run, so that whoever is told of it finds it. Without this it is recorded
    /// together with the first attempts.
    ///
    /// # Errors
    /// When the service is locked or was moved meanwhile, the key was used before, or the journal is gone.
    pub async fn open(mut self) -> Result<Self, Error> {
        match self.write().await {
            Ok(facts) => {
                self.untold.extend(facts);
                Ok(self)
            }
            Err(error) => {
                // There is no run, and nobody must be taken for its driver.
                let _ = self.let_go().await;
                Err(error)
            }
        }
    }

    /// Leaves the run to others without a turn.
    ///
    /// # Errors
    /// When the journal cannot be reached.
    pub async fn let_go(self) -> Result<(), Error> {
        self.journal.release(&self.state.created.run, self.token).await?;
        Ok(())
    }

    /// Makes everything decided so far durable, then tells the follower.
    pub(super) async fn record(&mut self, follower: &dyn Follower) -> Result<(), Error> {
        let mut facts = std::mem::take(&mut self.untold);
        facts.extend(self.write().await?);
        if !facts.is_empty() {
            follower.recorded(&self.plan, &self.state, &facts);
        }
        Ok(())
    }

    /// Makes everything decided so far durable.
    async fn write(&mut self) -> Result<Vec<Recorded>, Error> {
        if self.pending.is_empty() && matches!(self.opening, Opening::None) {
            return Ok(Vec::new());
        }
        let events = std::mem::take(&mut self.pending);
        let at = self.state.last_at;
        let opening = std::mem::replace(&mut self.opening, Opening::None);
        let mut all = Vec::with_capacity(events.len() + 1);
        let mut planned_at = None;
        if let Opening::Create(created, head) = opening {
            all.push(Event::RunCreated(created));
            planned_at = head;
        }
        all.extend(events);
        let before = self.state.sequence - all.len() as u64;
        let mut appends = vec![self.append(before, at, &all)];
        // In the same append as the run's creation, which takes the lock of the service.
        appends.extend(planned_at.map(|head| service::still_at(&self.state.created.service, head)));
        appends.extend(service::consequences(&self.plan, &self.state, at, &all));
        self.journal.append(appends).await?;
        let facts = (before + 1..).zip(all).map(|(sequence, event)| Recorded { sequence, at, event });
        Ok(facts.collect())
    }

    fn append(&mut self, before: u64, at: Timestamp, events: &[Event]) -> Append {
        let record = |event: &Event| NewRecord {
            kind: event.kind(),
            version: event::FORMAT,
            body: serde_json::to_string(event).unwrap_or_default(),
        };
        let answers = events.iter().filter_map(|event| match event {
            Event::RequestAnswered { id, .. } => Some(id.clone()),
            _ => None,
        });
        // What is listed about the run: its status, and whether it locks its service.
        let listed = Some((self.state.status, self.locks_service()));
        let changed = self.last_listed != listed;
        self.last_listed = listed;
        // A stored state is as long as its nodes are many: it is due after as many facts, so that writing it
        // never costs more than the facts themselves.
        let nodes = u64::try_from(self.state.nodes.len()).unwrap_or(u64::MAX);
        let due = self.state.sequence >= self.last_checkpoint + limits::CHECKPOINT_EVERY.max(nodes);
        let checkpoint = due.then(|| {
            self.last_checkpoint = self.state.sequence;
            let body = serde_json::to_vec(&self.state).unwrap_or_default();
            Checkpoint { sequence: self.state.sequence, engine: STATE_FORMAT, body: body.into() }
        });
        Append {
            stream: Some(StreamName::run(&self.state.created.run)),
            expected: Some(before),
            token: Some(self.token),
            at: Some(at),
            records: events.iter().map(record).collect(),
            blobs: std::mem::take(&mut self.blobs),
            answers: answers.collect(),
            summary: changed.then(|| self.summary()),
            checkpoint,
            simulated: self.state.created.intent == Intent::Simulate,
        }
    }

    fn summary(&self) -> RunSummary {
        let created = &self.state.created;
        RunSummary {
            run: created.run.clone(),
            service: created.service.clone(),
            operation: created.operation,
            intent: created.intent,
            status: self.state.status,
            from: created.from.clone(),
            to: created.to.clone(),
            created_at: self.state.created_at,
            ended_at: self.state.clock.ended_at,
            idempotency_key: self.idempotency_key.clone(),
            locks_service: self.locks_service(),
            parent: created.parent.as_ref().map(|parent| parent.run.clone()),
            verdict: self.state.status.is_terminal().then(|| clock::verdict(&self.plan, &self.state)),
        }
    }

    /// Real runs lock their service, and drills that move it, until only people's words are missing or a
    /// real run takes over.
    fn locks_service(&self) -> bool {
        let moves = match self.state.created.intent {
            Intent::Real => true,
            Intent::Drill => drill::locks_service(&self.plan),
            Intent::Check | Intent::Simulate => false,
        };
        let promoted = self.state.drill.outcome == Some(DrillOutcome::Promoted);
        moves && !promoted && self.state.status != RunStatus::AwaitingAttestation
    }
}
