//! `drctl failover`, `switchover`, `failback`: binds a runbook, starts a run and follows it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

pub(crate) use super::consents::ConsentFlags;
use super::estate::Simulated;
pub(crate) use super::estate::simulated_runtime;
use super::follow::{self, Followed};
use super::policy::{self, Manner};
use super::runbook::{self, Binding, FleetSource, Source, Subject};
use super::session::{self, Session};
use super::shelf::Shelf;
use super::takeover::{self, DrillFate, Interrupted};
use super::{Error, Global, exit, output, route, unfilled, warnings};
use crate::app::{self, Speed};
use crate::compile::Code;
use crate::engine::service::ServiceRecord;
use crate::model::id::{NodeAddress, RunId, ServiceName, SiteName};
use crate::model::run::{Intent, Mode, Operation};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{self, Choices, FleetChoices, Nested, Plan};
use crate::ports::{Clock, JournalError, RunFilter};
use crate::runtime::{self, NewRun, SystemClock};

/// How long a staged run waits to be started.
const STAGED_FOR: Duration = Duration::from_secs(4 * 3600);
/// How often a run is planned while others keep moving its service.
const PLANS: u32 = 3;

/// Arguments of the three operations.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Arguments {
    #[command(flatten)]
    binding: Binding,
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
    if arguments.detach {
        return super::detach::run(global, arguments.idempotency_key.as_deref());
    }
    let config = session::config(global)?;
    let source = runbook::subject(&config, &arguments.binding)?;
    let new = session::new_journal(&config).filter(|_| !arguments.simulate);
    let (session, broken_glass) = open(global, arguments.break_glass)?;
    if let Some(path) = new.filter(|_| broken_glass.is_none()) {
        output::say(&format!(
            "\x1b[33mthe journal {} is new\x1b[0m: where services run and which are locked is not known to it",
            path.display()
        ));
    }
    let glass = broken_glass.as_ref();
    session::block_on(start(global, &session, operation, arguments, &source, glass))
}

impl Manner {
    const fn of(arguments: &Arguments) -> Self {
        Self { stage: arguments.stage, break_glass: arguments.break_glass }
    }
}

/// A journal of its own, because the configured one cannot be used.
struct BrokenGlass {
    why: String,
    journal: PathBuf,
}

fn open(global: &Global, break_glass: bool) -> Result<(Session, Option<BrokenGlass>), Error> {
    match Session::open(global) {
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
            Ok((Session::open(&fresh)?, Some(BrokenGlass { why: error.message, journal: path })))
        }
        Err(error) => Err(error),
    }
}

/// Plans and starts; when somebody moved the service in between, plans again by where it is now.
async fn start(
    global: &Global,
    session: &Session,
    operation: Operation,
    arguments: &Arguments,
    subject: &Subject,
    broken_glass: Option<&BrokenGlass>,
) -> Result<u8, Error> {
    for _ in 1..PLANS {
        match start_once(global, session, operation, arguments, subject, broken_glass).await {
            Err(error) if error.reason == Some("service_changed") => {
                output::say("the service was moved while this run was planned: planning it again");
            }
            ended => return ended,
        }
    }
    start_once(global, session, operation, arguments, subject, broken_glass).await
}

async fn start_once(
    global: &Global,
    session: &Session,
    operation: Operation,
    arguments: &Arguments,
    subject: &Subject,
    broken_glass: Option<&BrokenGlass>,
) -> Result<u8, Error> {
    // Asked first: after the run of the first start the service is where the second one would move it.
    if let Some(run) = started_before(session, arguments.idempotency_key.as_deref()).await? {
        return super::runs::show_existing(global, session, &run).await;
    }
    let drills = Drills::of(arguments, subject, broken_glass);
    drills.let_it_be(session).await?;
    let planned = match subject {
        Subject::One(source) => one(session, operation, arguments, source, broken_glass.is_some()).await?,
        Subject::Fleet(source) => fleet(session, operation, arguments, source).await?,
    };
    let Planned { plan, nested, mut new, ruled } = planned;
    if let Some(BrokenGlass { why, journal }) = broken_glass {
        new.notes.insert("break_glass".to_owned(), why.clone());
        new.notes.insert("journal".to_owned(), journal.display().to_string());
    }
    new.notes.extend(ruled);
    let interrupted = drills.interrupt(session, &plan).await?;
    if !interrupted.promoted.is_empty() {
        let list: Vec<_> = interrupted.promoted.iter().map(ToString::to_string).collect();
        new.notes.insert("goes_on_from_drill".to_owned(), list.join(", "));
        new.adopt = true;
    }
    let runtime = if arguments.simulate {
        let scenario = arguments.scenario.as_deref();
        Simulated { scenario, speed: arguments.speed, seed: arguments.seed }.runtime(
            session,
            &plan,
            &mut new.notes,
        )?
    } else {
        app::real_runtime(&session.config, session.journal.clone())
            .map_err(|error| Error::new(exit::BUG, error.to_string()))?
    };
    let driver = match runtime.create_with(plan, new, &nested).await {
        Err(runtime::Error::Journal(JournalError::DuplicateStart { run })) => {
            return super::runs::show_existing(global, session, &run).await;
        }
        other => other?,
    };
    let stay = if arguments.stage { Followed::UntilPerson } else { Followed::default() };
    let code = follow::drive(global, session, driver, stay).await;
    interrupted.settle().await;
    code
}

/// The drills that a start interrupts.
struct Drills<'a> {
    service: Option<&'a ServiceName>,
    fate: DrillFate,
    why: String,
}

impl<'a> Drills<'a> {
    /// A simulation interrupts nothing, nor does a run that waits to be started, or one whose journal knows
    /// of no drills.
    fn of(arguments: &Arguments, subject: &'a Subject, broken_glass: Option<&BrokenGlass>) -> Self {
        let real = !arguments.simulate && !arguments.stage && broken_glass.is_none();
        let service = match subject {
            Subject::One(source) => Some(&source.runbook.metadata.name).filter(|_| real),
            Subject::Fleet(_) => None,
        };
        let why = format!("a real run begins: {}", arguments.reason.as_deref().unwrap_or_default());
        Self { service, fate: arguments.drill, why }
    }

    /// A drill that has moved the service leaves it where it is: that is where the real run wants it, too.
    async fn let_it_be(&self, session: &Session) -> Result<(), Error> {
        let Some(service) = self.service.filter(|_| self.fate != DrillFate::CleanUp) else { return Ok(()) };
        takeover::interrupt(session, service, None, self.fate, &self.why).await?.settle().await;
        Ok(())
    }

    async fn interrupt(&self, session: &Session, plan: &Plan) -> Result<Interrupted, Error> {
        let Some(service) = self.service else { return Ok(Interrupted::default()) };
        takeover::interrupt(session, service, Some(plan), self.fate, &self.why).await
    }
}

/// Starts the real run that a drill is promoted to: the same move, going on from what the drill has done.
///
/// # Errors
/// As [`run`].
pub(crate) fn promoted(
    global: &Global,
    session: &Session,
    source: Source,
    plan: &Plan,
    wanted: Promotion,
) -> Result<u8, Error> {
    let set = plan.parameters.iter().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}={text}")
    });
    let binding = Binding {
        runbook: plan.runbook.name.to_string(),
        mode: Some(wanted.mode.unwrap_or(plan.mode)),
        from: plan.from.clone(),
        to: plan.to.clone(),
        set: set.chain(wanted.set).collect(),
        values: None,
        accept_lint: wanted.accept_lint,
    };
    let arguments = Arguments {
        binding,
        reason: Some(wanted.reason),
        incident_at: wanted.incident_at,
        yes: false,
        consents: wanted.consents,
        stage: false,
        detach: false,
        adopt: true,
        drill: DrillFate::Auto,
        break_glass: false,
        simulate: false,
        scenario: None,
        speed: Speed::Max,
        seed: None,
        idempotency_key: None,
    };
    let subject = Subject::One(Box::new(source));
    session::block_on(start(global, session, plan.operation, &arguments, &subject, None))
}

/// How a drill is promoted.
#[derive(Debug)]
pub(crate) struct Promotion {
    /// Why.
    pub reason: String,
    /// Mode of the real run; default: the drill's.
    pub mode: Option<Mode>,
    /// When the incident began.
    pub incident_at: Option<Timestamp>,
    /// What is accepted before the point of no return.
    pub consents: ConsentFlags,
    /// Values of sensitive parameters, which are not stored.
    pub set: Vec<String>,
    /// Codes of errors that were accepted for the drill.
    pub accept_lint: Vec<Code>,
}

/// A plan that is to be run.
struct Planned {
    plan: Plan,
    /// The plans of the runs inside it.
    nested: Nested,
    new: NewRun,
    /// What the policy said, for the notes of the run.
    ruled: BTreeMap<String, String>,
}

/// Plans a run of one service.
async fn one(
    session: &Session,
    operation: Operation,
    arguments: &Arguments,
    source: &Source,
    broken_glass: bool,
) -> Result<Planned, Error> {
    let (record, head) = if arguments.simulate {
        (ServiceRecord::default(), None)
    } else {
        let (journal, service) = (session.journal.as_ref(), &source.runbook.metadata.name);
        let (record, head) = runtime::service_record_and_head(journal, service).await?;
        (record, Some(head))
    };
    // Behind broken glass nothing is recorded and nothing can be: there a person's word is all there is.
    let route = if broken_glass { route::wanted } else { route::choices };
    let choices = route(&arguments.binding, operation, intent(arguments), &source.runbook, &record)?;
    let mut plan = bind(source, &choices)?;
    if plan.moves_nothing() {
        output::say(&format!(
            "\x1b[33mwarning\x1b[0m: no step is of phase shift, promote or restore: the service record of {} will not move",
            plan.runbook.name
        ));
    }
    refuse_quarantined(&record, &plan)?;
    let (mut nested, mut inside) = (Nested::new(), BTreeMap::new());
    if !plan::begun(&plan).is_empty() {
        let shelf = Shelf::of(&session.config, &source.path)?;
        let records = shelf.records(session, &plan).await?;
        (plan, nested) = shelf.nest(&source.path, plan, &records)?;
        inside = ruled_inside(session, arguments, &shelf, &nested).await?;
    }
    plan.measured = measured(session, &plan).await;
    let mut ruled = policy::ruled(session, source, &plan, Manner::of(arguments)).await?;
    ruled.extend(inside);
    ruled.extend(runbook::accepted_lints(source, &arguments.binding.accept_lint));
    unfilled::refuse(&plan, &nested)?;
    ruled.extend(warnings::noted(&source.findings));
    let declared = source.runbook.parameters.iter();
    let mut values: BTreeMap<_, _> =
        declared.filter_map(|(name, parameter)| Some((name.clone(), parameter.default.clone()?))).collect();
    values.extend(choices.parameters);
    values.retain(|name, _| plan.sensitive.contains_key(name));
    let new =
        NewRun { sensitive: values, service_head: head, ..new_run(session, arguments, &source.text, &plan) };
    Ok(Planned { plan, nested, new, ruled })
}

/// What earlier runs of the service took, for the forecast of this one. Not knowing it stops nothing.
async fn measured(session: &Session, plan: &Plan) -> BTreeMap<NodeAddress, plan::Measured> {
    if plan.intent != Intent::Real {
        return BTreeMap::new();
    }
    match runtime::history(session.journal.as_ref(), &plan.runbook.name).await {
        Ok(history) => history.of(plan),
        Err(error) => {
            output::say(&format!("note: what earlier runs took is not known ({error}); estimates count"));
            BTreeMap::new()
        }
    }
}

/// The policy holds for every run inside a run as if it were started by itself.
async fn ruled_inside(
    session: &Session,
    arguments: &Arguments,
    shelf: &Shelf,
    nested: &Nested,
) -> Result<BTreeMap<String, String>, Error> {
    let mut notes = BTreeMap::new();
    for planned in nested.values() {
        let Some(source) = shelf.source(&planned.plan.runbook.name) else { continue };
        let ruled = policy::ruled(session, source, &planned.plan, Manner::of(arguments)).await?;
        // What was broken is told of each service.
        notes.extend(ruled.into_iter().map(|(note, text)| match note.strip_prefix(policy::OVERRIDE) {
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (format!("{note}_{}", planned.plan.runbook.name), text)
            }
            Some(_) | None => (note, text),
        }));
    }
    Ok(notes)
}

/// Plans a run of many services.
async fn fleet(
    session: &Session,
    operation: Operation,
    arguments: &Arguments,
    source: &FleetSource,
) -> Result<Planned, Error> {
    let plan = fleet_plan(source, &arguments.binding, operation, intent(arguments))?;
    let whole = format!("{}:all", plan.runbook.name);
    if let Some(other) = arguments.consents.confirm.as_ref().filter(|confirmed| **confirmed != whole) {
        return Err(Error::new(
            exit::USAGE,
            format!("--confirm {other} confirms no point of no return here"),
        )
        .help(format!("--confirm {whole} confirms that of every member; without it each is asked for")));
    }
    let records = source.shelf.records(session, &plan).await?;
    let (plan, nested) = source.shelf.nest(&source.path, plan, &records)?;
    let ruled = ruled_inside(session, arguments, &source.shelf, &nested).await?;
    unfilled::refuse(&plan, &nested)?;
    let new = new_run(session, arguments, &source.text, &plan);
    Ok(Planned { plan, nested, new, ruled })
}

/// The plan of a fleet, without those of its members.
///
/// # Errors
/// When it cannot be made, or something was typed that is about one service.
pub(crate) fn fleet_plan(
    source: &FleetSource,
    binding: &Binding,
    operation: Operation,
    intent: Intent,
) -> Result<Plan, Error> {
    refuse_values(binding)?;
    let (from, to) = (binding.from.clone(), binding.to.clone());
    let choices = FleetChoices { operation, mode: binding.mode, intent, from, to };
    plan::bind_fleet(&source.roster, &choices).map_err(|problems| {
        Error::new(exit::INVALID, format!("{} cannot be planned", source.path.display()))
            .reason("invalid_plan")
            .details(problems)
    })
}

/// A fleet takes no values.
///
/// # Errors
/// When some were typed.
pub(crate) fn refuse_values(binding: &Binding) -> Result<(), Error> {
    if binding.set.is_empty() && binding.values.is_none() {
        return Ok(());
    }
    Err(Error::new(exit::USAGE, "a fleet has no parameters of its own")
        .help("write the values of a member under its `with`"))
}

fn intent(arguments: &Arguments) -> Intent {
    if arguments.simulate { Intent::Simulate } else { Intent::Real }
}

/// The run that was started with this key.
async fn started_before(session: &Session, key: Option<&str>) -> Result<Option<RunId>, Error> {
    let Some(key) = key else { return Ok(None) };
    let runs = session.journal.runs(&RunFilter { simulated: true, ..RunFilter::default() }).await?;
    Ok(runs.into_iter().find(|run| run.idempotency_key.as_deref() == Some(key)).map(|run| run.run))
}

/// An old primary may hold writes that were never replicated: it must be rebuilt before the service goes
/// there.
///
/// # Errors
/// When it was not.
pub(crate) fn refuse_quarantined(record: &ServiceRecord, plan: &Plan) -> Result<(), Error> {
    let Some(to) = plan.to.as_ref() else { return Ok(()) };
    let Some(run) = record.quarantined.get(to) else { return Ok(()) };
    if !plan::Protection::of(&plan.nodes).of_target.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        exit::REFUSED,
        format!("{to} is quarantined: run {run} left it, and it was not protected again"),
    )
    .help(format!(
        "rebuild replication towards {to} with a step of phase `reprotect` before the service moves, or say that it was done by hand: \
             drctl service set {} --reprotected {to}",
        plan.runbook.name
    ))
    .reason("quarantined"))
}

/// Binds a runbook; the error names every problem.
///
/// # Errors
/// When it cannot be bound.
pub(crate) fn bind(source: &Source, choices: &Choices) -> Result<Plan, Error> {
    plan::bind(&source.runbook, choices).map_err(|problems| {
        Error::new(exit::INVALID, format!("{} cannot be planned", source.path.display()))
            .reason("invalid_plan")
            .details(problems)
    })
}

fn new_run(session: &Session, arguments: &Arguments, text: &str, plan: &Plan) -> NewRun {
    let mut consents = arguments.consents.consents();
    if arguments.simulate {
        let to = plan.to.as_ref().map_or("all", SiteName::as_str);
        consents.confirm = Some(format!("{}:{to}", plan.runbook.name));
    }
    NewRun {
        runbook: text.to_owned(),
        reason: arguments.reason.clone(),
        started_by: session.identity.clone(),
        trigger: "cli".to_owned(),
        incident_at: arguments.incident_at,
        detected_at: None,
        consents,
        adopt: arguments.adopt,
        staged_for: arguments.stage.then_some(STAGED_FOR),
        idempotency_key: arguments.idempotency_key.clone(),
        service_head: None,
        sensitive: BTreeMap::new(),
        notes: BTreeMap::new(),
    }
}
