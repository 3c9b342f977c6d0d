//! Composition root: turns a configuration into a journal, providers and a runtime. The only place that
//! knows all adapters.

mod about;
mod beside;
mod borrowed;
mod copy;
mod error;
pub mod exit;
pub(crate) mod findings;
mod forecast;
mod history;
pub(crate) mod keeper;
pub(crate) mod launch;
mod notify;
pub(crate) mod report;
pub(crate) mod services;
mod session;
mod standing;
pub(crate) mod status;
mod telemetry;
mod triggers;
pub(crate) mod view;

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{self, Config, JournalPlace, ServerPlace, Token};
use crate::journal::remote::Access;
use crate::journal::{HolderFacts, MemoryJournal, OpenMode, RemoteJournal, SqliteJournal};
use crate::model::id::RunId;
use crate::plan::{Node, NodeKind};
use crate::ports::{IdSource, IdentityProvider, Journal, JournalAdmin, JournalError, Provider, SecretSource};
use crate::providers::command::CommandProvider;
use crate::providers::http::HttpProvider;
use crate::providers::identity::HttpIdentityProvider;
use crate::providers::postgres::PostgresProvider;
use crate::providers::secret::Secrets;
use crate::providers::simulated::{EstateStore, Scenario, SimulatedProvider};
use crate::providers::{ProgramRunner, Router};
use crate::runtime::{Runtime, SimulatedOperator, SystemClock, Time, VirtualClock};

pub use about::About;
pub use beside::Beside;
pub use borrowed::{Borrowed, borrow};
pub use copy::{Copied, CopyError, backup, commit_times, copy, copy_to_database, copy_to_file, driven};
pub use error::Error;
pub use forecast::conditions;
pub use history::{History, LOADED, history, newest};
pub use notify::{configured_targets, outbox, reach};
pub use session::{Session, Voice, has_journal, new_journal, now, reason};
pub use standing::{Listed, Standing, Subject, exercise_findings, home, standing};
pub use telemetry::{Counted, follow, holder};
pub use triggers::{Hooks, hooks, source_of, watches, webhook_problem};

/// Opens the journal of a configuration.
///
/// # Errors
/// When it cannot be opened, is damaged, or was written by a newer drctl.
pub fn open_journal(config: &Config, mode: OpenMode) -> Result<Arc<dyn JournalAdmin>, JournalError> {
    let facts = HolderFacts { name: config.user.clone(), host: host_name() };
    Ok(match &config.journal {
        JournalPlace::Sqlite(path) => Arc::new(SqliteJournal::open(path, facts, mode)?),
        JournalPlace::Memory => Arc::new(MemoryJournal::new()),
        JournalPlace::Postgres(url) => copy::open_postgres(url, facts, mode)?,
        JournalPlace::Server(place) => Arc::new(open_remote(place)?),
    })
}

/// How identity providers are reached.
#[must_use]
pub fn identity_provider() -> Arc<dyn IdentityProvider> {
    // Every HTTP client needs one; an error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Arc::new(HttpIdentityProvider::default())
}

/// Makes ready to speak to a server.
fn open_remote(place: &ServerPlace) -> Result<RemoteJournal, JournalError> {
    // Every HTTP client needs one; an error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let token = place.token.as_ref().map(Token::secret);
    let access = Access { url: &place.url, token, ca_file: place.ca_file.as_deref() };
    RemoteJournal::open(&access).map_err(|refusal| JournalError::Afar(Box::new(refusal)))
}

/// Name of this machine.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Makes the runtime that acts on real systems.
///
/// # Errors
/// When a provider cannot be set up.
pub fn real_runtime(config: &Config, journal: Arc<dyn Journal>) -> anyhow::Result<Runtime> {
    real_runtime_with(config, journal, None)
}

/// As [`real_runtime`], getting into accounts another way than real runs do.
///
/// # Errors
/// When a provider cannot be set up.
pub fn real_runtime_with(
    config: &Config,
    journal: Arc<dyn Journal>,
    credentials: Option<&config::AwsCredentials>,
) -> anyhow::Result<Runtime> {
    // Every HTTP client needs one; an error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runs = config.state.join("runs");
    let postgres = PostgresProvider::new(ProgramRunner::new(runs.clone()));
    let command = CommandProvider::new(runs, std::env::current_exe()?);
    let traces = command.place();
    let router = with_aws(Router::new(command, HttpProvider::new(), postgres), &config.aws, credentials);
    let runtime = runtime(config, journal, Arc::new(router), Time::System(SystemClock::real()), None);
    Ok(Runtime { traces, ..runtime })
}

#[cfg(feature = "aws-base")]
fn with_aws(
    router: Router,
    configured: &config::AwsSection,
    other: Option<&config::AwsCredentials>,
) -> Router {
    use crate::providers::aws::{Access, AwsProvider, Settings};
    let access = |account: &config::AwsAccount| Access {
        profile: account.profile.clone(),
        role_arn: account.role_arn.clone(),
        external_id: account.external_id.clone(),
        session_name: account.session_name.clone(),
        web_identity_token_file: account.web_identity_token_file.clone(),
    };
    let (profile, accounts) = match other {
        Some(other) => (&other.profile, &other.accounts),
        None => (&configured.profile, &configured.accounts),
    };
    let settings = Settings {
        profile: profile.clone(),
        only_named: other.is_some(),
        endpoint: configured.endpoint_url.clone(),
        endpoints: configured.endpoints.clone(),
        sts_region: configured.sts_region.clone(),
        accounts: accounts.iter().map(|(id, account)| (id.clone(), access(account))).collect(),
        route53_requests_per_second: configured.route53_requests_per_second,
        keys: None,
    };
    router.with_aws(Arc::new(AwsProvider::new(settings, Arc::new(SystemClock::real()))))
}

#[cfg(not(feature = "aws-base"))]
fn with_aws(router: Router, _: &config::AwsSection, _: Option<&config::AwsCredentials>) -> Router {
    router
}

/// How fast a simulation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// This many times as fast as real time.
    Times(u32),
    /// As fast as possible, in virtual time.
    Max,
}

impl std::str::FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is not a speed: use 1x, 60x or max");
        if text == "max" {
            return Ok(Self::Max);
        }
        let factor: u32 = text.strip_suffix('x').unwrap_or(text).parse().map_err(|_| invalid())?;
        if factor == 0 { Err(invalid()) } else { Ok(Self::Times(factor)) }
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Times(factor) => write!(f, "{factor}x"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// Makes the runtime that acts on a simulated estate, which is kept in a file so that a killed simulation
/// can go on.
///
/// # Errors
/// When the estate cannot be read.
pub fn simulated_runtime(
    config: &Config,
    journal: Arc<dyn Journal>,
    simulation: Simulation<'_>,
) -> anyhow::Result<Runtime> {
    let Simulation { plan, scenario, speed, estate, start } = simulation;
    let time = match speed {
        Speed::Max => Time::Virtual(VirtualClock::starting_at(start)),
        Speed::Times(factor) => Time::System(SystemClock::faster_from(start, factor)),
    };
    let operator = SimulatedOperator { approval_delay: scenario.approval_delay() };
    if let Some(folder) = estate.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // The estimate of a check is that of all its looks and the pauses between them; one look is short.
    let looks = |node: &&Node| !matches!(node.kind, NodeKind::Check { .. });
    let estimates =
        plan.nodes.iter().filter(looks).map(|node| (node.address.clone(), node.estimate)).collect();
    let provider = SimulatedProvider::new(
        plan.sites.clone(),
        plan.from.clone(),
        plan.to.clone(),
        scenario,
        EstateStore::open(estate)?,
        time.clock(),
    )
    .with_estimates(estimates);
    Ok(runtime(config, journal, Arc::new(provider), time, Some(operator)))
}

/// What a simulation is made of.
pub struct Simulation<'a> {
    /// The plan that is simulated.
    pub plan: &'a crate::plan::Plan,
    /// What goes wrong.
    pub scenario: Scenario,
    /// How fast.
    pub speed: Speed,
    /// Where the estate is kept.
    pub estate: PathBuf,
    /// Time at which its clock begins.
    pub start: crate::model::time::Timestamp,
}

/// Where the estate of a simulated run is kept.
#[must_use]
pub fn estate_path(config: &Config, key: &str) -> PathBuf {
    config.state.join("simulations").join(format!("{key}.json"))
}

fn runtime(
    config: &Config,
    journal: Arc<dyn Journal>,
    provider: Arc<dyn Provider>,
    time: Time,
    operator: Option<SimulatedOperator>,
) -> Runtime {
    let secrets: Arc<dyn SecretSource> = Arc::new(Secrets::new(config::environment));
    let ids: Arc<dyn IdSource> = Arc::new(RandomIds);
    let holder = holder(config);
    Runtime { journal, provider, time, secrets, ids, holder, host: host_name(), traces: None, operator }
}

/// Ids from the operating system's random source.
#[derive(Debug)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn suffix(&self) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut bytes = [0_u8; 8];
        if getrandom::fill(&mut bytes).is_err() {
            // Without randomness uniqueness still matters more than chance: the journal refuses a second
            // run of a name.
            bytes = u64::from(std::process::id()).to_be_bytes();
        }
        bytes
            .iter()
            .filter_map(|byte| LETTERS.get(usize::from(byte % 32)))
            .map(|letter| char::from(*letter))
            .collect()
    }
}

/// Id of the run a text names: `latest`, a whole id, or a unique beginning of one. `latest` is never a run
/// that another one began.
///
/// # Errors
/// When nothing or more than one run fits, or the text is empty. Where something is changed, `latest` is
/// refused while several runs are open.
pub async fn find_run(journal: &dyn Journal, text: &str, changes: bool) -> Result<RunId, FindRunError> {
    use crate::ports::RunFilter;
    // Every id begins with nothing: the only run there is would be taken for the one that was meant.
    if text.trim().is_empty() {
        return Err(FindRunError::Empty);
    }
    if text == "latest" {
        let newest = journal.runs(&RunFilter { limit: 1, outermost: true, ..RunFilter::default() }).await?;
        let newest = newest.into_iter().next().ok_or_else(|| FindRunError::None("latest".to_owned()))?;
        if changes {
            let filter = RunFilter { open: true, outermost: true, ..RunFilter::default() };
            let open = journal.runs(&filter).await?;
            if open.len() > 1 {
                return Err(FindRunError::Several(open.into_iter().map(|run| run.run.to_string()).collect()));
            }
            return Ok(open.into_iter().next().unwrap_or(newest).run);
        }
        return Ok(newest.run);
    }
    let filter = RunFilter { prefix: Some(text.to_owned()), simulated: true, ..RunFilter::default() };
    let mut found = journal.runs(&filter).await?;
    if let Some(exact) = found.iter().position(|run| run.run.as_str() == text) {
        return Ok(found.swap_remove(exact).run);
    }
    match found.len() {
        0 => Err(FindRunError::None(text.to_owned())),
        1 => Ok(found.swap_remove(0).run),
        _ => Err(FindRunError::Several(found.into_iter().map(|run| run.run.to_string()).collect())),
    }
}

/// Why a text names no run.
#[derive(Debug, thiserror::Error)]
pub enum FindRunError {
    /// The text is empty.
    #[error("the name of the run is empty")]
    Empty,
    /// Nothing fits.
    #[error("no run is called `{0}`")]
    None(String),
    /// More than one fits.
    #[error("several runs fit, name one: {}", .0.join(", "))]
    Several(Vec<String>),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}
