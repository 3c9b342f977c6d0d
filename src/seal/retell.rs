//! Tells a run again from its records and its plan alone: the same state and the same report, without the
//! journal. Pure.

use std::sync::Arc;

use super::chain;
use crate::engine::event::{self, Event};
use crate::engine::{IndexedPlan, RunState, apply};
use crate::evidence::{self, Report, Trail};
use crate::journal::record::hex;
use crate::model::evidence::{self as beside, EvidenceFact};
use crate::model::time::Timestamp;
use crate::plan::{self, Plan};
use crate::ports::Record;

/// A record of a run, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Number in the run's stream.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// Its SHA-256 in hex.
    pub hash: String,
    /// The fact.
    pub event: Event,
}

/// A run as its records tell it.
#[derive(Debug)]
pub struct Retold {
    /// The plan.
    pub plan: Arc<IndexedPlan>,
    /// The facts, in order; the first is the creation.
    pub entries: Vec<Entry>,
    first: RunState,
}

/// Reads a run from the records of its stream and the bytes of its plan.
///
/// # Errors
/// When they do not belong together, or this build cannot read them; in words.
pub fn retell(records: &[&Record], plan: &[u8]) -> Result<Retold, String> {
    if let Some(wrong) = chain::check(records).into_iter().next() {
        return Err(wrong);
    }
    let entries: Vec<Entry> = records.iter().map(|record| entry(record)).collect::<Result<_, _>>()?;
    let first = entries.first().ok_or("there is no record of the run")?;
    let Event::RunCreated(created) = &first.event else {
        return Err("its first record is not its creation".to_owned());
    };
    if plan::of_bytes(plan) != created.plan {
        return Err("the plan is not the one that the run was created with".to_owned());
    }
    let plan: Plan = serde_json::from_slice(plan).map_err(|error| format!("its plan: {error}"))?;
    if plan.format > plan::FORMAT {
        return Err(format!("its plan has format {}, use a newer drctl", plan.format));
    }
    let plan = Arc::new(IndexedPlan::new(plan).map_err(|error| format!("its plan: {error}"))?);
    let first = RunState::new(&plan, created.as_ref().clone(), first.at);
    Ok(Retold { plan, entries, first })
}

fn entry(record: &Record) -> Result<Entry, String> {
    let sequence = record.sequence;
    if record.body.is_empty() {
        return Err(format!("record {sequence} was pruned"));
    }
    if record.version > event::FORMAT {
        return Err(format!("record {sequence} has format {}, use a newer drctl", record.version));
    }
    let event = serde_json::from_str(&record.body).map_err(|error| format!("record {sequence}: {error}"))?;
    Ok(Entry { sequence, at: record.recorded_at, hash: hex(&record.hash), event })
}

/// Reads what people added beside a run.
///
/// # Errors
/// When this build cannot read it; in words.
pub fn told(records: &[&Record]) -> Result<Vec<(Timestamp, String, EvidenceFact)>, String> {
    let fact = |record: &&Record| {
        if record.version > beside::FORMAT {
            return Err(format!(
                "record {} has format {}, use a newer drctl",
                record.sequence, record.version
            ));
        }
        let fact = serde_json::from_str(&record.body)
            .map_err(|error| format!("{} record {}: {error}", record.stream, record.sequence))?;
        Ok((record.recorded_at, hex(&record.hash), fact))
    };
    records.iter().map(fact).collect()
}

impl Retold {
    /// The state after the creation.
    #[must_use]
    pub fn begin(&self) -> RunState {
        self.first.clone()
    }

    /// Folds the entry after a state into it; says whether there was one.
    pub fn advance(&self, state: &mut RunState) -> Option<&Entry> {
        let next = usize::try_from(state.sequence).ok().and_then(|index| self.entries.get(index))?;
        apply(&self.plan, state, &next.event, next.at);
        Some(next)
    }

    /// The state after the last entry.
    #[must_use]
    pub fn end(&self) -> RunState {
        let mut state = self.begin();
        while self.advance(&mut state).is_some() {}
        state
    }

    /// The report of the whole, as of its last record.
    #[must_use]
    pub fn report(&self, told: &[(Timestamp, String, EvidenceFact)]) -> Report {
        let state = self.end();
        let mut trail = Trail::default();
        for entry in &self.entries {
            trail.take(&self.plan, entry.at, entry.hash.clone(), &entry.event);
        }
        for (at, hash, fact) in told {
            trail.tell(*at, hash.clone(), fact.clone());
        }
        let as_of = trail.last_told().map_or(state.last_at, |told| told.max(state.last_at));
        evidence::report(&self.plan, &state, &trail, as_of)
    }
}
