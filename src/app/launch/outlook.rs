//! Forecasts an operation from simulated runs, for whoever may not do so without bounds. Starts nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::sync::Semaphore;

use super::members::Members;
use super::planned::{self, fleet_plan};
use super::source::{self, FleetSource, Source, Subject};
use super::{Binding, route, shelf::Shelf};
use crate::app::{self, Error, Session, exit};
use crate::forecast::fleet::FleetReport;
use crate::forecast::{self, Conditions, Question, Report, render};
use crate::model::id::SiteName;
use crate::model::run::{Intent, Operation};
use crate::model::values::Site;
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
pub(crate) enum Outlook {
    /// Of one runbook.
    One(Box<Report>),
    /// Of a fleet.
    Fleet(Box<FleetReport>),
}

impl Outlook {
    /// As `drctl simulate --output json` prints it.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::One(report) => serde_json::to_value(report).unwrap_or_default(),
            Self::Fleet(report) => serde_json::to_value(report).unwrap_or_default(),
        }
    }

    /// As a page that needs nothing else.
    pub(crate) fn html(&self) -> String {
        match self {
            Self::One(report) => render::html(report),
            Self::Fleet(report) => render::fleet_html(report),
        }
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
    match source::named(&session.config, &wanted.binding, session.voice.as_ref())? {
        Subject::One(source) => of_one(session, wanted, &source).await,
        Subject::Fleet(source) => of_fleet(session, wanted, &source).await,
    }
}

async fn of_one(session: &Session, wanted: &Wanted, source: &Source) -> Result<Outlook, Error> {
    let mut plan = bound(session, wanted, source).await?;
    bounded(wanted, plan.nodes.len())?;
    let history = runtime::history(session.journal.as_ref(), &plan.runbook.name).await?;
    plan.measured = history.of(&plan);
    let scenarios = conditions(&wanted.scenarios, &plan)?;
    let (runs, seed) = (wanted.runs, wanted.seed);
    beside(move || {
        let index = plan::PlanIndex::new(&plan).map_err(|error| bug(&error))?;
        let question =
            Question { plan: &plan, index: &index, scenarios: &scenarios, history: &history, runs, seed };
        Ok(Outlook::One(Box::new(forecast::study(&question))))
    })
    .await
}

async fn of_fleet(session: &Session, wanted: &Wanted, source: &FleetSource) -> Result<Outlook, Error> {
    let plan = fleet_plan(source, &wanted.binding, wanted.operation, Intent::Real)?;
    let records = source.shelf.records(session, &plan).await?;
    let (plan, nested) = source.shelf.nest(&source.path, plan, &records)?;
    let members = Members::of(&plan, &nested)?;
    bounded(wanted, members.nodes())?;
    let known = members.histories(session).await?;
    let conditions = members.conditions(&read(&wanted.scenarios, &members.sites())?);
    let of_each = (wanted.runs, wanted.seed);
    beside(move || {
        let report = members.study(&plan, Some(&known), &conditions, of_each)?;
        Ok(Outlook::Fleet(Box::new(report)))
    })
    .await
}

/// Refuses what would keep a processor busy for too long.
fn bounded(wanted: &Wanted, nodes: usize) -> Result<(), Error> {
    let (scenarios, runs) =
        (wanted.scenarios.len().max(1), usize::try_from(wanted.runs).unwrap_or(usize::MAX));
    if nodes.saturating_mul(runs).saturating_mul(scenarios) <= LIVED {
        return Ok(());
    }
    Err(too_much(match LIVED / nodes.max(1) / scenarios {
        0 => format!("this has {nodes} nodes: ask for fewer scenarios"),
        fewer => format!("this has {nodes} nodes: ask for at most {fewer} runs"),
    }))
}

/// Makes a forecast on a thread of its own, one at a time.
async fn beside(live: impl FnOnce() -> Result<Outlook, Error> + Send + 'static) -> Result<Outlook, Error> {
    let busy = "another forecast is being made: ask again in a moment";
    let place = ROOM.try_acquire().map_err(|_| Error::new(exit::HELD, busy).reason("busy"))?;
    let made = tokio::task::spawn_blocking(move || {
        // Held until it is made, whether or not anybody still waits for it.
        let _place = place;
        live()
    });
    made.await.map_err(|error| bug(&error))?
}

fn bug(error: &dyn std::fmt::Display) -> Error {
    Error::new(exit::BUG, format!("the forecast cannot be made: {error}"))
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
    Ok(read(texts, &plan.sites)?.iter().map(|scenario| app::conditions(scenario, plan)).collect())
}

fn read(texts: &[String], sites: &BTreeMap<SiteName, Site>) -> Result<Vec<Scenario>, Error> {
    let one = |(number, text): (usize, &String)| {
        let invalid = |error: &dyn std::fmt::Display| {
            Error::new(exit::INVALID, format!("scenario {number}: {error}")).reason("invalid_scenario")
        };
        let scenario = Scenario::parse(text).map_err(|error| invalid(&error))?;
        scenario.check_sites(sites).map_err(|error| invalid(&error))?;
        Ok(scenario)
    };
    (1..).zip(texts).map(one).collect()
}
