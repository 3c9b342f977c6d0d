//! Where a service goes from and to: what was typed, else the service record, else the roles of its sites.

use super::runbook::{self, Binding};
use super::{Error, exit};
use crate::engine::service::ServiceRecord;
use crate::model::id::SiteName;
use crate::model::run::{Intent, Operation};
use crate::model::runbook::Runbook;
use crate::model::values::SiteRole;
use crate::plan::Choices;

/// Where the service goes, given where it is.
///
/// # Errors
/// When it is there already, or `--from` contradicts the service record.
pub(crate) fn choices(
    binding: &Binding,
    operation: Operation,
    intent: Intent,
    runbook: &Runbook,
    record: &ServiceRecord,
) -> Result<Choices, Error> {
    let only = |role: SiteRole| {
        let mut sites = runbook.sites.iter().filter(|(_, site)| site.role == role).map(|(name, _)| name);
        match (sites.next(), sites.next()) {
            (Some(site), None) => Some(site.clone()),
            _ => None,
        }
    };
    let home = only(SiteRole::Active);
    let active = record.active.clone().or_else(|| match operation {
        Operation::Failover | Operation::Switchover => home.clone(),
        // Without a record the way back begins where a failover would have ended.
        Operation::Failback => only(SiteRole::Standby),
    });
    // A runbook whose sites are all active is about the one that is lost, which only a person knows.
    let from = binding.from.clone().or_else(|| active.filter(|_| home.is_some() || record.active.is_some()));
    let to = binding.to.clone().or_else(|| match operation {
        Operation::Failover | Operation::Switchover => only(SiteRole::Standby),
        Operation::Failback => home,
    });
    if let (Some(to), Some(active)) = (&to, &record.active)
        && to == active
    {
        return Err(already_active(runbook, to, record, operation));
    }
    if let (Some(from), Some(active)) = (&binding.from, &record.active)
        && from != active
    {
        let name = &runbook.metadata.name;
        return Err(Error::new(
            exit::REFUSED,
            format!("--from {from}, but the service record says that {name} runs in {active}"),
        )
        .help(format!(
            "leave --from out, or correct the record: drctl service set {name} SITE --reason \"…\""
        ))
        .reason("record_conflict"));
    }
    Ok(Choices { operation, mode: binding.mode, intent, from, to, parameters: runbook::values(binding)? })
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
