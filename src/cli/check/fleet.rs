//! `drctl check` of a fleet: the checks of every member, several at once, summed up. What keeps one member
//! from being checked never hides the others.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::task::JoinSet;

use super::readiness::Readiness;
use crate::app::launch::check::WantedCheck;
use crate::app::launch::source::FleetSource;
use crate::app::launch::{Began, planned};
use crate::cli::session::{self, Session};
use crate::cli::table::Table;
use crate::cli::table::Yield::Wrap;
use crate::cli::{Error, Global, exit, output};
use crate::engine::{IndexedPlan, RunState};
use crate::evidence::{StepView, first_line};
use crate::model::fleet::Placed;
use crate::providers::CANNOT;
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
pub(super) struct Member {
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
pub(super) fn run(global: &Global, wanted: &WantedCheck, source: &FleetSource) -> Result<u8, Error> {
    planned::refuse_values(&wanted.binding)?;
    let session = Session::open(global)?;
    let members = session::block_on(all(&session, wanted, source))?;
    report(global, source.roster.metadata.name.to_string(), wanted, members)
}

/// Says what came of the checks of every member.
///
/// # Errors
/// When standard output cannot be written.
pub(super) fn report(
    global: &Global,
    service: String,
    wanted: &WantedCheck,
    mut members: Vec<Member>,
) -> Result<u8, Error> {
    members.sort_by(|one, other| (one.ready, &one.service).cmp(&(other.ready, &other.service)));
    let fleet = Fleet {
        service,
        operation: wanted.operation.as_str(),
        simulated: wanted.simulated.is_some(),
        ready: members.iter().all(|member| member.ready),
        members,
    };
    output::print(global.output, &fleet, || fleet.render())?;
    Ok(if fleet.ready { exit::SUCCESS } else { exit::REFUSED })
}

async fn all(session: &Session, wanted: &WantedCheck, source: &FleetSource) -> Result<Vec<Member>, Error> {
    let (mut under_way, mut members) = (JoinSet::new(), Vec::new());
    for placed in &source.roster.members {
        if under_way.len() >= AT_ONCE {
            members.extend(next(&mut under_way).await?);
        }
        let service = placed.service.to_string();
        match begun(session, wanted, source, placed).await {
            Ok(driver) => {
                under_way.spawn(async move { (service, driver.drive(&Silent, Stop::AtPerson).await) });
            }
            Err(error) => members.push(Member::refused(service, error.in_one_line())),
        }
    }
    while let Some(member) = next(&mut under_way).await? {
        members.push(member);
    }
    Ok(members)
}

type Driven = (String, Result<(std::sync::Arc<IndexedPlan>, RunState), runtime::Error>);

async fn next(under_way: &mut JoinSet<Driven>) -> Result<Option<Member>, Error> {
    let Some(joined) = under_way.join_next().await else { return Ok(None) };
    let (service, driven) = joined.map_err(|error| Error::new(exit::BUG, error.to_string()))?;
    let (plan, state) = driven?;
    Ok(Some(Member::checked(service, &plan, &state)))
}

/// The run that makes the checks of a member.
async fn begun(
    session: &Session,
    wanted: &WantedCheck,
    source: &FleetSource,
    placed: &Placed,
) -> Result<Driver, Error> {
    match wanted.begin_member(session, source, placed).await? {
        Began::New(driver) => Ok(*driver),
        // No key was given that could have been used before.
        Began::Before(run) => Err(Error::new(exit::BUG, format!("{run} was begun before"))),
    }
}

impl Fleet {
    fn render(&self) -> String {
        // What keeps many from being checked, such as what this drctl can only simulate, is said once.
        let mut alike: Vec<(&Member, String, Vec<&str>)> = Vec::new();
        for member in self.members.iter().filter(|member| !member.ready || member.told() > 0) {
            let why = member.why();
            let same = |(other, known, _): &&mut (&Member, String, Vec<&str>)| {
                other.is_kept_from_checks() && member.is_kept_from_checks() && *known == why
            };
            match alike.iter_mut().find(same) {
                Some((_, _, services)) => services.push(&member.service),
                None => alike.push((member, why, vec![&member.service])),
            }
        }
        let mut table = Table::default();
        for (member, why, services) in &alike {
            let word = if member.ready { "\x1b[33mwarning\x1b[0m" } else { "\x1b[31mNOT READY\x1b[0m" };
            table.row([word, &named(services), why]);
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

/// Services in few words.
fn named(services: &[&str]) -> String {
    const NAMED: usize = 8;
    let first = services.get(..NAMED).unwrap_or(services).join(", ");
    match services.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

impl Member {
    /// One that could not be checked, and why.
    pub(super) fn refused(service: String, why: String) -> Self {
        Self { service, ready: false, refused: Some(why), result: None }
    }

    /// One whose checks were made.
    pub(super) fn checked(service: String, plan: &IndexedPlan, state: &RunState) -> Self {
        let result = Readiness::of(plan, state);
        Self { service, ready: result.ready, refused: None, result: Some(result) }
    }

    /// How much was found that is worth knowing, although it stands in nobody's way.
    fn told(&self) -> usize {
        self.result.as_ref().map_or(0, |result| result.warnings + result.unknown)
    }

    /// Whether nothing but what could not be looked at stands in its way.
    fn is_kept_from_checks(&self) -> bool {
        self.result.as_ref().is_none_or(|result| {
            let unknown = |check: &StepView| {
                check.failure.as_ref().is_some_and(|failure| failure.message.contains(CANNOT))
            };
            !self.ready && result.failed().all(unknown)
        })
    }

    fn why(&self) -> String {
        let Some(result) = &self.result else { return self.refused.clone().unwrap_or_default() };
        if self.ready {
            return format!("{} warnings, {} things could not be checked", result.warnings, result.unknown);
        }
        let (mut lines, mut cannot) = (Vec::new(), BTreeMap::new());
        for check in result.failed() {
            let why = check.failure.as_ref().map_or_else(String::new, |failure| first_line(&failure.message));
            if let Some((action, _)) = why.split_once(CANNOT) {
                *cannot.entry(action.trim().to_owned()).or_insert(0_usize) += 1;
            } else {
                let id = check.id.trim_start_matches("start/").trim_start_matches("ready/");
                lines.push(format!("{id}: {why}"));
            }
        }
        let many = |count: usize| if count == 1 { "1 check".to_owned() } else { format!("{count} checks") };
        let cannot: Vec<String> =
            cannot.into_iter().map(|(action, count)| format!("{action} ({})", many(count))).collect();
        if !cannot.is_empty() {
            lines.push(format!("this build can only simulate {}", cannot.join(", ")));
        }
        lines.join("; ")
    }
}
