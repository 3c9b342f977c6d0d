//! `drctl simulate`: a forecast of an operation from thousands of simulated runs. Starts nothing, and never
//! makes a journal.

mod fleet;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::binding::BindingFlags;
use super::output::Terminal;
use super::session::{self, Session};
use super::{Error, Format, Global, exit, output, plan};
use crate::app;
use crate::app::launch::Binding;
use crate::app::launch::shelf::Shelf;
use crate::app::launch::source::{self, Source, Subject};
use crate::config::Config;
use crate::forecast::{self, Conditions, MOST_RUNS, Question, Report, render};
use crate::journal::OpenMode;
use crate::model::id::SiteName;
use crate::model::run::Operation;
use crate::model::values::Site;
use crate::plan::{History, Plan};
use crate::providers::simulated::Scenario;
use crate::runtime;

/// Arguments of `simulate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    binding: BindingFlags,
    /// failover, switchover or failback.
    #[arg(long, default_value = "failover")]
    operation: Operation,
    /// How many runs of each scenario are lived.
    #[arg(long, default_value = "10000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_RUNS)))]
    runs: u32,
    /// Everything drawn follows from it: the same seed gives the same forecast.
    #[arg(long, default_value = "1")]
    seed: u64,
    /// What goes wrong; may be given several times. Default: nothing does.
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    /// Exit 9 when under any scenario the RTO, or a member's own, is missed more often than this, such as 5%.
    #[arg(long, value_name = "SHARE")]
    max_miss: Option<MaxMiss>,
    /// Draw for a terminal, as a page that stands alone, or as a picture.
    #[arg(long, value_enum, default_value = "text")]
    format: Drawing,
}

/// How a forecast is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// Lines of at most 80 columns.
    Text,
    /// A page that needs nothing else.
    Html,
    /// A picture.
    Svg,
}

/// A share of runs that may miss the objective, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MaxMiss(f64);

impl std::str::FromStr for MaxMiss {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let share = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        let share = share.filter(|share| (0.0..=100.0).contains(share));
        share
            .map(|share| Self(share / 100.0))
            .ok_or_else(|| format!("`{text}` is not a share: write it like 5%"))
    }
}

/// Runs the command.
///
/// # Errors
/// When the runbook does not compile, cannot be planned, or a scenario cannot be used.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let (config, _borrowed) = session::config_and_runbooks(global)?;
    let binding = arguments.binding.binding()?;
    let source = match source::subject(&config, &binding, &Terminal)? {
        Subject::One(source) => source,
        Subject::Fleet(source) => return fleet::run((global, &config), arguments, &binding, &source),
    };
    let mut plan = planned(global, &config, (&binding, arguments.operation), &source)?;
    judged(arguments, plan.objectives.rto.is_some(), "the runbook")?;
    let history = history(global, &config, &plan);
    plan.measured = history.of(&plan);
    let index = plan::index(&plan)?;
    let scenarios = scenarios(arguments, &plan)?;
    let (runs, seed) = (arguments.runs, arguments.seed);
    let question =
        Question { plan: &plan, index: &index, scenarios: &scenarios, history: &history, runs, seed };
    let report = forecast::study(&question);
    print(global, arguments, &report)?;
    Ok(verdict(arguments, report.worst_miss()))
}

/// Refuses a limit that nothing could be held against, and that every run would keep.
fn judged(arguments: &Arguments, has_rto: bool, whose: &str) -> Result<(), Error> {
    if arguments.max_miss.is_none() || has_rto {
        return Ok(());
    }
    Err(Error::new(exit::USAGE, "--max-miss needs `objectives.rto`").reason("no_rto").help(format!(
        "give {whose} the recovery time that it is to keep, such as `objectives: {{rto: 1h}}`, or leave out --max-miss"
    )))
}

/// How the command ends that has found the RTO missed so often.
fn verdict(arguments: &Arguments, worst: Option<f64>) -> u8 {
    let missed = worst.zip(arguments.max_miss).is_some_and(|(miss, MaxMiss(most))| miss > most);
    if missed { exit::OBJECTIVE_MISSED } else { exit::SUCCESS }
}

fn planned(
    global: &Global,
    config: &Config,
    (binding, operation): (&Binding, Operation),
    source: &Source,
) -> Result<Plan, Error> {
    let choices = plan::choices(global, config, (binding, operation, false), source)?;
    let plan = plan::bind(source, &choices)?;
    if crate::plan::begun(&plan).is_empty() {
        return Ok(plan);
    }
    // How long the runs inside take is known from their own plans.
    let shelf = Shelf::of(config, &source.path)?;
    let records = plan::all_recorded(global, config, &shelf, &plan);
    Ok(shelf.nest(&source.path, plan, &records)?.0)
}

/// What earlier runs of the service took, where there is a journal that can be read.
fn history(global: &Global, config: &Config, plan: &Plan) -> History {
    if !session::has_journal(config) {
        return History::default();
    }
    let read = Session::open_as(global, OpenMode::ReadOnly).and_then(|session| {
        session::block_on(async { Ok(runtime::history(session.journal.as_ref(), &plan.runbook.name).await?) })
    });
    read.map_err(|error| unknown_history(&error)).unwrap_or_default()
}

fn unknown_history(error: &Error) {
    let why = &error.message;
    output::say(&format!("note: what earlier runs took is not known ({why}); estimates count"));
}

fn scenarios(arguments: &Arguments, plan: &Plan) -> Result<Vec<Conditions>, Error> {
    if arguments.scenario.is_empty() {
        return Ok(vec![Conditions::healthy(plan.nodes.len())]);
    }
    let read = |path: &PathBuf| Ok(app::conditions(&read_scenario(path, &plan.sites)?, plan));
    arguments.scenario.iter().map(read).collect()
}

fn read_scenario(path: &Path, sites: &BTreeMap<SiteName, Site>) -> Result<Scenario, Error> {
    let invalid =
        |error| Error::new(exit::INVALID, format!("{}: {error}", path.display())).reason("invalid_scenario");
    let scenario = Scenario::parse(&source::read(path)?).map_err(invalid)?;
    scenario.check_sites(sites).map_err(invalid)?;
    Ok(scenario)
}

fn print(global: &Global, arguments: &Arguments, report: &Report) -> Result<(), Error> {
    if global.output != Format::Text {
        return output::print(global.output, report, String::new);
    }
    let drawn = match arguments.format {
        Drawing::Text => render::text(report),
        Drawing::Html => render::html(report),
        Drawing::Svg => render::svg(report),
    };
    output::line(drawn.trim_end())
}
