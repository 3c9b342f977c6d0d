//! Where a service goes from and to: what was typed, else the service record, else the roles of its sites.

use super::Binding;
use crate::app::{Error, exit};
use crate::engine::service::ServiceRecord;
use crate::model::id::SiteName;
use crate::model::run::{Intent, Operation};
use crate::model::runbook::{Runbook, Strategy};
use crate::model::values::SiteRole;
use crate::plan::Choices;

/// Where the service goes, given where it is.
///
/// # Errors
/// When it is there already, or `--from` contradicts the service record or, before there is one, the runbook.
pub(crate) fn choices(
    binding: &Binding,
    operation: Operation,
    intent: Intent,
    runbook: &Runbook,
    record: &ServiceRecord,
) -> Result<Choices, Error> {
    let choices = wanted(binding, operation, intent, runbook, record);
    // Where every site serves, the record says which are out, and nothing more.
    if runbook.strategy == Some(Strategy::ActiveActive) {
        return Ok(choices);
    }
    if let (Some(to), Some(active)) = (&choices.to, &record.active)
        && to == active
    {
        return Err(already_active(runbook, to, record, operation));
    }
    let name = &runbook.metadata.name;
    let Some(from) = &binding.from else { return Ok(choices) };
    if let Some(active) = record.active.as_ref().filter(|active| *active != from) {
        return Err(elsewhere(
            runbook,
            from,
            &format!("the service record says that {name} runs in {active}"),
        ));
    }
    let home =
        only(runbook, SiteRole::Active).filter(|home| home != from && runbook.sites.contains_key(from));
    let leaves_home = operation != Operation::Failback && intent != Intent::Simulate;
    if let (Some(home), None, true) = (home, &record.active, leaves_home) {
        return Err(elsewhere(
            runbook,
            from,
            &format!("nothing is recorded about {name}, and its runbook says that it runs in {home}"),
        ));
    }
    Ok(choices)
}

/// Where the service would go, whatever would be said to it.
#[must_use]
pub(crate) fn wanted(
    binding: &Binding,
    operation: Operation,
    intent: Intent,
    runbook: &Runbook,
    record: &ServiceRecord,
) -> Choices {
    let home = only(runbook, SiteRole::Active);
    let at_once = runbook.strategy == Some(Strategy::ActiveActive);
    let recorded = record.active.clone().filter(|_| !at_once);
    let known = recorded.is_some();
    let active = recorded.or_else(|| match operation {
        Operation::Failover | Operation::Switchover => home.clone(),
        // Without a record the way back begins where a failover would have ended.
        Operation::Failback => only(runbook, SiteRole::Standby),
    });
    // A runbook whose sites are all active is about the one that is lost, which only a person knows.
    let from = binding.from.clone().or_else(|| active.filter(|_| home.is_some() || known));
    let to = binding.to.clone().or_else(|| match operation {
        Operation::Failover | Operation::Switchover => only(runbook, SiteRole::Standby),
        Operation::Failback => home,
    });
    Choices {
        operation,
        mode: binding.mode,
        intent,
        from,
        to,
        unready: record.unready(),
        parameters: binding.values.clone(),
    }
}

/// The only site of a role.
fn only(runbook: &Runbook, role: SiteRole) -> Option<SiteName> {
    let mut sites = runbook.sites.iter().filter(|(_, site)| site.role == role).map(|(name, _)| name);
    match (sites.next(), sites.next()) {
        (Some(site), None) => Some(site.clone()),
        _ => None,
    }
}

/// The service is not where it is said to leave from; `known` says where it is.
fn elsewhere(runbook: &Runbook, from: &SiteName, known: &str) -> Error {
    let name = &runbook.metadata.name;
    Error::new(exit::REFUSED, format!("--from {from}, but {known}"))
        .help(format!(
            "leave --from out, or say where it runs: drctl service set {name} {from} --reason \"…\""
        ))
        .reason("record_conflict")
}

fn already_active(runbook: &Runbook, to: &SiteName, record: &ServiceRecord, operation: Operation) -> Error {
    let name = &runbook.metadata.name;
    let since = record.since.map_or_else(String::new, |since| format!(" since {since}"));
    let run = record.run.as_ref().map_or_else(String::new, |run| format!(", moved by {run}"));
    let help = match operation {
        Operation::Failback => "nothing is to be done".to_owned(),
        Operation::Failover | Operation::Switchover => {
            "nothing was done; to go back use `drctl failback`, to go elsewhere name --to".to_owned()
        }
    };
    Error::new(exit::REFUSED, format!("{name} is already active in {to}{since}{run}"))
        .help(help)
        .reason("already_active")
}
