//! Plans a drill of one level, starts it and follows it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::app::{self, Speed};
use crate::cli::consents::ConsentFlags;
use crate::cli::estate::Simulated;
use crate::cli::follow::{self, Followed};
use crate::cli::policy::{self, Manner};
use crate::cli::runbook::{self, Binding, Source};
use crate::cli::session::{self, Session};
use crate::cli::{Error, Global, check, exit, output, route, runs, start, unfilled, warnings};
use crate::engine::drill;
use crate::engine::service::ServiceRecord;
use crate::model::drill::DrillLevel;
use crate::model::id::SiteName;
use crate::model::run::{Intent, Operation};
use crate::plan::{self, DrillChoices, Nested, Plan};
use crate::ports::JournalError;
use crate::runtime::{self, NewRun};

/// Arguments of a start.
#[derive(Debug, Clone, Args)]
pub(crate) struct Begin {
    #[command(flatten)]
    binding: Binding,
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
    let source = runbook::bound(&config, &arguments.binding)?;
    let level = choices_of(arguments).level(&source.runbook);
    let real = matches!(level, DrillLevel::Isolated | DrillLevel::Live);
    if real && arguments.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Error::new(exit::USAGE, format!("a drill of level {level} needs a reason"))
            .help("add --reason \"what is rehearsed\"; it stands in the journal and in the report"));
    }
    let session = Session::open(global)?;
    session::block_on(start(global, &session, arguments, &source, level))
}

fn choices_of(arguments: &Begin) -> DrillChoices {
    DrillChoices {
        level: arguments.level,
        operation: arguments.operation,
        mode: arguments.binding.mode,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters: BTreeMap::new(),
    }
}

/// What is chosen for a drill, given where the service is.
///
/// # Errors
/// As [`route::choices`].
pub(crate) fn planned(
    source: &Source,
    binding: &Binding,
    wanted: &DrillChoices,
    record: &ServiceRecord,
) -> Result<(DrillChoices, Plan), Error> {
    let runbook = &source.runbook;
    let (operation, intent) = (wanted.operation(runbook), wanted.intent(runbook));
    let found = route::choices(binding, operation, intent, runbook, record)?;
    let choices = DrillChoices {
        from: found.from,
        to: found.to,
        unready: found.unready,
        parameters: found.parameters,
        ..wanted.clone()
    };
    let plan = plan::bind_drill(runbook, &choices).map_err(|problems| {
        Error::new(exit::INVALID, format!("no drill of {} can be planned", source.path.display()))
            .reason("invalid_plan")
            .details(problems)
    })?;
    Ok((choices, plan))
}

async fn start(
    global: &Global,
    session: &Session,
    arguments: &Begin,
    source: &Source,
    level: DrillLevel,
) -> Result<u8, Error> {
    let service = &source.runbook.metadata.name;
    let (record, head) = match level {
        DrillLevel::Simulate => (ServiceRecord::default(), None),
        DrillLevel::Check | DrillLevel::Isolated | DrillLevel::Live => {
            let (record, head) = runtime::service_record_and_head(session.journal.as_ref(), service).await?;
            (record, (level == DrillLevel::Live).then_some(head))
        }
    };
    let (choices, plan) = planned(source, &arguments.binding, &choices_of(arguments), &record)?;
    unfilled::refuse(&plan, &Nested::new())?;
    if level == DrillLevel::Live {
        start::refuse_quarantined(&record, &plan)?;
    }
    let declared = source.runbook.parameters.iter();
    let mut sensitive: BTreeMap<_, _> =
        declared.filter_map(|(name, parameter)| Some((name.clone(), parameter.default.clone()?))).collect();
    sensitive.extend(choices.parameters);
    sensitive.retain(|name, _| plan.sensitive.contains_key(name));
    let mut new = new_run(session, arguments, source, &plan);
    (new.sensitive, new.service_head) = (sensitive, head);
    if level == DrillLevel::Check {
        let runtime = app::real_runtime(&session.config, session.journal.clone())
            .map_err(|error| Error::new(exit::BUG, error.to_string()))?;
        let driver = runtime.create(check::prepared(plan, false), new).await?;
        return check::report(global, driver).await;
    }
    new.notes
        .extend(policy::ruled(session, source, &plan, Manner { stage: false, break_glass: false }).await?);
    new.notes.extend(warnings::noted(&source.findings));
    let runtime = if plan.intent == Intent::Simulate {
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
    let driver = match runtime.create(plan, new).await {
        Err(runtime::Error::Journal(JournalError::DuplicateStart { run })) => {
            return runs::show_existing(global, session, &run).await;
        }
        other => other?,
    };
    let run = driver.state().created.run.clone();
    let code = follow::drive(global, session, driver, Followed::default()).await?;
    let loaded = runtime::load(session.journal.as_ref(), &run).await?;
    if let Some(why) = drill::red_guard(&loaded.plan, &loaded.state) {
        return Err(Error::new(exit::REFUSED, format!("the drill was not begun: {why}"))
            .help("drill again when the guard is green")
            .reason("guard_red"));
    }
    Ok(code)
}

fn new_run(session: &Session, arguments: &Begin, source: &Source, plan: &Plan) -> NewRun {
    let mut consents = arguments.consents.consents();
    if plan.intent == Intent::Simulate {
        let to = plan.to.as_ref().map_or("all", SiteName::as_str);
        consents.confirm = Some(format!("{}:{to}", plan.runbook.name));
    }
    let mut notes = runbook::accepted_lints(source, &arguments.binding.accept_lint);
    notes.insert("command".to_owned(), "drill".to_owned());
    let trusted = plan::drill::unenforced(plan);
    if !trusted.is_empty() {
        let list = trusted.join(", ");
        output::say(&format!("the boundary is not enforced for {list}: their author answers for them"));
        notes.insert("boundary_not_enforced".to_owned(), list);
    }
    NewRun {
        runbook: source.text.clone(),
        reason: arguments.reason.clone(),
        started_by: session.identity.clone(),
        trigger: "cli".to_owned(),
        incident_at: None,
        detected_at: None,
        consents,
        adopt: false,
        staged_for: None,
        idempotency_key: arguments.idempotency_key.clone(),
        service_head: None,
        sensitive: BTreeMap::new(),
        notes,
    }
}
