//! Sites, residency, objectives, dependencies, and workflows as a whole.

use std::collections::BTreeMap;

use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::schema::Gaps;
use crate::compile::suggest;
use crate::compile::tree::escape;
use crate::model::id::SiteName;
use crate::model::runbook::{Runbook, Strategy};
use crate::model::values::{Site, SiteRole};

pub(super) fn check(runbook: &Runbook, gaps: &Gaps, reporter: &mut Reporter<'_>) {
    if !gaps.touches("/sites") {
        sites(runbook, reporter);
        dependencies(runbook, gaps, reporter);
    }
    residency(runbook, reporter);
    objectives(runbook, reporter);
    workflows(runbook, gaps, reporter);
}

fn workflows(runbook: &Runbook, gaps: &Gaps, reporter: &mut Reporter<'_>) {
    let both = [("failover", &runbook.workflows.failover), ("failback", &runbook.workflows.failback)];
    for (name, workflow) in both {
        let pointer = format!("/workflows/{name}/steps");
        if workflow.as_ref().is_some_and(|workflow| workflow.steps.is_empty()) && !gaps.touches(&pointer) {
            reporter
                .key(Code::NothingToDo, &pointer, format!("`workflows.{name}` has no steps"))
                .help("write at least one");
        }
    }
    let none = runbook.workflows.failover.is_none() && runbook.workflows.failback.is_none();
    if none && !gaps.touches("/workflows") && runbook.components.is_empty() {
        let message = "the runbook has no workflow, so there is nothing to run";
        reporter.key(Code::NothingToDo, "/workflows", message).help("write `workflows.failover.steps`");
    }
}

fn sites(runbook: &Runbook, reporter: &mut Reporter<'_>) {
    let sites = &runbook.sites;
    let has = |role: SiteRole| sites.values().filter(|site| site.role == role).count();
    let (active, standby) = (has(SiteRole::Active), has(SiteRole::Standby));
    let message = if runbook.workflows.failover.is_none() && sites.is_empty() {
        return;
    } else if sites.len() < 2 {
        format!("a failover needs at least two sites, found {}", sites.len())
    } else if runbook.strategy == Some(Strategy::ActiveActive) {
        if active >= 2 {
            return;
        }
        "active_active needs at least two sites with `role: active`".to_owned()
    } else if active == 0 {
        "no site has `role: active`: there is nothing to fail over from".to_owned()
    } else if standby == 0 {
        "no site has `role: standby`: there is nowhere to fail over to".to_owned()
    } else {
        return;
    };
    reporter.key(Code::BrokenSites, "/sites", message).help("see `drctl explain DR0132`");
}

fn dependencies(runbook: &Runbook, gaps: &Gaps, reporter: &mut Reporter<'_>) {
    if gaps.touches("/dependencies") {
        return;
    }
    for (at, dependency) in runbook.dependencies.iter().enumerate() {
        let site = dependency.site.as_str();
        if site != "outside" && !runbook.sites.contains_key(&dependency.site) {
            let message =
                format!("`{}` lives at `{site}`, which is no site of this runbook", dependency.name);
            let names = runbook.sites.keys().map(SiteName::as_str).chain(["outside"]);
            let help = match suggest::nearest(site, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", suggest::list(names)),
            };
            reporter.value(Code::BrokenSites, &format!("/dependencies/{at}/site"), message).help(help);
        }
    }
}

fn residency(runbook: &Runbook, reporter: &mut Reporter<'_>) {
    let Some(residency) = &runbook.residency else { return };
    let allowed = suggest::list(residency.allow.iter().map(String::as_str));
    for (name, site) in targets(&runbook.sites, runbook.strategy) {
        let pointer = format!("/sites/{}", escape(name.as_str()));
        match &site.jurisdiction {
            Some(_) if residency.allows(site) => {}
            Some(jurisdiction) => {
                let message =
                    format!("`{name}` is in `{jurisdiction}`, but the data may be only in {allowed}");
                let pointer = format!("{pointer}/jurisdiction");
                reporter
                    .value(Code::OutsideResidency, &pointer, message)
                    .help("fail over to another site, or allow it");
            }
            None => {
                let message =
                    format!("`{name}` does not say its jurisdiction; the data may be only in {allowed}");
                reporter
                    .key(Code::OutsideResidency, &pointer, message)
                    .help("add `jurisdiction` to the site");
            }
        }
    }
}

/// Sites the service could be moved to.
fn targets(
    sites: &BTreeMap<SiteName, Site>,
    strategy: Option<Strategy>,
) -> impl Iterator<Item = (&SiteName, &Site)> {
    let every = strategy == Some(Strategy::ActiveActive);
    sites.iter().filter(move |(_, site)| every || site.role == SiteRole::Standby)
}

fn objectives(runbook: &Runbook, reporter: &mut Reporter<'_>) {
    let objectives = &runbook.objectives;
    if let (Some(rto), Some(mtd)) = (objectives.rto, objectives.mtd)
        && mtd < rto
    {
        let message = format!(
            "the maximum tolerable downtime ({mtd}) is shorter than the recovery time objective ({rto})"
        );
        reporter
            .value(Code::BrokenObjectives, "/objectives/mtd", message)
            .help("`mtd` is the longer of the two");
    }
}
