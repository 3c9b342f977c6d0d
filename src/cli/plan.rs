//! `drctl plan`: shows what an operation would do. Starts nothing, and never makes a journal.

use std::collections::BTreeMap;
use std::path::Path;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::binding::BindingFlags;
use super::output::Terminal;
use super::session::{self, Session};
use super::{Error, Format, Global, exit, iam, output};
use crate::app::launch::shelf::{Records, Shelf};
use crate::app::launch::source::{self, Source, Subject};
use crate::app::launch::{Binding, drill, planned, policy, route};
use crate::config::Config;
use crate::engine::service::ServiceRecord;
use crate::journal::OpenMode;
use crate::model::drill::DrillLevel;
use crate::model::id::ServiceName;
use crate::model::run::{Intent, Operation};
use crate::plan::{self, Choices, DrillChoices, Plan, PlanIndex};

/// Arguments of `plan`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    binding: BindingFlags,
    /// failover, switchover or failback.
    #[arg(long, default_value = "failover")]
    operation: Operation,
    /// Plan a simulated run: from and to are those of the runbook, whatever the service record says.
    #[arg(long)]
    simulate: bool,
    /// Plan a drill of this level: check, simulate, isolated, live.
    #[arg(long, value_name = "LEVEL", conflicts_with_all = ["simulate", "expand"])]
    drill: Option<DrillLevel>,
    /// Draw a table or a Mermaid chart.
    #[arg(long, value_enum, default_value = "text", conflicts_with = "manual")]
    format: Drawing,
    /// The runbook with every step its components stand for, as YAML that compiles to the same plan.
    #[arg(long, conflicts_with_all = ["format", "manual"])]
    expand: bool,
    /// The same recovery by hand, for when drctl itself cannot.
    #[arg(long)]
    manual: bool,
    /// The IAM policy the operation needs and no more, as JSON; of one account where it works in several.
    #[arg(long, value_name = "ACCOUNT", num_args = 0..=1, default_missing_value = "")]
    #[arg(conflicts_with_all = ["format", "manual"])]
    iam: Option<String>,
}

/// How a plan is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// A table.
    Text,
    /// A Mermaid flow chart.
    Mermaid,
}

/// Runs the command.
///
/// # Errors
/// When the runbook does not compile or cannot be planned.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let (config, _borrowed) = session::config_and_runbooks(global)?;
    let binding = &arguments.binding.binding()?;
    let plan = match source::subject(&config, binding, &Terminal)? {
        Subject::One(source) if arguments.expand => return expand(global, &source.runbook),
        Subject::Fleet(source) if arguments.expand => return expand(global, &source.roster),
        Subject::One(source) if arguments.drill.is_some() => {
            of_drill(global, &config, (arguments, binding), &source)?
        }
        Subject::One(source) => {
            let how = (binding, arguments.operation, arguments.simulate);
            let choices = choices(global, &config, how, &source)?;
            let plan = bind(&source, &choices)?;
            if let Some(rules) = policy::load(config.policy.as_deref(), &config.lints, &Terminal)? {
                rules.say_to_plan(&source, &plan, &Terminal);
            }
            if plan::begun(&plan).is_empty() {
                plan
            } else {
                let shelf = Shelf::of(&config, &source.path)?;
                let records = all_recorded(global, &config, &shelf, &plan);
                let again =
                    || planned::bind(&source, &Choices { intent: Intent::Simulate, ..choices.clone() });
                nested(&shelf, &source.path, plan, &records, again)?
            }
        }
        Subject::Fleet(source) => {
            let intent = if arguments.simulate { Intent::Simulate } else { Intent::Real };
            let of = |intent| planned::fleet_plan(&source, binding, arguments.operation, intent);
            let plan = of(intent)?;
            let records = all_recorded(global, &config, &source.shelf, &plan);
            nested(&source.shelf, &source.path, plan, &records, || of(Intent::Simulate))?
        }
    };
    if let Some(account) = &arguments.iam {
        iam::print(&config, global.output, &plan, account)?;
        return Ok(exit::SUCCESS);
    }
    let index = index(&plan)?;
    if global.output != Format::Text {
        output::print(global.output, &plan, String::new)?;
    } else if arguments.manual {
        output::line(plan::render::manual(&plan).trim_end())?;
    } else {
        let drawn = match arguments.format {
            Drawing::Text => plan::render::text(&plan, &index),
            Drawing::Mermaid => plan::render::mermaid(&plan, &index),
        };
        output::line(drawn.trim_end())?;
    }
    Ok(exit::SUCCESS)
}

/// The plan of a drill.
fn of_drill(
    global: &Global,
    config: &Config,
    (arguments, binding): (&Arguments, &Binding),
    source: &Source,
) -> Result<Plan, Error> {
    let wanted = DrillChoices {
        level: arguments.drill,
        operation: Some(arguments.operation).filter(|operation| *operation != Operation::Failover),
        mode: binding.mode,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    let record = match arguments.drill {
        Some(DrillLevel::Simulate) => ServiceRecord::default(),
        _ => recorded(global, config, &source.runbook.metadata.name),
    };
    Ok(drill::bound(source, binding, &wanted, &record)?.1)
}

/// Prints a runbook or the members of a fleet as the compiler sees them.
fn expand(global: &Global, what: &impl Serialize) -> Result<u8, Error> {
    let format = if global.output == Format::Text { Format::Yaml } else { global.output };
    output::print(format, what, String::new)?;
    Ok(exit::SUCCESS)
}

/// Derives what drawing a plan needs.
///
/// # Errors
/// When the plan is not sound, which is a bug of the planner.
pub(crate) fn index(plan: &Plan) -> Result<PlanIndex, Error> {
    PlanIndex::new(plan).map_err(|error| Error::new(exit::BUG, format!("the plan is not sound: {error}")))
}

/// What a plan for reading is bound to: what was typed, the operation, and whether it is of a simulated run.
///
/// # Errors
/// When a value that was typed cannot be used.
pub(crate) fn choices(
    global: &Global,
    config: &Config,
    (binding, operation, simulate): (&Binding, Operation, bool),
    source: &Source,
) -> Result<Choices, Error> {
    let intent = if simulate { Intent::Simulate } else { Intent::Real };
    let record = if simulate {
        ServiceRecord::default()
    } else {
        recorded(global, config, &source.runbook.metadata.name)
    };
    let of = |record: &ServiceRecord| route::choices(binding, operation, intent, &source.runbook, record);
    match of(&record) {
        // A plan is for reading: what a start would refuse is said, and the plan is shown all the same.
        Err(refused) if refused.code == exit::REFUSED => {
            let record = ServiceRecord::default();
            let runbook = &source.runbook;
            let choices = route::wanted(binding, operation, intent, runbook, &record);
            output::say(&format!("note: this would be refused now: {}", refused.message));
            Ok(choices)
        }
        other => other,
    }
}

/// The service record, where there is a journal that can be read. Looking at a plan needs none.
pub(crate) fn recorded(global: &Global, config: &Config, service: &ServiceName) -> ServiceRecord {
    if !session::has_journal(config) {
        return ServiceRecord::default();
    }
    let read = Session::open_as(global, OpenMode::ReadOnly).and_then(|session| {
        session::block_on(async {
            Ok(crate::runtime::service_record(session.journal.as_ref(), service).await?)
        })
    });
    read.unwrap_or_else(|error| {
        output::say(&format!(
            "note: where {service} runs now is not known ({}); from and to are those of the runbook",
            error.message
        ));
        ServiceRecord::default()
    })
}

/// Where the services of the runs inside a plan are, where there is a journal that can be read.
pub(crate) fn all_recorded(global: &Global, config: &Config, shelf: &Shelf, plan: &Plan) -> Records {
    if !session::has_journal(config) {
        return Records::new();
    }
    let read = Session::open_as(global, OpenMode::ReadOnly)
        .and_then(|session| session::block_on(async { shelf.records(&session, plan).await }));
    read.unwrap_or_else(|error| {
        output::say(&format!("note: where the services run now is not known ({})", error.message));
        Records::new()
    })
}

/// Plans the runs inside a plan. A plan is for reading: what a start would refuse now is said, and where a
/// real run is not possible yet, the plan is that of a simulation, made by `again`.
///
/// # Errors
/// When one of them cannot be planned either way.
fn nested(
    shelf: &Shelf,
    path: &Path,
    plan: Plan,
    records: &Records,
    again: impl Fn() -> Result<Plan, Error>,
) -> Result<Plan, Error> {
    let is_real = plan.intent == Intent::Real;
    let refused = match shelf.nest(path, plan.clone(), records) {
        Ok((plan, _)) => return Ok(plan),
        Err(refused) if !is_real => return Err(refused),
        Err(refused) => refused,
    };
    if !records.is_empty()
        && let Ok((plan, _)) = shelf.nest(path, plan, &Records::new())
    {
        output::say("note: this would be refused now:");
        say_all(&refused);
        return Ok(plan);
    }
    let Ok((plan, _)) = again().and_then(|plan| shelf.nest(path, plan, &Records::new())) else {
        return Err(refused);
    };
    output::say("note: planned as a simulation; a real run is not possible yet:");
    say_all(&refused);
    Ok(plan)
}

/// Everything that is wrong, each on a line of its own.
pub(crate) fn say_all(error: &Error) {
    if error.details.is_empty() {
        output::say(&format!("  {}", error.message));
    }
    for problem in &error.details {
        output::say(&format!("  {}", problem.what));
    }
}

/// Binds a runbook; where only adapters are missing for a real run, as a simulation, which is said.
///
/// # Errors
/// When it cannot be bound either way.
pub(crate) fn bind(source: &Source, choices: &Choices) -> Result<Plan, Error> {
    let problems = match plan::bind(&source.runbook, choices) {
        Ok(plan) => return Ok(plan),
        Err(problems) => problems,
    };
    let simulated = Choices { intent: Intent::Simulate, ..choices.clone() };
    match plan::bind(&source.runbook, &simulated) {
        Ok(plan) if choices.intent == Intent::Real => {
            output::say("note: planned as a simulation; a real run is not possible yet:");
            for problem in problems {
                output::say(&format!("  {}", problem.what));
            }
            Ok(plan)
        }
        Ok(_) | Err(_) => planned::bind(source, choices),
    }
}
