//! `drctl check`: runs the checks a failover would begin with, and changes nothing. Ready or not, and why.

mod begin;
mod fleet;
mod readiness;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use self::begin::created;
use self::readiness::Readiness;
use super::binding::BindingFlags;
use super::output::Terminal;
use super::session::{self, Session};
use super::{Error, Global, exit, output, plan};
use crate::app::launch::planned::{self, checks};
use crate::app::launch::route;
use crate::app::launch::source::{self, Source, Subject};
use crate::engine::service::ServiceRecord;
use crate::engine::{IndexedPlan, RunState};
use crate::model::run::{Intent, Operation};
use crate::plan::Plan;
use crate::runtime::{Driver, Silent, Stop};

/// Arguments of `check`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    binding: BindingFlags,
    /// The operation to be ready for: failover, switchover or failback.
    #[arg(long, default_value = "failover")]
    operation: Operation,
    /// Check on the simulated estate.
    #[arg(long)]
    simulate: bool,
    /// What is wrong in the simulation.
    #[arg(long, value_name = "FILE", requires = "simulate")]
    scenario: Option<PathBuf>,
}

/// Runs the command. A check takes no lock: it may look while a run is under way.
///
/// # Errors
/// When the runbook cannot be planned, a secret cannot be read, or the journal refuses.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let config = session::config(global)?;
    let binding = arguments.binding.binding()?;
    let source = match source::subject(&config, &binding, &Terminal)? {
        Subject::One(source) => source,
        Subject::Fleet(source) => return fleet::run(global, arguments, &binding, &source),
    };
    let name = &source.runbook.metadata.name;
    let record =
        if arguments.simulate { ServiceRecord::default() } else { plan::recorded(global, &config, name) };
    let choices = route::choices(&binding, arguments.operation, Intent::Check, &source.runbook, &record)?;
    let plan = checks(planned::bind(&source, &choices)?, arguments.simulate);
    if plan.nodes.is_empty() {
        output::say(&format!("{name} has no checks to make; give its steps a `precheck`"));
    }
    let sensitive =
        choices.parameters.into_iter().filter(|(name, _)| plan.sensitive.contains_key(name)).collect();
    let session = Session::open(global)?;
    session::block_on(check(global, &session, arguments, &source, plan, sensitive))
}

async fn check(
    global: &Global,
    session: &Session,
    arguments: &Arguments,
    source: &Source,
    plan: Plan,
    sensitive: BTreeMap<String, serde_json::Value>,
) -> Result<u8, Error> {
    report(global, created(session, arguments, source, plan, sensitive).await?).await
}

/// Makes the checks of a run that has nothing else, and says what came of them.
///
/// # Errors
/// When the journal refuses.
pub(crate) async fn report(global: &Global, driver: Driver) -> Result<u8, Error> {
    let (plan, state) = driver.drive(&Silent, Stop::AtPerson).await?;
    report_of(global, &plan, &state)
}

/// Says what came of the checks of a run that has nothing else.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn report_of(global: &Global, plan: &IndexedPlan, state: &RunState) -> Result<u8, Error> {
    let result = Readiness::of(plan, state);
    output::print(global.output, &result, || result.render())?;
    Ok(if result.ready { exit::SUCCESS } else { exit::REFUSED })
}
