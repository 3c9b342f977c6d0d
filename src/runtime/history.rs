//! Gathers from the journal how long the steps of a service took in earlier runs. Reads only; simulated runs
//! never count.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::load::{load, load_plan};
use crate::engine::event::{self, Event};
use crate::engine::input::Direction;
use crate::engine::{IndexedPlan, clock};
use crate::model::id::{RunId, ServiceName};
use crate::model::run::{Intent, Mode};
use crate::model::time::Timestamp;
use crate::plan::{History, Kept, NodeIndex, NodeKind, Sample, is_measurable};
use crate::ports::{Journal, Record, RunFilter, StreamName};

/// Newest runs of a service that are looked at.
const RUNS: usize = 50;
/// Records read at once.
const PAGE: usize = 1_000;

/// What earlier runs of a service took, the newest first. Runs whose records were pruned say nothing any
/// more.
///
/// # Errors
/// When the journal cannot be read, is damaged, or was written by a newer drctl.
pub async fn history(journal: &dyn Journal, service: &ServiceName) -> Result<History, Error> {
    let filter = RunFilter { service: Some(service.clone()), limit: RUNS, ..RunFilter::default() };
    let mut history = History::default();
    for run in journal.runs(&filter).await? {
        match run.intent {
            Intent::Real | Intent::Drill => {}
            Intent::Check | Intent::Simulate => continue,
        }
        match of_run(journal, &run.run, &mut history).await {
            Ok(()) | Err(Error::Pruned { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(history)
}

async fn of_run(journal: &dyn Journal, run: &RunId, history: &mut History) -> Result<(), Error> {
    let stream = StreamName::run(run);
    let (mut timer, mut after) = (None, 0);
    loop {
        let records = journal.read(&stream, after, PAGE).await?;
        for record in &records {
            after = record.sequence;
            let Some(event) = parsed(record) else { return Ok(()) };
            if let Event::RunCreated(created) = &event {
                timer = Some(Timer::new(load_plan(journal, run, &created.plan).await?));
            } else if let Some(timer) = &mut timer {
                timer.saw(&event, record.recorded_at);
            }
        }
        if records.len() < PAGE {
            break;
        }
    }
    let Some(timer) = timer else { return Ok(()) };
    if timer.samples.is_empty() {
        return Ok(());
    }
    history.runs += 1;
    for (kept, sample) in timer.samples {
        history.add(kept, sample);
    }
    let loaded = load(journal, run).await?;
    if let Some(loss) = clock::data_loss(&loaded.plan, &loaded.state) {
        history.losses.entry(loaded.plan.plan.operation).or_default().push(loss);
    }
    Ok(())
}

/// The fact of a record; `None` where its body was pruned or says nothing to this build.
fn parsed(record: &Record) -> Option<Event> {
    if record.version > event::FORMAT {
        return None;
    }
    serde_json::from_str(&record.body).ok()
}

/// Takes the time of every node of a run.
struct Timer {
    plan: std::sync::Arc<IndexedPlan>,
    begun: BTreeMap<NodeIndex, (Timestamp, Mode)>,
    /// What was in doubt, or helped along, took as long as somebody needed to look after it.
    spoiled: BTreeSet<NodeIndex>,
    samples: Vec<(Kept, Sample)>,
}

impl Timer {
    fn new(plan: std::sync::Arc<IndexedPlan>) -> Self {
        Self { plan, begun: BTreeMap::new(), spoiled: BTreeSet::new(), samples: Vec::new() }
    }

    fn saw(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::AttemptStarted(started) if started.direction == Direction::Do => {
                let node = started.attempt.node;
                // All looks of a check together are what it took.
                if !(self.is_check(node) && self.begun.contains_key(&node)) {
                    self.begun.insert(node, (at, started.mode));
                }
            }
            Event::ApprovalRequested { node, .. } => {
                self.begun.entry(*node).or_insert((at, self.plan.plan.mode));
            }
            Event::AttemptInDoubt { attempt, .. } => {
                self.spoiled.insert(attempt.node);
            }
            Event::NodeReset { node, .. } => {
                self.spoiled.insert(*node);
            }
            Event::NodeSucceeded(succeeded) if !succeeded.adopted => self.ended(succeeded.node, at),
            Event::NodeMarkedDone { node, .. } if self.is_manual(*node) => self.ended(*node, at),
            _ => {}
        }
    }

    fn ended(&mut self, node: NodeIndex, at: Timestamp) {
        let Some((began, mode)) = self.begun.get(&node).copied() else { return };
        let Some(definition) = self.plan.plan.nodes.get(node as usize) else { return };
        if !self.spoiled.contains(&node) && is_measurable(definition) {
            let kept = Kept::of(self.plan.plan.operation, definition, mode);
            let sample = Sample::of(&self.plan.plan, definition, mode, at.since(began));
            self.samples.push((kept, sample));
        }
    }

    fn is_check(&self, node: NodeIndex) -> bool {
        let definition = self.plan.plan.nodes.get(node as usize);
        definition.is_some_and(|definition| matches!(definition.kind, NodeKind::Check { .. }))
    }

    fn is_manual(&self, node: NodeIndex) -> bool {
        let definition = self.plan.plan.nodes.get(node as usize);
        definition.is_some_and(|definition| matches!(definition.kind, NodeKind::Manual { .. }))
    }
}
