//! Forecasts an operation from simulated runs, for whoever may not do so without bounds. Starts nothing.

use serde_json::Value;
use tokio::sync::Semaphore;

use super::source::{self, Source, Subject};
use super::{Binding, planned, route, shelf::Shelf};
use crate::app::{self, Error, Session, exit};
use crate::forecast::{self, Conditions, Question, Report, render};
use crate::model::run::{Intent, Operation};
use crate::plan::{self, Plan};
use crate::providers::simulated::Scenario;
use crate::runtime;

/// Most runs of one scenario.
const RUNS: u32 = 10_000;
/// Most scenarios of one forecast.
const SCENARIOS: usize = 5;
/// Most nodes that are lived in one forecast, over all runs.
const LIVED: usize = 5_000_000;
/// Forecasts at once: they take a processor each, which runs need as well.
static ROOM: Semaphore = Semaphore::const_new(1);

/// A forecast that is wanted.
pub(crate) struct Wanted {
    /// What is forecast.
    pub binding: Binding,
    /// Which operation.
    pub operation: Operation,
    /// How many runs of each scenario are lived.
    pub runs: u32,
    /// Everything drawn follows from it.
    pub seed: u64,
    /// What goes wrong: texts of scenarios.
    pub scenarios: Vec<String>,
}

/// A forecast.
pub(crate) struct Outlook(Report);

impl Outlook {
    /// As `drctl simulate --output json` prints it.
    pub(crate) fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    /// As a page that needs nothing else.
    pub(crate) fn html(&self) -> String {
        render::html(&self.0)
    }
}

/// Makes a forecast, if no other one is being made.
///
/// # Errors
/// When it would be too much, another one is being made, or the runbook or a scenario cannot be used.
pub(crate) async fn outlook(session: &Session, wanted: &Wanted) -> Result<Outlook, Error> {
    if !(1..=RUNS).contains(&wanted.runs) || wanted.scenarios.len() > SCENARIOS {
        let most = format!("a forecast has 1 to {RUNS} runs and at most {SCENARIOS} scenarios");
        return Err(too_much(most));
    }
    let source = match source::named(&session.config, &wanted.binding, session.voice.as_ref())? {
        Subject::One(source) => source,
        Subject::Fleet(_) => {
            let what = "forecasts of fleets are not made here: ask for those of its members";
            return Err(Error::new(exit::INVALID, what).reason("fleet"));
        }
    };
    let mut plan = bound(session, wanted, &source).await?;
    let (scenarios, runs) =
        (wanted.scenarios.len().max(1), usize::try_from(wanted.runs).unwrap_or(usize::MAX));
    if plan.nodes.len().saturating_mul(runs).saturating_mul(scenarios) > LIVED {
        let fewer = LIVED / plan.nodes.len().max(1) / scenarios;
        return Err(too_much(format!("this plan has {} nodes: ask for {fewer} runs", plan.nodes.len())));
    }
    let history = runtime::history(session.journal.as_ref(), &plan.runbook.name).await?;
    plan.measured = history.of(&plan);
    let scenarios = conditions(&wanted.scenarios, &plan)?;
    let bug = |error: &dyn std::fmt::Display| {
        Error::new(exit::BUG, format!("the forecast cannot be made: {error}"))
    };
    let index = plan::PlanIndex::new(&plan).map_err(|error| bug(&error))?;
    let busy = "another forecast is being made: ask again in a moment";
    let place = ROOM.try_acquire().map_err(|_| Error::new(exit::HELD, busy).reason("busy"))?;
    let (runs, seed) = (wanted.runs, wanted.seed);
    let made = tokio::task::spawn_blocking(move || {
        // Held until it is made, whether or not anybody still waits for it.
        let _place = place;
        let question =
            Question { plan: &plan, index: &index, scenarios: &scenarios, history: &history, runs, seed };
        forecast::study(&question)
    });
    made.await.map(Outlook).map_err(|error| bug(&error))
}

fn too_much(what: String) -> Error {
    Error::new(exit::INVALID, what).reason("too_much")
}

async fn bound(session: &Session, wanted: &Wanted, source: &Source) -> Result<Plan, Error> {
    let record = runtime::service_record(session.journal.as_ref(), &source.runbook.metadata.name).await?;
    let (binding, operation) = (&wanted.binding, wanted.operation);
    let choices = route::choices(binding, operation, Intent::Real, &source.runbook, &record)?;
    let plan = planned::bind(source, &choices)?;
    if plan::begun(&plan).is_empty() {
        return Ok(plan);
    }
    // How long the runs inside take is known from their own plans.
    let shelf = Shelf::of(&session.config, &source.path)?;
    let records = shelf.records(session, &plan).await?;
    Ok(shelf.nest(&source.path, plan, &records)?.0)
}

fn conditions(texts: &[String], plan: &Plan) -> Result<Vec<Conditions>, Error> {
    if texts.is_empty() {
        return Ok(vec![Conditions::healthy(plan.nodes.len())]);
    }
    let read = |(number, text): (usize, &String)| {
        let invalid = |error: &dyn std::fmt::Display| {
            Error::new(exit::INVALID, format!("scenario {number}: {error}")).reason("invalid_scenario")
        };
        let scenario = Scenario::parse(text).map_err(|error| invalid(&error))?;
        scenario.check_sites(&plan.sites).map_err(|error| invalid(&error))?;
        Ok(app::conditions(&scenario, plan))
    };
    (1..).zip(texts).map(read).collect()
}
