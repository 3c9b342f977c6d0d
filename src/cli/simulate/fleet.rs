//! The forecast of a fleet: every member is planned as a start would, and all are lived together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Arguments, Drawing, judged, read_scenario, verdict};
use crate::app;
use crate::app::launch::Binding;
use crate::app::launch::planned::fleet_plan;
use crate::app::launch::shelf::Records;
use crate::app::launch::source::FleetSource;
use crate::cli::session::{self, Session};
use crate::cli::{Error, Format, Global, exit, output, plan as plans};
use crate::config::Config;
use crate::forecast::fleet::{FleetQuestion, FleetReport, Member, fleet_study};
use crate::forecast::{Conditions, render};
use crate::journal::OpenMode;
use crate::model::id::SiteName;
use crate::model::run::Intent;
use crate::model::values::Site;
use crate::plan::{self, History, Nested, Plan};
use crate::runtime;

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
    let mut members = of_members(&plan, &nested)?;
    let has_rto = members.iter().chain([&plan]).any(|plan| plan.objectives.rto.is_some());
    judged(arguments, has_rto, "the fleet or a member")?;
    let known = histories(global, config, &members);
    for (member, history) in members.iter_mut().zip(&known) {
        member.measured = history.of(member);
    }
    let indexes = members.iter().map(plans::index).collect::<Result<Vec<_>, _>>()?;
    let scenarios = scenarios(&arguments.scenario, &members)?;
    let parts: Vec<Member<'_>> = members
        .iter()
        .zip(&indexes)
        .zip(&known)
        .map(|((plan, index), history)| Member { plan, index, has_history: history.runs > 0 })
        .collect();
    let (runs, seed) = (arguments.runs, arguments.seed);
    let question = FleetQuestion { plan: &plan, members: &parts, scenarios: &scenarios, runs, seed };
    let report = fleet_study(&question);
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

/// The plans of the members, in the order of the fleet's.
fn of_members(plan: &Plan, nested: &Nested) -> Result<Vec<Plan>, Error> {
    let child = |node: &plan::Node| {
        let child = node.call(plan.mode)?.child.as_ref()?;
        Some(nested.get(&child.plan)?.plan.clone())
    };
    let members: Option<Vec<Plan>> = plan.nodes.iter().map(child).collect();
    members.ok_or_else(|| Error::new(exit::BUG, "a member of the fleet has no plan"))
}

/// What earlier runs of each member took, where there is a journal that can be read.
fn histories(global: &Global, config: &Config, members: &[Plan]) -> Vec<History> {
    let none = || members.iter().map(|_| History::default()).collect();
    if !session::has_journal(config) {
        return none();
    }
    let read = Session::open_as(global, OpenMode::ReadOnly).and_then(|session| {
        session::block_on(async {
            let mut known = Vec::with_capacity(members.len());
            for member in members {
                known.push(runtime::history(session.journal.as_ref(), &member.runbook.name).await?);
            }
            Ok(known)
        })
    });
    read.unwrap_or_else(|error| {
        let why = error.message;
        output::say(&format!("note: what earlier runs took is not known ({why}); estimates count"));
        none()
    })
}

/// What each scenario means for each member.
fn scenarios(files: &[PathBuf], members: &[Plan]) -> Result<Vec<Vec<Conditions>>, Error> {
    if files.is_empty() {
        return Ok(vec![members.iter().map(|plan| Conditions::healthy(plan.nodes.len())).collect()]);
    }
    let sites: BTreeMap<SiteName, Site> = members.iter().flat_map(|plan| plan.sites.clone()).collect();
    let of = |file: &PathBuf| {
        let scenario = read_scenario(file, &sites)?;
        Ok(members.iter().map(|plan| app::conditions(&scenario, plan)).collect())
    };
    files.iter().map(of).collect()
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
