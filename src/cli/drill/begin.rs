//! `drctl drill RUNBOOK`: starts a drill and follows it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::app::Speed;
use crate::app::launch::afar::BegunAfar;
use crate::app::launch::drill::{self, WantedDrill};
use crate::app::launch::estate::Simulated;
use crate::app::launch::source::{self, Source};
use crate::app::launch::{self, Began};
use crate::cli::binding::BindingFlags;
use crate::cli::consents::ConsentFlags;
use crate::cli::follow::{self, Followed};
use crate::cli::output::Terminal;
use crate::cli::session::{self, Session};
use crate::cli::{Error, Global, check, exit, runs};
use crate::config::JournalPlace;
use crate::engine;
use crate::model::drill::DrillLevel;
use crate::model::id::RunId;
use crate::model::run::{Intent, Operation};
use crate::runtime;

/// Arguments of a start.
#[derive(Debug, Clone, Args)]
pub(crate) struct Begin {
    #[command(flatten)]
    binding: BindingFlags,
    /// How far it goes: check, simulate, isolated, live; default: as the runbook says, else simulate.
    #[arg(long)]
    level: Option<DrillLevel>,
    /// failover or switchover; default: as the runbook says, else failover.
    #[arg(long)]
    operation: Option<Operation>,
    /// Why; required for a drill with real effects.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    consents: ConsentFlags,
    /// What goes wrong in a simulated drill.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// How fast a simulated drill runs: 1x, 60x, max.
    #[arg(long, default_value = "max")]
    speed: Speed,
    /// Seed of a simulated drill.
    #[arg(long)]
    seed: Option<u64>,
    /// The same key starts a drill once.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the drill cannot be planned, a guard is red, or the journal refuses.
pub(super) fn run(global: &Global, arguments: &Begin) -> Result<u8, Error> {
    let config = session::config(global)?;
    let wanted = arguments.wanted()?;
    if matches!(config.journal, JournalPlace::Server(_)) {
        return afar(global, &wanted);
    }
    let source = source::bound(&config, &wanted.binding, &Terminal)?;
    drill::reason(wanted.choices().level(&source.runbook), arguments.reason.clone())?;
    let session = Session::open(global)?;
    session::block_on(start(global, &session, &wanted, &source))
}

/// Has a server start the drill, and follows it there.
fn afar(global: &Global, wanted: &WantedDrill) -> Result<u8, Error> {
    let session = Session::open(global)?;
    session::block_on(async {
        let Some(server) = session.server.clone() else {
            return Err(Error::new(exit::BUG, "there is no server to ask"));
        };
        let BegunAfar { run, new } = launch::afar::drill(&session, &server, wanted).await?;
        if !new {
            return runs::show_existing(global, &session, &run).await;
        }
        let loaded = runtime::load(session.journal.as_ref(), &run).await?;
        if loaded.state.created.intent == Intent::Check {
            let (plan, state) = follow::wait_afar(&session, &server, &run).await?;
            return check::report_of(global, &plan, &state);
        }
        let code = follow::drive_afar(global, &session, &server, &run, (Followed::default(), true)).await?;
        unless_red(&session, &run).await.map(|()| code)
    })
}

impl Begin {
    fn wanted(&self) -> Result<WantedDrill, Error> {
        let scenario = self.scenario.as_deref().map(source::read).transpose()?;
        Ok(WantedDrill {
            binding: self.binding.binding()?,
            level: self.level,
            operation: self.operation,
            reason: self.reason.clone(),
            trigger: "cli".to_owned(),
            consents: self.consents.consents(),
            simulated: Simulated { scenario, speed: self.speed, seed: self.seed },
            idempotency_key: self.idempotency_key.clone(),
            notes: BTreeMap::from([("command".to_owned(), "drill".to_owned())]),
        })
    }
}

async fn start(
    global: &Global,
    session: &Session,
    wanted: &WantedDrill,
    source: &Source,
) -> Result<u8, Error> {
    let driver = match drill::start(session, wanted, source).await? {
        Began::Before(run) => return runs::show_existing(global, session, &run).await,
        Began::New(driver) => *driver,
    };
    let created = &driver.state().created;
    let run = created.run.clone();
    if created.intent == Intent::Check {
        return check::report(global, driver).await;
    }
    let code = follow::drive(global, session, driver, Followed::default()).await?;
    unless_red(session, &run).await.map(|()| code)
}

/// Says so when a guard has kept a drill from being begun.
async fn unless_red(session: &Session, run: &RunId) -> Result<(), Error> {
    let loaded = runtime::load(session.journal.as_ref(), run).await?;
    if let Some(why) = engine::drill::red_guard(&loaded.plan, &loaded.state) {
        return Err(Error::new(exit::REFUSED, format!("the drill was not begun: {why}"))
            .help("drill again when the guard is green")
            .reason("guard_red"));
    }
    Ok(())
}
