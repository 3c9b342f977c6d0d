//! What the journal says of a run, read through the library by somebody who only looks.

use drctl::engine::event::{AttemptStarted, Event};
use drctl::engine::{IndexedPlan, RunState};
use drctl::model::id::RunId;
use drctl::ports::{Journal as _, StreamName};
use drctl::runtime;

use super::service::Service;
use crate::world::{Fact, fact_of};

/// A run with all its facts.
pub(crate) struct History {
    pub(crate) run: RunId,
    pub(crate) plan: std::sync::Arc<IndexedPlan>,
    pub(crate) state: RunState,
    pub(crate) facts: Vec<Fact>,
}

impl History {
    /// Reads a run.
    pub(crate) async fn of(service: &Service, run: &RunId) -> Self {
        let journal = service.look().unwrap();
        let loaded = runtime::load(&journal, run).await.unwrap();
        let records = journal.read(&StreamName::run(run), 0, 100_000).await.unwrap();
        let facts = records.iter().map(fact_of).collect();
        Self { run: run.clone(), plan: loaded.plan, state: loaded.state, facts }
    }

    /// The attempt of a node with a number, and the token it was recorded with.
    pub(crate) fn started(&self, node: &str, attempt: u32) -> Option<(&AttemptStarted, u64)> {
        self.facts.iter().find_map(|fact| match &fact.event {
            Event::AttemptStarted(started)
                if started.attempt.attempt == attempt && self.address(started.attempt.node) == node =>
            {
                Some((started, fact.token))
            }
            _ => None,
        })
    }

    /// Whether the outcome of an attempt was unknown at some time.
    pub(crate) fn was_in_doubt(&self, started: &AttemptStarted) -> bool {
        let doubts = |event: &Event| match event {
            Event::AttemptInDoubt { attempt, .. } => *attempt == started.attempt,
            _ => false,
        };
        self.facts.iter().any(|fact| doubts(&fact.event))
    }

    /// The address of a node.
    pub(crate) fn address(&self, node: u32) -> &str {
        self.plan.plan.nodes[node as usize].address.as_str()
    }
}
