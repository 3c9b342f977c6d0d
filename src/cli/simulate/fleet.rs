//! The forecast of a fleet: every member is planned as a start would, and all are lived together.

use super::{Arguments, Drawing, judged, read_scenario, verdict};
use crate::app::launch::Binding;
use crate::app::launch::members::Members;
use crate::app::launch::planned::fleet_plan;
use crate::app::launch::shelf::Records;
use crate::app::launch::source::FleetSource;
use crate::cli::session::{self, Session};
use crate::cli::{Error, Format, Global, output, plan as plans};
use crate::config::Config;
use crate::forecast::fleet::FleetReport;
use crate::forecast::render;
use crate::journal::OpenMode;
use crate::model::run::Intent;
use crate::plan::{History, Nested, Plan};

/// Runs the command for a fleet.
///
/// # Errors
/// When it or one of its members cannot be planned, or a scenario cannot be used.
pub(super) fn run(
    (global, config): (&Global, &Config),
    arguments: &Arguments,
    binding: &Binding,
    source: &FleetSource,
) -> Result<u8, Error> {
    let (plan, nested) = planned(global, config, (binding, arguments), source)?;
    let members = Members::of(&plan, &nested)?;
    let has_rto = members.plans().iter().chain([&plan]).any(|plan| plan.objectives.rto.is_some());
    judged(arguments, has_rto, "the fleet or a member")?;
    let known = histories(global, config, &members);
    let sites = members.sites();
    let scenarios = arguments.scenario.iter().map(|file| read_scenario(file, &sites));
    let conditions = members.conditions(&scenarios.collect::<Result<Vec<_>, _>>()?);
    let report = members.study(&plan, known.as_deref(), &conditions, (arguments.runs, arguments.seed))?;
    print(global, arguments, &report)?;
    Ok(verdict(arguments, report.worst_miss()))
}

/// The plan of the fleet with those of its members. What a start would refuse now is said; where a real run
/// is not possible yet, the plan is that of a simulation.
fn planned(
    global: &Global,
    config: &Config,
    (binding, arguments): (&Binding, &Arguments),
    source: &FleetSource,
) -> Result<(Plan, Nested), Error> {
    let make = |intent| fleet_plan(source, binding, arguments.operation, intent);
    let nest = |plan, records: &Records| source.shelf.nest(&source.path, plan, records);
    let plan = make(Intent::Real)?;
    let records = plans::all_recorded(global, config, &source.shelf, &plan);
    let refused = match nest(plan.clone(), &records) {
        Ok(planned) => return Ok(planned),
        Err(refused) => refused,
    };
    if !records.is_empty()
        && let Ok(planned) = nest(plan, &Records::new())
    {
        output::say("note: this would be refused now:");
        plans::say_all(&refused);
        return Ok(planned);
    }
    let Ok(planned) = make(Intent::Simulate).and_then(|plan| nest(plan, &Records::new())) else {
        return Err(refused);
    };
    output::say("note: planned as a simulation; a real run is not possible yet:");
    plans::say_all(&refused);
    Ok(planned)
}

/// What earlier runs of each member took, where there is a journal that can be read.
fn histories(global: &Global, config: &Config, members: &Members) -> Option<Vec<History>> {
    if !session::has_journal(config) {
        return None;
    }
    let read = Session::open_as(global, OpenMode::ReadOnly)
        .and_then(|session| session::block_on(async { members.histories(&session).await }));
    read.map_err(|error| super::unknown_history(&error)).ok()
}

fn print(global: &Global, arguments: &Arguments, report: &FleetReport) -> Result<(), Error> {
    if global.output != Format::Text {
        return output::print(global.output, report, String::new);
    }
    let drawn = match arguments.format {
        Drawing::Text => render::fleet_text(report),
        Drawing::Html => render::fleet_html(report),
        Drawing::Svg => render::fleet_svg(report),
    };
    output::line(drawn.trim_end())
}
