//! The runtime of a simulated run, from what its notes say: the same when it starts and when it is resumed.

use std::collections::BTreeMap;

use crate::app::{self, Error, Session, Simulation, Speed, exit};
use crate::model::time::Timestamp;
use crate::plan::Plan;
use crate::ports::Clock;
use crate::providers::simulated::Scenario;
use crate::runtime::{Runtime, SystemClock};

/// How a simulation runs.
#[derive(Debug, Clone)]
pub(crate) struct Simulated {
    /// What goes wrong: the text of a scenario; absent: nothing.
    pub scenario: Option<String>,
    /// How fast.
    pub speed: Speed,
    /// Its seed.
    pub seed: Option<u64>,
}

impl Default for Simulated {
    fn default() -> Self {
        Self { scenario: None, speed: Speed::Max, seed: None }
    }
}

/// The runtime of a new run: real, or that of a simulation, which the notes keep.
///
/// # Errors
/// When a provider, the scenario or the estate cannot be used.
pub(crate) fn runtime_for(
    session: &Session,
    plan: &Plan,
    simulated: Option<&Simulated>,
    notes: &mut BTreeMap<String, String>,
) -> Result<Runtime, Error> {
    match simulated {
        Some(simulated) => simulated.runtime(session, plan, notes),
        None => real_runtime(session, credentials_of(plan)),
    }
}

/// The runtime that acts on real systems, with the credentials of that name.
///
/// # Errors
/// When the configuration has none of that name, or a provider cannot be set up.
pub(crate) fn real_runtime(session: &Session, credentials: Option<&str>) -> Result<Runtime, Error> {
    let missing = |name: &str| {
        Error::new(exit::REFUSED, format!("not ready: there are no credentials `{name}` for this drill"))
            .help(format!("add [aws.credentials.{name}] with a `profile` to drctl.toml"))
            .reason("no_drill_credentials")
    };
    let all = &session.config.aws.credentials;
    let own = credentials.map(|name| all.get(name).ok_or_else(|| missing(name))).transpose()?;
    app::real_runtime_with(&session.config, session.journal.clone(), own)
        .map_err(|error| Error::new(exit::BUG, error.to_string()))
}

/// The name of what a plan gets into accounts with, where that is not what real runs do.
pub(crate) fn credentials_of(plan: &Plan) -> Option<&str> {
    plan.drill.as_ref().and_then(|drill| drill.credentials.as_deref())
}

impl Simulated {
    /// Makes the runtime, and notes what it takes to make it again.
    ///
    /// # Errors
    /// When the scenario or the estate cannot be used.
    fn runtime(
        &self,
        session: &Session,
        plan: &Plan,
        notes: &mut BTreeMap<String, String>,
    ) -> Result<Runtime, Error> {
        let start = SystemClock::real().now();
        let key = format!("{}-{}", plan.runbook.name, start.as_millis());
        notes.insert("speed".to_owned(), self.speed.to_string());
        notes.insert("estate".to_owned(), key);
        if let Some(text) = &self.scenario {
            notes.insert("scenario".to_owned(), text.clone());
        }
        if let Some(seed) = self.seed {
            notes.insert("seed".to_owned(), seed.to_string());
        }
        simulated_runtime(session, plan, notes, start)
    }
}

/// Says whether somebody in the simulation answers approvals, by the notes of its run.
pub(crate) fn has_operator(notes: &BTreeMap<String, String>) -> bool {
    let scenario = notes.get("scenario").map(|text| Scenario::parse(text));
    scenario
        .unwrap_or_else(|| Ok(Scenario::healthy()))
        .is_ok_and(|scenario| scenario.approval_delay().is_some())
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
