//! Decides which site a service leaves and which it moves to, as far as roles, residency and cost decide it.

use super::Choices;
use super::error::{Problem, did_you_mean};
use crate::model::id::SiteName;
use crate::model::run::Operation;
use crate::model::runbook::{Runbook, Strategy};
use crate::model::values::{Site, SiteRole};

/// Where a service moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Route {
    /// Site it leaves.
    pub(super) from: Option<SiteName>,
    /// Site it moves to.
    pub(super) to: Option<SiteName>,
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
    let route = match (runbook.strategy == Some(Strategy::ActiveActive), choices.operation) {
        (true, Operation::Failback) => planner.readmit(problems),
        (true, Operation::Failover | Operation::Switchover) => {
            Route { from: planner.active("from", problems), to: choices.to.clone() }
        }
        (false, Operation::Failover | Operation::Switchover) => {
            let from = planner.active("from", problems);
            let to = from.as_ref().and_then(|from| planner.target(from, problems));
            Route { from, to }
        }
        (false, Operation::Failback) => {
            let from = choices.from.clone().or_else(|| planner.only(SiteRole::Standby, "from", problems));
            let to = choices.to.clone().or_else(|| planner.only(SiteRole::Active, "to", problems));
            Route { from, to }
        }
    };
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

    /// The site to move to: chosen, or the only one that is possible.
    fn target(&self, from: &SiteName, problems: &mut Vec<Problem>) -> Option<SiteName> {
        if self.choices.to.is_some() {
            return self.choices.to.clone();
        }
        // Once the service has moved, the roles in the file no longer say where it may go.
        let moved = self.runbook.sites.get(from).is_some_and(|site| site.role == SiteRole::Standby);
        let possible =
            |(name, site): &(&SiteName, &Site)| *name != from && (moved || site.role == SiteRole::Standby);
        let mut targets: Vec<_> =
            self.sites().filter(possible).filter(|(_, site)| self.may_hold_data(site)).collect();
        targets.sort_by(|(left_name, left), (right_name, right)| {
            let cost = |site: &Site| site.cost_weight.unwrap_or(f64::INFINITY);
            cost(left).total_cmp(&cost(right)).then_with(|| left_name.cmp(right_name))
        });
        match targets[..] {
            [(only, _)] => return Some(only.clone()),
            [] => problems.push(Problem::new(
                format!("there is no site to move to from `{from}`"),
                "add a site with `role: standby` whose jurisdiction `residency` allows, or say `--to SITE`",
            )),
            _ => {
                let ranked: Vec<_> = targets.iter().map(|(name, site)| ranked(name, site)).collect();
                problems.push(Problem::new(
                    format!("the service could move from `{from}` to several sites"),
                    format!("say which with `--to SITE`; cheapest first: {}", ranked.join(", ")),
                ));
            }
        }
        None
    }

    /// Active-active failback: a site is taken back in, none is left.
    fn readmit(&self, problems: &mut Vec<Problem>) -> Route {
        if self.choices.to.is_none() {
            let help = format!("say which with `--to SITE`; {}", listed(self.sites().map(|(name, _)| name)));
            problems.push(Problem::new("it is not known which site is to be taken back in", help));
        }
        Route { from: self.choices.from.clone(), to: self.choices.to.clone() }
    }

    fn check(&self, route: &Route, problems: &mut Vec<Problem>) {
        let Some(to) = &route.to else { return };
        if route.from.as_ref() == Some(to) {
            let help = format!("choose another site; {}", listed(self.sites().map(|(name, _)| name)));
            problems.push(Problem::new(format!("the service cannot move from `{to}` to itself"), help));
        }
        let Some(site) = self.runbook.sites.get(to) else { return };
        if let Some(residency) = self.runbook.residency.as_ref().filter(|_| !self.may_hold_data(site)) {
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

    fn may_hold_data(&self, site: &Site) -> bool {
        let Some(residency) = &self.runbook.residency else { return true };
        site.jurisdiction.as_ref().is_some_and(|jurisdiction| residency.allow.contains(jurisdiction))
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a SiteName>) -> String {
    format!("sites: {}", names.map(SiteName::as_str).collect::<Vec<_>>().join(", "))
}

fn ranked(name: &SiteName, site: &Site) -> String {
    site.cost_weight.map_or_else(|| name.to_string(), |cost| format!("{name} (cost {cost})"))
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
    fn several_targets_are_ranked_by_cost_and_residency_is_hard() {
        let sites = json!({
            "sites": {
                "east": {"role": "active", "jurisdiction": "US"},
                "north": {"role": "standby", "jurisdiction": "US", "cost_weight": 3.0},
                "south": {"role": "standby", "jurisdiction": "US", "cost_weight": 1.5},
                "paris": {"role": "standby", "jurisdiction": "FR", "cost_weight": 0.1},
                "sea": {"role": "standby"},
            },
            "residency": {"allow": ["US"]},
        });
        let several = routed(&sites, Operation::Failover, None, None).unwrap_err();
        assert!(several[0].ends_with("cheapest first: south (cost 1.5), north (cost 3)"), "{several:?}");
        assert_eq!(routed(&sites, Operation::Failover, None, Some("north")), Ok(way("east", "north")));
        for (site, why) in [("paris", "lies in FR"), ("sea", "names no jurisdiction")] {
            let refused = routed(&sites, Operation::Failover, None, Some(site)).unwrap_err();
            assert!(refused[0].contains("residency") && refused[0].contains(why), "{refused:?}");
        }
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
        assert!(routed(&both, Operation::Failback, None, None).unwrap_err()[0].contains("--to SITE"));
        assert_eq!(routed(&both, Operation::Failback, None, Some("east")), Ok(way("-", "east")));
    }
}
