//! `drctl check` of a fleet: the checks of every member, several at once, summed up. What keeps one member
//! from being checked never hides the others.

use serde::Serialize;
use tokio::task::JoinSet;

use super::Arguments;
use super::begin::created;
use super::readiness::Readiness;
use crate::app::launch::planned::{self, checks};
use crate::app::launch::source::FleetSource;
use crate::app::launch::{Binding, route};
use crate::cli::session::{self, Session};
use crate::cli::table::Table;
use crate::cli::table::Yield::Wrap;
use crate::cli::{Error, Global, exit, output};
use crate::engine::service::ServiceRecord;
use crate::evidence::first_line;
use crate::model::fleet::Placed;
use crate::model::run::Intent;
use crate::runtime::{self, Driver, Silent, Stop};

/// Most members that are checked at once.
const AT_ONCE: usize = 16;

/// What came of the checks of all members.
#[derive(Debug, Serialize)]
struct Fleet {
    service: String,
    operation: &'static str,
    simulated: bool,
    ready: bool,
    members: Vec<Member>,
}

/// What came of the checks of one member.
#[derive(Debug, Serialize)]
struct Member {
    service: String,
    ready: bool,
    /// Why it could not be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Readiness>,
}

/// Runs the checks of every member.
///
/// # Errors
/// When something was typed that is about one service, or the journal refuses.
pub(super) fn run(
    global: &Global,
    arguments: &Arguments,
    typed: &Binding,
    source: &FleetSource,
) -> Result<u8, Error> {
    planned::refuse_values(typed)?;
    let session = Session::open(global)?;
    let mut members = session::block_on(all(&session, (arguments, typed), source))?;
    members.sort_by(|one, other| (one.ready, &one.service).cmp(&(other.ready, &other.service)));
    let fleet = Fleet {
        service: source.roster.metadata.name.to_string(),
        operation: arguments.operation.as_str(),
        simulated: arguments.simulate,
        ready: members.iter().all(|member| member.ready),
        members,
    };
    output::print(global.output, &fleet, || fleet.render())?;
    Ok(if fleet.ready { exit::SUCCESS } else { exit::REFUSED })
}

async fn all(
    session: &Session,
    asked: (&Arguments, &Binding),
    source: &FleetSource,
) -> Result<Vec<Member>, Error> {
    let (mut under_way, mut members) = (JoinSet::new(), Vec::new());
    for placed in &source.roster.members {
        if under_way.len() >= AT_ONCE {
            members.extend(next(&mut under_way).await?);
        }
        let service = placed.service.to_string();
        match begun(session, asked, source, placed).await {
            Ok(driver) => {
                under_way.spawn(async move { (service, driver.drive(&Silent, Stop::AtPerson).await) });
            }
            Err(error) => {
                let details = error.details.into_iter().map(|problem| problem.what).collect::<Vec<_>>();
                let why = if details.is_empty() { error.message } else { details.join("; ") };
                members.push(Member { service, ready: false, refused: Some(why), result: None });
            }
        }
    }
    while let Some(member) = next(&mut under_way).await? {
        members.push(member);
    }
    Ok(members)
}

type Driven =
    (String, Result<(std::sync::Arc<crate::engine::IndexedPlan>, crate::engine::RunState), runtime::Error>);

async fn next(under_way: &mut JoinSet<Driven>) -> Result<Option<Member>, Error> {
    let Some(joined) = under_way.join_next().await else { return Ok(None) };
    let (service, driven) = joined.map_err(|error| Error::new(exit::BUG, error.to_string()))?;
    let (plan, state) = driven?;
    let result = Readiness::of(&plan, &state);
    Ok(Some(Member { service, ready: result.ready, refused: None, result: Some(result) }))
}

/// The run that makes the checks of a member.
async fn begun(
    session: &Session,
    (arguments, typed): (&Arguments, &Binding),
    source: &FleetSource,
    placed: &Placed,
) -> Result<Driver, Error> {
    let Some(runbook) = source.shelf.source(&placed.service) else {
        return Err(Error::new(exit::INVALID, format!("there is no runbook `{}`", placed.service)));
    };
    let record = if arguments.simulate {
        ServiceRecord::default()
    } else {
        runtime::service_record(session.journal.as_ref(), &placed.service).await?
    };
    let binding = Binding {
        runbook: placed.service.to_string(),
        mode: typed.mode,
        from: placed.from.clone().or_else(|| typed.from.clone()),
        to: placed.to.clone().or_else(|| typed.to.clone()),
        ..Binding::default()
    };
    let mut choices =
        route::choices(&binding, arguments.operation, Intent::Check, &runbook.runbook, &record)?;
    choices.parameters = placed.with.clone().into_iter().collect();
    let plan = checks(planned::bind(runbook, &choices)?, arguments.simulate);
    created(session, arguments, runbook, plan, std::collections::BTreeMap::new()).await
}

impl Fleet {
    fn render(&self) -> String {
        let mut table = Table::default();
        for member in self.members.iter().filter(|member| !member.ready || member.told() > 0) {
            let word = if member.ready { "\x1b[33mwarning\x1b[0m" } else { "\x1b[31mNOT READY\x1b[0m" };
            table.row([word, &member.service, &member.why()]);
        }
        let table = table.fit("", output::width(), &[Wrap(2)]);
        let simulated = if self.simulated { " (simulated)" } else { "" };
        let (all, ready) = (self.members.len(), self.members.iter().filter(|member| member.ready).count());
        let word = if self.ready { "\x1b[1;32mready\x1b[0m" } else { "\x1b[1;31mnot ready\x1b[0m" };
        let more = if self.ready { "" } else { "; `drctl check SERVICE` says more of each" };
        let what = format!("{word} for a {}{simulated}: {ready} of {all} services are{more}", self.operation);
        format!("{}\n{} is {what}\n", table.trim_end(), self.service).trim_start().to_owned()
    }
}

impl Member {
    /// How much was found that is worth knowing, although it stands in nobody's way.
    fn told(&self) -> usize {
        self.result.as_ref().map_or(0, |result| result.warnings + result.unknown)
    }

    fn why(&self) -> String {
        let Some(result) = &self.result else { return self.refused.clone().unwrap_or_default() };
        if self.ready {
            return format!("{} warnings, {} things could not be checked", result.warnings, result.unknown);
        }
        let failed = result.checks.iter().filter(|check| !matches!(check.status, "succeeded" | "skipped"));
        let lines = failed.map(|check| {
            let why = check.failure.as_ref().map_or_else(String::new, |failure| first_line(&failure.message));
            let id = check.id.trim_start_matches("start/").trim_start_matches("ready/");
            format!("{id}: {why}")
        });
        lines.collect::<Vec<_>>().join("; ")
    }
}
