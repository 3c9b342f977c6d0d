//! `drctl check`: runs the checks a failover would begin with, and changes nothing. Ready or not, and why.

mod afar;
mod fleet;
mod readiness;

use std::path::PathBuf;

use clap::Args;

use self::readiness::Readiness;
use super::binding::BindingFlags;
use super::output::Terminal;
use super::session::{self, Session};
use super::{Error, Global, exit, output, plan, runs};
use crate::app::launch::Began;
use crate::app::launch::check::{Estate, PlannedCheck, WantedCheck};
use crate::app::launch::source::{self, Source, Subject};
use crate::config::JournalPlace;
use crate::engine::service::ServiceRecord;
use crate::engine::{IndexedPlan, RunState};
use crate::model::run::Operation;
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
    let wanted = arguments.wanted()?;
    if matches!(config.journal, JournalPlace::Server(_)) {
        return afar::run(global, &wanted);
    }
    let source = match source::subject(&config, &wanted.binding, &Terminal)? {
        Subject::One(source) => source,
        Subject::Fleet(source) => return fleet::run(global, &wanted, &source),
    };
    let name = &source.runbook.metadata.name;
    let record =
        if arguments.simulate { ServiceRecord::default() } else { plan::recorded(global, &config, name) };
    let planned = wanted.planned(&source, &record)?;
    if let Some(nothing) = planned.says_nothing() {
        output::say(&nothing);
    }
    let session = Session::open(global)?;
    session::block_on(check(global, &session, &wanted, &source, planned))
}

impl Arguments {
    fn wanted(&self) -> Result<WantedCheck, Error> {
        let scenario = self.scenario.as_deref().map(source::read).transpose()?;
        Ok(WantedCheck {
            binding: self.binding.binding()?,
            operation: self.operation,
            trigger: "cli".to_owned(),
            simulated: self.simulate.then_some(Estate { scenario }),
            idempotency_key: None,
        })
    }
}

async fn check(
    global: &Global,
    session: &Session,
    wanted: &WantedCheck,
    source: &Source,
    planned: PlannedCheck,
) -> Result<u8, Error> {
    match wanted.begin(session, source, planned).await? {
        Began::Before(run) => runs::show_existing(global, session, &run).await,
        Began::New(driver) => report(global, *driver).await,
    }
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
