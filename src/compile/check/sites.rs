//! What sites say of themselves: known words in their usual form, and one that comes first among targets.

use std::collections::BTreeMap;

use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::tree::escape;
use crate::model::id::SiteName;
use crate::model::runbook::{Runbook, Strategy};
use crate::model::values::{Site, SiteRole};

/// Providers whose regions have one usual form.
const KNOWN: [&str; 3] = ["aws", "azure", "gcp"];

pub(super) fn check(runbook: &Runbook, reporter: &mut Reporter<'_>) {
    usual_words(&runbook.sites, reporter);
    targets(runbook, reporter);
}

/// Sites are compared by their providers and regions: another spelling would hide that they are the same.
fn usual_words(sites: &BTreeMap<SiteName, Site>, reporter: &mut Reporter<'_>) {
    for (name, site) in sites {
        let pointer = format!("/sites/{}", escape(name.as_str()));
        let Some(provider) = &site.provider else { continue };
        let usual = provider.trim().to_ascii_lowercase();
        if !KNOWN.contains(&usual.as_str()) {
            continue;
        }
        if *provider != usual {
            let message = format!("the provider `{provider}` is written `{usual}`");
            reporter
                .value(Code::BrokenSites, &format!("{pointer}/provider"), message)
                .help(format!("write `provider: {usual}`: what is known of {usual} is found by that word"));
        }
        let Some(region) = &site.region else { continue };
        let usual = usual_region(&usual, region);
        if *region != usual {
            let message = format!("the region `{region}` is written `{usual}`");
            reporter
                .value(Code::BrokenSites, &format!("{pointer}/region"), message)
                .help(format!("write `region: {usual}`: sites are compared by it, and calls go to it"));
        }
    }
}

/// A region as its provider writes it: `us-east-1`, `europe-west1`, and `westeurope` for `West Europe`.
fn usual_region(provider: &str, region: &str) -> String {
    let lower = region.trim().to_ascii_lowercase();
    if provider == "azure" {
        return lower.split_whitespace().collect();
    }
    lower.split(|c: char| c.is_whitespace() || c == '_').collect::<Vec<_>>().join("-")
}

/// Where two targets are equally good, a failover is refused until somebody chooses.
fn targets(runbook: &Runbook, reporter: &mut Reporter<'_>) {
    if runbook.strategy == Some(Strategy::ActiveActive) || runbook.workflows.failover.is_none() {
        return;
    }
    let allowed = |site: &Site| runbook.residency.as_ref().is_none_or(|residency| residency.allows(site));
    let standby = runbook.sites.iter().filter(|(_, site)| site.role == SiteRole::Standby && allowed(site));
    let mut ranked: Vec<_> = standby.collect();
    ranked.sort_by(|(_, left), (_, right)| left.preferred_to(right));
    let [(best, first), (next, second), ..] = ranked.as_slice() else { return };
    if first.preferred_to(second).is_eq() {
        let message =
            format!("`{best}` and `{next}` are equally good targets: a failover must be told which");
        reporter
            .key(Code::EqualTargets, &format!("/sites/{}", escape(next.as_str())), message)
            .help("give them different `capacity` or `cost_weight`; else every failover needs `--to SITE`");
    }
}

#[cfg(test)]
mod tests {
    use super::usual_region;

    #[test]
    fn regions_have_one_usual_form() {
        for (provider, region, usual) in [
            ("aws", "us-east-1", "us-east-1"),
            ("aws", "US-East-1 ", "us-east-1"),
            ("aws", "us_east_1", "us-east-1"),
            ("gcp", "Europe-West1", "europe-west1"),
            ("azure", "West Europe", "westeurope"),
            ("azure", "westeurope", "westeurope"),
        ] {
            assert_eq!(usual_region(provider, region), usual, "{provider} {region}");
        }
    }
}
