//! `drctl failover`, `switchover`, `failback`: starts a run of a runbook or fleet and follows it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::binding::BindingFlags;
pub(crate) use super::consents::ConsentFlags;
use super::follow::{self, Followed};
use super::output::Terminal;
use super::session::{self, Session};
use super::{Error, Global, exit, output};
use crate::app::launch::afar::BegunAfar;
use crate::app::launch::estate::Simulated;
use crate::app::launch::interrupt::{DrillFate, Interrupted};
use crate::app::launch::promote::{self, Promotion, WantedPromotion};
use crate::app::launch::source::{self, Subject};
use crate::app::launch::{self, Began, BrokenGlass, STAGED_FOR, Wanted};
use crate::app::{self, Speed};
use crate::config::JournalPlace;
use crate::journal::RemoteJournal;
use crate::model::id::RunId;
use crate::model::run::Operation;
use crate::model::time::Timestamp;
use crate::ports::Clock;
use crate::runtime::SystemClock;

/// Arguments of the three operations.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Arguments {
    #[command(flatten)]
    binding: BindingFlags,
    /// Why; required for a real run.
    #[arg(long)]
    reason: Option<String>,
    /// When the incident began; the recovery clock counts from here.
    #[arg(long, value_name = "TIME")]
    incident_at: Option<Timestamp>,
    /// Answer ordinary prompts with yes. Never the point of no return.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    consents: ConsentFlags,
    /// Record the run and wait for `drctl start`.
    #[arg(long)]
    stage: bool,
    /// Drive the run in a process of its own and return at once.
    #[arg(long)]
    detach: bool,
    /// Observe every step first and mark what is already true.
    #[arg(long)]
    adopt: bool,
    /// What becomes of a drill of the same service that is under way.
    #[arg(long = "drill", value_enum, default_value = "auto", value_name = "FATE")]
    drill: DrillFate,
    /// Go on with a fresh local journal when the configured one cannot be reached, and against a policy that
    /// refuses. Both are recorded.
    #[arg(long)]
    break_glass: bool,
    /// Run on the simulated estate; nothing real is touched.
    #[arg(long)]
    simulate: bool,
    /// What goes wrong in the simulation.
    #[arg(long, value_name = "FILE", requires = "simulate")]
    scenario: Option<PathBuf>,
    /// How fast the simulation runs: 1x, 60x, max.
    #[arg(long, default_value = "max", requires = "simulate")]
    speed: Speed,
    /// Seed of the simulation.
    #[arg(long, requires = "simulate")]
    seed: Option<u64>,
    /// The same key starts a run once.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the runbook, the plan or the journal refuse; the exit code says which.
pub(crate) fn run(global: &Global, operation: Operation, arguments: &Arguments) -> Result<u8, Error> {
    if !arguments.simulate && arguments.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Error::new(exit::USAGE, "a real run needs a reason")
            .help("add --reason \"what happened\"; it stands in the journal and in the report"));
    }
    let config = session::config(global)?;
    if matches!(config.journal, JournalPlace::Server(_)) {
        return afar(global, operation, arguments);
    }
    if arguments.detach {
        return super::detach::run(global, arguments.idempotency_key.as_deref());
    }
    let mut wanted = arguments.wanted(operation)?;
    let subject = source::subject(&config, &wanted.binding, &Terminal)?;
    let new = session::new_journal(&config).filter(|_| !arguments.simulate);
    let (session, broken_glass) = open(global, arguments.break_glass)?;
    if let Some(path) = new.filter(|_| broken_glass.is_none()) {
        output::say(&format!(
            "\x1b[33mthe journal {} is new\x1b[0m: where services run and which are locked is not known to it",
            path.display()
        ));
    }
    wanted.broken_glass = broken_glass;
    session::block_on(start(global, &session, &wanted, &subject))
}

/// Has a server start the run, and follows it there.
fn afar(global: &Global, operation: Operation, arguments: &Arguments) -> Result<u8, Error> {
    let wanted = arguments.wanted(operation)?;
    let session = Session::open(global)?;
    session::block_on(async {
        let Some(server) = session.server.clone() else {
            return Err(Error::new(exit::BUG, "there is no server to ask"));
        };
        let begun = launch::afar::start(&session, &server, &wanted).await?;
        if arguments.detach {
            let run = begun.run;
            output::line(run.as_str())?;
            output::say(&format!("driven at the server; `drctl runs watch {run}` follows it"));
            return Ok(exit::SUCCESS);
        }
        let stay = if wanted.staged_for.is_some() { Followed::UntilPerson } else { Followed::default() };
        followed(global, &session, &server, begun, stay).await
    })
}

/// Follows a run that a server has begun; shows one that was there before.
async fn followed(
    global: &Global,
    session: &Session,
    server: &RemoteJournal,
    BegunAfar { run, new }: BegunAfar,
    stay: Followed,
) -> Result<u8, Error> {
    if !new {
        return super::runs::show_existing(global, session, &run).await;
    }
    follow::drive_afar(global, session, server, &run, (stay, true)).await
}

impl Arguments {
    fn wanted(&self, operation: Operation) -> Result<Wanted, Error> {
        let scenario = self.scenario.as_deref().map(source::read).transpose()?;
        let simulated = Simulated { scenario, speed: self.speed, seed: self.seed };
        Ok(Wanted {
            operation,
            binding: self.binding.binding()?,
            reason: self.reason.clone(),
            trigger: "cli".to_owned(),
            incident_at: self.incident_at,
            detected_at: None,
            consents: self.consents.consents(),
            staged_for: self.stage.then_some(STAGED_FOR),
            adopt: self.adopt,
            drill: self.drill,
            break_glass: self.break_glass,
            broken_glass: None,
            simulated: self.simulate.then_some(simulated),
            idempotency_key: self.idempotency_key.clone(),
            notes: BTreeMap::new(),
        })
    }
}

fn open(global: &Global, break_glass: bool) -> Result<(Session, Option<BrokenGlass>), Error> {
    let opened = Session::open(global).and_then(|session| {
        // One that can be read and not written would keep the run waiting.
        if break_glass {
            let config = session::config(global)?;
            session::block_on(async { Ok(app::commit_times(&config, 1).await?) })?;
        }
        Ok(session)
    });
    match opened {
        Ok(session) => Ok((session, None)),
        Err(error) if break_glass => {
            let config = session::config(global)?;
            let now = SystemClock::real().now().as_millis();
            let path = config.state.join(format!("break-glass-{now}.db"));
            let path = std::path::absolute(&path).unwrap_or(path);
            output::say(&format!(
                "\x1b[1;31mBREAK GLASS\x1b[0m: the journal cannot be used ({}). This run is recorded in {} only: other \
                 operators do not see it, and no lock keeps them from starting another one.",
                error.message,
                path.display()
            ));
            let fresh = Global { journal: Some(format!("sqlite:{}", path.display())), ..global.clone() };
            let broken = BrokenGlass { why: error.message, journal: path.display().to_string() };
            Ok((Session::open(&fresh)?, Some(broken)))
        }
        Err(error) => Err(error),
    }
}

async fn start(global: &Global, session: &Session, wanted: &Wanted, subject: &Subject) -> Result<u8, Error> {
    let mut interrupted = Interrupted::default();
    let code = match launch::start(session, wanted, subject, &mut interrupted).await {
        Ok(Began::Before(run)) => super::runs::show_existing(global, session, &run).await,
        Ok(Began::New(driver)) => {
            let stay = if wanted.staged_for.is_some() { Followed::UntilPerson } else { Followed::default() };
            follow::drive(global, session, *driver, stay).await
        }
        Err(error) => Err(error),
    };
    interrupted.settle(session).await;
    code
}

/// Starts the real run that a drill is promoted to: the same move, going on from what the drill has done.
///
/// # Errors
/// As [`run`].
pub(crate) async fn promoted(
    global: &Global,
    session: &Session,
    drill: &RunId,
    wanted: WantedPromotion,
) -> Result<u8, Error> {
    if let Some(server) = session.server.clone() {
        let begun = launch::afar::promote(session, &server, drill, &wanted).await?;
        return followed(global, session, &server, begun, Followed::default()).await;
    }
    match promote::wanted(session, drill, wanted).await? {
        Promotion::Wanted(wanted, subject) => start(global, session, &wanted, &subject).await,
        Promotion::Before(run) => super::runs::show_existing(global, session, &run).await,
    }
}
