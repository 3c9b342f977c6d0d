//! The runtime of a simulated run, from what its notes say: the same when it starts and when it is resumed.

use std::collections::BTreeMap;
use std::path::Path;

use super::runbook;
use super::session::Session;
use super::{Error, exit};
use crate::app::{self, Simulation, Speed};
use crate::model::time::Timestamp;
use crate::plan::Plan;
use crate::ports::Clock;
use crate::providers::simulated::Scenario;
use crate::runtime::{Runtime, SystemClock};

/// How a simulation runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Simulated<'a> {
    /// What goes wrong.
    pub scenario: Option<&'a Path>,
    /// How fast.
    pub speed: Speed,
    /// Its seed.
    pub seed: Option<u64>,
}

impl Simulated<'_> {
    /// Makes the runtime, and notes what it takes to make it again.
    ///
    /// # Errors
    /// When the scenario or the estate cannot be used.
    pub(crate) fn runtime(
        self,
        session: &Session,
        plan: &Plan,
        notes: &mut BTreeMap<String, String>,
    ) -> Result<Runtime, Error> {
        let text = self.scenario.map(runbook::read).transpose()?;
        let start = SystemClock::real().now();
        let key = format!("{}-{}", plan.runbook.name, start.as_millis());
        notes.insert("speed".to_owned(), self.speed.to_string());
        notes.insert("estate".to_owned(), key);
        if let Some(text) = &text {
            notes.insert("scenario".to_owned(), text.clone());
        }
        if let Some(seed) = self.seed {
            notes.insert("seed".to_owned(), seed.to_string());
        }
        simulated_runtime(session, plan, notes, start)
    }
}

/// Makes the runtime of a simulated run from what its notes say; the same when it starts and when it is
/// resumed.
///
/// # Errors
/// When the scenario or the estate cannot be used.
pub(crate) fn simulated_runtime(
    session: &Session,
    plan: &Plan,
    notes: &BTreeMap<String, String>,
    start: Timestamp,
) -> Result<Runtime, Error> {
    let mut scenario = match notes.get("scenario") {
        Some(text) => Scenario::parse(text).map_err(|error| {
            Error::new(exit::INVALID, format!("scenario: {error}")).reason("invalid_scenario")
        })?,
        None => Scenario::healthy(),
    };
    if let Some(seed) = notes.get("seed").and_then(|seed| seed.parse().ok()) {
        scenario.seed = seed;
    }
    let speed = notes.get("speed").and_then(|speed| speed.parse().ok()).unwrap_or(Speed::Max);
    let key = notes.get("estate").map_or("estate", String::as_str);
    let estate = app::estate_path(&session.config, key);
    let simulation = Simulation { plan, scenario, speed, estate, start };
    app::simulated_runtime(&session.config, session.journal.clone(), simulation)
        .map_err(|error| Error::new(exit::UNREACHABLE, error.to_string()))
}
