//! Decides which site a service leaves and which it moves to, as far as roles, residency and cost decide it.

use std::collections::BTreeSet;

use super::Choices;
use super::error::{Problem, did_you_mean};
use super::targets::{self, Target};
use crate::model::id::SiteName;
use crate::model::run::Operation;
use crate::model::runbook::{Runbook, Strategy};
use crate::model::values::{Site, SiteRole};

/// Where a service moves.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Route {
    /// Site it leaves.
    pub(super) from: Option<SiteName>,
    /// Site it moves to.
    pub(super) to: Option<SiteName>,
    /// The sites it could have moved to, best first, where there was a choice.
    pub(super) targets: Vec<Target>,
}

/// Where a move goes that is chosen like this; `None` where it goes to no single site.
///
/// # Errors
/// Everything that has to be chosen first.
pub fn destination(runbook: &Runbook, choices: &Choices) -> Result<Option<SiteName>, Vec<Problem>> {
    let mut problems = Vec::new();
    let route = route(runbook, choices, &mut problems);
    if problems.is_empty() { Ok(route.to) } else { Err(problems) }
}

/// Finds the route, or says what must be chosen.
pub(super) fn route(runbook: &Runbook, choices: &Choices, problems: &mut Vec<Problem>) -> Route {
    let before = problems.len();
    for (flag, name) in [("from", &choices.from), ("to", &choices.to)] {
        if let Some(name) = name.as_ref().filter(|name| !runbook.sites.contains_key(*name)) {
            let help = did_you_mean(name.as_str(), runbook.sites.keys().map(SiteName::as_str));
            problems.push(Problem::new(format!("--{flag}: there is no site `{name}`"), help));
        }
    }
    if runbook.sites.is_empty() || problems.len() > before {
        return Route::default();
    }
    let planner = Planner { runbook, choices };
    let (from, to, targets) = match (runbook.strategy == Some(Strategy::ActiveActive), choices.operation) {
        (true, Operation::Failback) => planner.readmit(problems),
        (true, Operation::Failover | Operation::Switchover) => {
            let from = planner.active("from", problems);
            planner.somebody_stays(from.as_ref(), problems);
            (from, choices.to.clone(), Vec::new())
        }
        (false, Operation::Failover | Operation::Switchover) => {
            let from = planner.active("from", problems);
            let (to, targets) =
                from.as_ref().map_or((None, Vec::new()), |from| planner.target(from, problems));
            (from, to, targets)
        }
        (false, Operation::Failback) => {
            let from = choices.from.clone().or_else(|| planner.only(SiteRole::Standby, "from", problems));
            let to = choices.to.clone().or_else(|| planner.only(SiteRole::Active, "to", problems));
            (from, to, Vec::new())
        }
    };
    let route = Route { from, to, targets };
    planner.check(&route, problems);
    route
}

struct Planner<'a> {
    runbook: &'a Runbook,
    choices: &'a Choices,
}

impl Planner<'_> {
    fn active(&self, flag: &str, problems: &mut Vec<Problem>) -> Option<SiteName> {
        self.choices.from.clone().or_else(|| self.only(SiteRole::Active, flag, problems))
    }

    /// The only site of a role; anything else must be chosen.
    fn only(&self, role: SiteRole, flag: &str, problems: &mut Vec<Problem>) -> Option<SiteName> {
        let of_role: Vec<_> =
            self.sites().filter(|(_, site)| site.role == role).map(|(name, _)| name).collect();
        match of_role[..] {
            [only] => return Some(only.clone()),
            [] => problems.push(Problem::new(
                format!("no site has the role `{role}`, so it is not known which one is `{flag}`"),
                format!("say so with `--{flag} SITE`; {}", listed(self.sites().map(|(name, _)| name))),
            )),
            _ => problems.push(Problem::new(
                format!("several sites have the role `{role}`, so it is not known which one is `{flag}`"),
                format!("say so with `--{flag} SITE`; {}", listed(of_role.into_iter())),
            )),
        }
        None
    }

    /// The site to move to: chosen, or the best of those that are possible, and the ranking where there was
    /// a choice.
    fn target(&self, from: &SiteName, problems: &mut Vec<Problem>) -> (Option<SiteName>, Vec<Target>) {
        let ranked = targets::ranked(self.runbook, self.choices, from);
        let told = if ranked.len() > 1 { ranked.clone() } else { Vec::new() };
        if self.choices.to.is_some() {
            return (self.choices.to.clone(), told);
        }
        let shown = || targets::ranking(&ranked).join(", ");
        let mut possible = ranked.iter().filter(|target| target.refused.is_none());
        match (possible.next(), possible.next()) {
            (Some(best), Some(next)) if targets::are_equal(best, next) => problems.push(Problem::new(
                format!("the service could move from `{from}` to several sites, and none is better"),
                format!(
                    "say which with `--to SITE`, or give the sites `capacity` or `cost_weight`: {}",
                    shown()
                ),
            )),
            (Some(best), _) => return (Some(best.site.clone()), told),
            (None, _) if ranked.is_empty() => problems.push(Problem::new(
                format!("there is no site to move to from `{from}`"),
                "add a site with `role: standby` whose jurisdiction `residency` allows, or say `--to SITE`",
            )),
            (None, _) => problems.push(Problem::new(
                format!("there is no site to move to from `{from}`: {}", shown()),
                "make one of them usable, or say `--to SITE`",
            )),
        }
        (None, told)
    }

    /// Active-active failback: a site is taken back in, none is left.
    fn readmit(&self, problems: &mut Vec<Problem>) -> (Option<SiteName>, Option<SiteName>, Vec<Target>) {
        if self.choices.to.is_none() {
            let help = format!("say which with `--to SITE`; {}", listed(self.sites().map(|(name, _)| name)));
            problems.push(Problem::new("it is not known which site is to be taken back in", help));
        }
        (self.choices.from.clone(), self.choices.to.clone(), Vec::new())
    }

    /// What one site leaves behind must be carried by another one.
    fn somebody_stays(&self, from: Option<&SiteName>, problems: &mut Vec<Problem>) {
        let Some(from) = from else { return };
        let stays = |name: &SiteName| name != from && !self.choices.unready.contains_key(name);
        if self.sites().any(|(name, _)| stays(name)) {
            return;
        }
        let others = self.choices.unready.iter().filter(|(name, _)| *name != from);
        let others: Vec<String> = others.map(|(name, why)| format!("{name} ({why})")).collect();
        let service = &self.runbook.metadata.name;
        problems.push(Problem::new(
            format!("no site is left to carry what `{from}` does: {}", others.join(", ")),
            format!(
                "take one back first with `drctl failback {service} --to SITE`, or say that it serves: \
                 drctl service set {service} --reprotected SITE --reason \"…\""
            ),
        ));
    }

    fn check(&self, route: &Route, problems: &mut Vec<Problem>) {
        let Some(to) = &route.to else { return };
        if route.from.as_ref() == Some(to) {
            let help = format!("choose another site; {}", listed(self.sites().map(|(name, _)| name)));
            problems.push(Problem::new(format!("the service cannot move from `{to}` to itself"), help));
        }
        let Some(site) = self.runbook.sites.get(to) else { return };
        if let Some(residency) =
            self.runbook.residency.as_ref().filter(|_| !targets::may_hold_data(self.runbook, site))
        {
            let lies = site
                .jurisdiction
                .as_ref()
                .map_or("names no jurisdiction".to_owned(), |at| format!("lies in {at}"));
            problems.push(Problem::new(
                format!("residency does not allow site `{to}`: it {lies}"),
                format!("allowed: {}; choose another site with `--to SITE`", residency.allow.join(", ")),
            ));
        }
    }

    fn sites(&self) -> impl Iterator<Item = (&SiteName, &Site)> {
        self.runbook.sites.iter()
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a SiteName>) -> String {
    format!("sites: {}", names.map(SiteName::as_str).collect::<Vec<_>>().join(", "))
}

/// Sites that were out before: not those a run is about.
pub(super) fn absent(choices: &Choices, route: &Route) -> BTreeSet<SiteName> {
    let concerned = [&route.from, &route.to];
    choices.unready.keys().filter(|site| !concerned.contains(&&Some((*site).clone()))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::run::Intent;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn routed(
        runbook: &serde_json::Value,
        operation: Operation,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(String, String), Vec<String>> {
        let mut text = json!({"apiVersion": "drctl/v1", "kind": "Runbook", "metadata": {"name": "pay"}});
        text.as_object_mut().unwrap().extend(runbook.as_object().unwrap().clone());
        let name = |name: Option<&str>| name.map(|name| SiteName::new(name).unwrap());
        let choices = Choices {
            operation,
            mode: None,
            intent: Intent::Real,
            from: name(from),
            to: name(to),
            unready: [(SiteName::new("gone").unwrap(), "quarantined".to_owned())].into(),
            parameters: BTreeMap::new(),
        };
        let mut problems = Vec::new();
        let route = route(&serde_json::from_value(text).unwrap(), &choices, &mut problems);
        let word = |site: Option<SiteName>| site.map_or("-".to_owned(), |site| site.to_string());
        if problems.is_empty() {
            Ok((word(route.from), word(route.to)))
        } else {
            Err(problems.into_iter().map(|p| format!("{}: {}", p.what, p.help.unwrap_or_default())).collect())
        }
    }

    fn way(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn roles_decide_where_only_one_site_is_possible() {
        let pair = json!({"sites": {"east": {"role": "active"}, "west": {"role": "standby"}}});
        assert_eq!(routed(&pair, Operation::Failover, None, None), Ok(way("east", "west")));
        assert_eq!(routed(&pair, Operation::Failback, None, None), Ok(way("west", "east")));
        assert_eq!(routed(&pair, Operation::Switchover, Some("west"), None), Ok(way("west", "east")));
        assert_eq!(routed(&json!({}), Operation::Failover, None, None), Ok(way("-", "-")));
        let same = routed(&pair, Operation::Failover, Some("east"), Some("east")).unwrap_err();
        assert!(same[0].contains("to itself"), "{same:?}");
        let unknown = routed(&pair, Operation::Failover, Some("eest"), Some("north")).unwrap_err();
        assert!(unknown.len() == 2 && unknown[0].contains("did you mean `east`"), "{unknown:?}");
    }

    #[test]
    fn several_targets_are_ranked_and_residency_is_hard() {
        let mut sites = json!({
            "sites": {
                "east": {"role": "active", "jurisdiction": "US"},
                "north": {"role": "standby", "jurisdiction": "US", "capacity": 1.0, "cost_weight": 3.0},
                "south": {"role": "standby", "jurisdiction": "US", "cost_weight": 1.5},
                "small": {"role": "standby", "jurisdiction": "US", "capacity": 0.5, "cost_weight": 1.0},
                "gone": {"role": "standby", "jurisdiction": "US", "capacity": 2.0, "cost_weight": 0.5},
                "paris": {"role": "standby", "jurisdiction": "FR", "cost_weight": 0.1},
                "sea": {"role": "standby"},
            },
            "residency": {"allow": ["US"]},
        });
        assert_eq!(routed(&sites, Operation::Failover, None, None), Ok(way("east", "south")));
        assert_eq!(routed(&sites, Operation::Failover, None, Some("north")), Ok(way("east", "north")));
        for (site, why) in [("paris", "lies in FR"), ("sea", "names no jurisdiction")] {
            let refused = routed(&sites, Operation::Failover, None, Some(site)).unwrap_err();
            assert!(refused[0].contains("residency") && refused[0].contains(why), "{refused:?}");
        }
        // One that does not say its cost comes between the cheap and the dear.
        let silent = json!({"role": "standby", "jurisdiction": "US"});
        let mut three = json!({"sites": {"east": {"role": "active"}, "silent": silent, "dear": silent}});
        three["sites"]["dear"]["cost_weight"] = 2.0.into();
        assert_eq!(routed(&three, Operation::Failover, None, None), Ok(way("east", "silent")));
        three["sites"]["dear"]["cost_weight"] = 0.5.into();
        assert_eq!(routed(&three, Operation::Failover, None, None), Ok(way("east", "dear")));
        sites["sites"]["south"]["cost_weight"] = 3.0.into();
        let equal = routed(&sites, Operation::Failover, None, None).unwrap_err();
        assert!(
            equal[0].ends_with(
                "north (capacity 100 %, cost 3), south (cost 3), small (capacity 50 %, cost 1), gone (quarantined, \
                 capacity 200 %, cost 0.5), paris (residency: lies in FR, cost 0.1), sea \
                 (residency: names no jurisdiction, \
                 cost 1 by default)"
            ),
            "{equal:?}"
        );
    }

    #[test]
    fn an_active_active_service_says_which_site_is_lost() {
        let both = json!({
            "strategy": "active_active",
            "sites": {"east": {"role": "active"}, "west": {"role": "active"}},
        });
        let ask = routed(&both, Operation::Failover, None, None).unwrap_err();
        assert!(ask[0].contains("--from SITE") && ask[0].contains("east, west"), "{ask:?}");
        assert_eq!(routed(&both, Operation::Failover, Some("east"), None), Ok(way("east", "-")));
        let mut alone = both.clone();
        alone["sites"] = json!({"east": {"role": "active"}, "gone": {"role": "active"}});
        let nobody = routed(&alone, Operation::Failover, Some("east"), None).unwrap_err();
        assert!(
            nobody[0].contains("no site is left") && nobody[0].contains("gone (quarantined)"),
            "{nobody:?}"
        );
        assert!(routed(&both, Operation::Failback, None, None).unwrap_err()[0].contains("--to SITE"));
        assert_eq!(routed(&both, Operation::Failback, None, Some("east")), Ok(way("-", "east")));
    }
}
