//! `DR08xx`: where data may be. A site that may be moved to is checked with the sites themselves.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compile::diagnostic::Code;
use crate::compile::outline::Outline;
use crate::compile::reporter::Reporter;
use crate::compile::tree::escape;
use crate::model::action::ActionName;
use crate::model::runbook::{Runbook, Strategy};
use crate::model::values::SiteRole;

/// Checks the sites a service is in already.
pub(super) fn blocks(runbook: &Runbook, reporter: &mut Reporter<'_>) {
    let Some(residency) = &runbook.residency else { return };
    if runbook.strategy == Some(Strategy::ActiveActive) {
        return;
    }
    let active = runbook.sites.iter().filter(|(_, site)| site.role == SiteRole::Active);
    for (name, _) in active.filter(|(_, site)| site.jurisdiction.is_some() && !residency.allows(site)) {
        let message = format!("the service already runs in `{name}`, where its data may not be");
        let pointer = format!("/sites/{}/jurisdiction", escape(name.as_str()));
        reporter
            .value(Code::ActiveOutsideResidency, &pointer, message)
            .help("allow the jurisdiction, or correct the site: a failback would be refused");
    }
}

/// Checks where a workflow sends copies of the data.
pub(super) fn workflow(runbook: &Runbook, outline: &Outline<'_>, reporter: &mut Reporter<'_>) {
    let Some(residency) = &runbook.residency else { return };
    let regions: BTreeSet<&str> = (runbook.sites.values())
        .filter(|site| residency.allows(site))
        .filter_map(|site| site.region.as_deref())
        .collect();
    for (index, entry) in outline.leaves() {
        let key = match entry.step.uses {
            Some(ActionName::AwsBackupCopyRecoveryPoint) => "destination_vault_arn",
            Some(ActionName::AwsRdsCopySnapshot | ActionName::AwsRdsCreateReadReplica) => "region",
            _ => continue,
        };
        let Some(text) = entry.step.with.get(key).and_then(Value::as_str) else { continue };
        let region = if key == "region" { Some(text) } else { text.split(':').nth(3) };
        let Some(region) = region.filter(|region| !text.contains("{{") && !regions.contains(region)) else {
            continue;
        };
        let message = format!("`{}` sends data to {region}, where no site is that may hold it", entry.id());
        reporter
            .value(Code::CopyOutsideResidency, &format!("{}/with/{key}", outline.pointer(index)), message)
            .help("copy to a site whose jurisdiction `residency` allows");
    }
}
