//! Loads a run from the journal: checkpoint, then the records after it. Recovery is nothing but this and
//! one input.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::Value;

use super::Error;
use crate::engine::event::{self, Event};
use crate::engine::{IndexedPlan, RunState, STATE_FORMAT, apply};
use crate::model::id::RunId;
use crate::model::time::Timestamp;
use crate::plan::Plan;
use crate::ports::{Journal, JournalError, Record, StreamName};

/// Records read at once.
const PAGE: usize = 1_000;
/// Plans kept in memory: runs of a fleet share theirs.
const CACHED_PLANS: usize = 64;

/// A run as the journal knows it.
#[derive(Debug)]
pub struct Loaded {
    /// The plan.
    pub plan: Arc<IndexedPlan>,
    /// The state after the last record.
    pub state: RunState,
}

/// Loads a run.
///
/// # Errors
/// When the run does not exist, is damaged, or was written by a newer drctl.
pub async fn load(journal: &dyn Journal, run: &RunId) -> Result<Loaded, Error> {
    let stream = StreamName::run(run);
    let mut loaded = from_checkpoint(journal, run).await?;
    loop {
        let after = loaded.as_ref().map_or(0, |loaded| loaded.state.sequence);
        let records = journal.read(&stream, after, PAGE).await?;
        let (mut known, new) = match loaded {
            Some(known) => (known, records.as_slice()),
            None => (from_first_record(journal, run, &records).await?, records.get(1..).unwrap_or_default()),
        };
        follow(&mut known, run, new)?;
        if records.len() < PAGE {
            return Ok(known);
        }
        loaded = Some(known);
    }
}

fn follow(loaded: &mut Loaded, run: &RunId, records: &[Record]) -> Result<(), Error> {
    for record in records {
        let event = parse(run, record)?;
        apply(&loaded.plan, &mut loaded.state, &event, record.recorded_at);
    }
    Ok(())
}

async fn from_checkpoint(journal: &dyn Journal, run: &RunId) -> Result<Option<Loaded>, Error> {
    let Some(checkpoint) = journal.checkpoint(run).await? else { return Ok(None) };
    if checkpoint.engine != STATE_FORMAT {
        return Ok(None);
    }
    // A checkpoint is a cache: one that cannot be read is ignored.
    let Ok(state) = serde_json::from_slice::<RunState>(&checkpoint.body) else { return Ok(None) };
    let plan = load_plan(journal, run, &state.created.plan).await?;
    let sound = state.nodes.len() == plan.plan.nodes.len() && state.sequence == checkpoint.sequence;
    Ok(sound.then_some(Loaded { plan, state }))
}

async fn from_first_record(journal: &dyn Journal, run: &RunId, records: &[Record]) -> Result<Loaded, Error> {
    let first = records.first().ok_or_else(|| JournalError::UnknownRun(run.to_string()))?;
    if first.body.is_empty() {
        return Err(Error::Pruned { run: run.clone(), at: pruned_at(journal, run).await? });
    }
    let Event::RunCreated(created) = parse(run, first)? else {
        return Err(unusable(run, "its first record is not its creation"));
    };
    let plan = load_plan(journal, run, &created.plan).await?;
    let state = RunState::new(&plan, *created, first.recorded_at);
    Ok(Loaded { plan, state })
}

/// When a run was pruned, by what the journal recorded about itself.
async fn pruned_at(journal: &dyn Journal, run: &RunId) -> Result<Option<Timestamp>, Error> {
    let stream = StreamName::journal();
    let mut after = 0;
    loop {
        let records = journal.read(&stream, after, PAGE).await?;
        for record in &records {
            after = record.sequence;
            let body: Value = serde_json::from_str(&record.body).unwrap_or_default();
            let runs = body.get("runs").and_then(Value::as_array);
            if runs.is_some_and(|runs| runs.iter().any(|pruned| pruned.as_str() == Some(run.as_str()))) {
                return Ok(Some(record.recorded_at));
            }
        }
        if records.len() < PAGE {
            return Ok(None);
        }
    }
}

fn parse(run: &RunId, record: &Record) -> Result<Event, Error> {
    if record.version > event::FORMAT {
        return Err(JournalError::TooNew { found: record.version, known: event::FORMAT }.into());
    }
    if record.body.is_empty() {
        return Err(Error::Pruned { run: run.clone(), at: None });
    }
    serde_json::from_str(&record.body)
        .map_err(|error| unusable(run, &format!("record {} cannot be read: {error}", record.sequence)))
}

fn unusable(run: &RunId, message: &str) -> Error {
    Error::Unusable { run: run.clone(), message: message.to_owned() }
}

/// Loads a plan by its digest; plans are immutable, so that one in memory is as good as the stored one.
///
/// # Errors
/// When the plan is not there or cannot be used.
pub async fn load_plan(journal: &dyn Journal, run: &RunId, digest: &str) -> Result<Arc<IndexedPlan>, Error> {
    static PLANS: LazyLock<Mutex<HashMap<String, Arc<IndexedPlan>>>> = LazyLock::new(Mutex::default);
    let known = PLANS.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
    if let Some(plan) = known {
        return Ok(plan);
    }
    let bytes =
        journal.blob(digest).await?.ok_or_else(|| unusable(run, "its plan is missing from the journal"))?;
    let plan: Plan =
        serde_json::from_slice(&bytes).map_err(|error| unusable(run, &format!("its plan: {error}")))?;
    if plan.format > crate::plan::FORMAT {
        return Err(JournalError::TooNew { found: plan.format, known: crate::plan::FORMAT }.into());
    }
    let plan = IndexedPlan::new(plan).map_err(|error| unusable(run, &format!("its plan: {error}")))?;
    let plan = Arc::new(plan);
    let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    if plans.len() >= CACHED_PLANS {
        plans.clear();
    }
    plans.insert(digest.to_owned(), Arc::clone(&plan));
    Ok(plan)
}
