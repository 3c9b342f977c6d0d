//! Compares two fleets: who is moved, who waits for whom, and how much trouble is put up with.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Comparison, Topic, Weight, grown};
use super::document::objectives;
use super::whole::rank;
use crate::model::fleet::{Placed, Roster};
use crate::model::id::{ServiceName, SiteName};

/// Every difference of two fleets that matters for safety. The runbooks of their members are not compared.
#[must_use]
pub fn fleets(old: &Roster, new: &Roster) -> Comparison {
    let mut changes = whole(old, new);
    changes.extend(objectives(old.objectives, new.objectives));
    changes.extend(members(old, new));
    changes.extend(order(old, new));
    changes.sort_by_key(|change| (rank(change.weight), change.topic));
    Comparison { changes, ..Comparison::default() }
}

fn whole(old: &Roster, new: &Roster) -> Vec<Change> {
    let mut changes = Vec::new();
    let (before, now) = (&old.metadata.name, &new.metadata.name);
    if before != now {
        let message = format!("is called {now} (was {before}): schedules and permissions name the old one");
        changes.push(Change::new(Topic::Service, None, message).worse().values(before, now));
    }
    if old.max_parallel != new.max_parallel {
        let named = |most: Option<u32>| most.map_or("all".to_owned(), |most| most.to_string());
        let message = format!(
            "{} members at once (was {}): more of them are faster, and more break at once",
            named(new.max_parallel),
            named(old.max_parallel)
        );
        changes.push(Change::new(Topic::Members, None, message).values(old.max_parallel, new.max_parallel));
    }
    let (before, now) = (&old.on_member_failure, &new.on_member_failure);
    if before != now {
        let (was, is) = (old.tolerance(), new.tolerance());
        let message = format!("further members begin with {} in trouble (was {})", most(is), most(was));
        let change = Change::new(Topic::OnFailure, None, message).weighing(grown(&was, &is));
        changes.push(change.values(before, now));
    }
    changes
}

fn most(members: u32) -> String {
    if members == u32::MAX { "any number".to_owned() } else { format!("at most {members}") }
}

type ByService<'a> = BTreeMap<&'a ServiceName, &'a Placed>;

fn by_service(roster: &Roster) -> ByService<'_> {
    roster.members.iter().map(|member| (&member.service, member)).collect()
}

fn members(old: &Roster, new: &Roster) -> Vec<Change> {
    let (before, now) = (by_service(old), by_service(new));
    let mut changes = Vec::new();
    for (service, member) in &before {
        let change = |message: &str| Change::of(Topic::Members, service.as_str(), message);
        match now.get(service) {
            None => changes.push(change("is not moved any more").removed().worse()),
            Some(now) => changes.extend(member_fields(member, now)),
        }
    }
    let added = now.keys().filter(|service| !before.contains_key(*service));
    changes.extend(
        added.map(|service| Change::of(Topic::Members, service.as_str(), "is moved as well").added()),
    );
    changes
}

fn member_fields(old: &Placed, new: &Placed) -> Vec<Change> {
    let service = old.service.as_str();
    let mut changes = Vec::new();
    for (what, before, now) in [("leaves", &old.from, &new.from), ("moves to", &old.to, &new.to)] {
        if before != now {
            let named = |site: &Option<SiteName>| {
                site.as_ref().map_or("the site its run would choose".to_owned(), ToString::to_string)
            };
            let message = format!("{what} {} (was {})", named(now), named(before));
            changes.push(Change::of(Topic::Sites, service, message).values(before, now));
        }
    }
    for name in old.with.keys().chain(new.with.keys()).collect::<BTreeSet<_>>() {
        if old.with.get(name) != new.with.get(name) {
            let message = format!("is given another value of the parameter {name}");
            changes.push(Change::of(Topic::Parameters, service, message));
        }
    }
    changes
}

/// Who no longer waits for whom, also not by way of others; and who waits now.
fn order(old: &Roster, new: &Roster) -> Vec<Change> {
    let (before, now) = (by_service(old), by_service(new));
    let lost = differing(&before, &now).map(|(service, need)| {
        let message = format!("no longer waits until {need} has recovered");
        Change::of(Topic::Order, service.as_str(), message).removed().worse()
    });
    let gained = differing(&now, &before).map(|(service, need)| {
        let message = format!("waits until {need} has recovered");
        Change::of(Topic::Order, service.as_str(), message).added().weighing(Weight::Better)
    });
    lost.chain(gained).collect()
}

/// Direct needs of one fleet's members that hold in no way in the other, of members that both have.
fn differing<'a>(
    one: &ByService<'a>,
    other: &ByService<'a>,
) -> impl Iterator<Item = (&'a ServiceName, &'a ServiceName)> {
    let both = one.iter().filter(|(service, _)| other.contains_key(*service));
    let pairs = both.flat_map(|(service, member)| {
        let held = held(service, other);
        let lost = member.needs.iter().filter(|need| other.contains_key(need) && !held.contains(need));
        lost.map(|need| (*service, need)).collect::<Vec<_>>()
    });
    pairs.collect::<Vec<_>>().into_iter()
}

/// Everything a member waits for, by way of others too.
fn held<'a>(service: &ServiceName, fleet: &ByService<'a>) -> BTreeSet<&'a ServiceName> {
    let of = |name: &ServiceName| fleet.get(name).into_iter().flat_map(|member| &member.needs);
    let mut todo: Vec<&ServiceName> = of(service).collect();
    let mut seen = BTreeSet::new();
    while let Some(need) = todo.pop() {
        if seen.insert(need) {
            todo.extend(of(need));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile;

    fn roster(text: &str) -> Roster {
        let names = ["db", "api", "web", "jobs"];
        let listed = |name| (ServiceName::new(name).unwrap(), compile::Listed::default());
        let head = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: shop}\n";
        let (roster, found) = compile::fleet(&format!("{head}{text}"), &names.map(listed).into());
        roster.unwrap_or_else(|| panic!("{found:?}"))
    }

    fn told(old: &str, new: &str) -> Vec<String> {
        let comparison = fleets(&roster(old), &roster(new));
        let line = |change: &Change| {
            format!("{} {}: {}", change.weight, change.subject.as_deref().unwrap_or("-"), change.message)
        };
        comparison.changes.iter().map(line).collect()
    }

    const CHAIN: &str =
        "members:\n  - {runbook: db}\n  - {runbook: api, needs: [db]}\n  - {runbook: web, needs: [api]}\n";

    #[test]
    fn a_member_that_is_left_out_is_the_danger_and_one_more_is_not() {
        let less = "members:\n  - {runbook: db}\n  - {runbook: api, needs: [db]}\n";
        assert_eq!(told(CHAIN, less), ["worse web: is not moved any more"]);
        assert_eq!(told(less, CHAIN), ["neutral web: is moved as well"]);
        assert_eq!(told(CHAIN, CHAIN), [""; 0]);
    }

    #[test]
    fn only_an_order_that_holds_in_no_way_is_lost() {
        let direct = CHAIN.replace("needs: [api]", "needs: [api, db]");
        assert_eq!(told(&direct, CHAIN), [""; 0]);
        assert_eq!(told(CHAIN, &direct), [""; 0]);
        let loose = CHAIN.replace("needs: [db]", "needs: []");
        assert_eq!(told(CHAIN, &loose), ["worse api: no longer waits until db has recovered"]);
        assert_eq!(told(&loose, CHAIN), ["better api: waits until db has recovered"]);
    }

    #[test]
    fn more_trouble_and_longer_times_are_worse() {
        let patient = format!(
            "objectives: {{rto: 2h}}\nmax_parallel: 2\non_member_failure: {{stop_after: 2}}\n{CHAIN}"
        );
        let strict = format!("objectives: {{rto: 1h}}\n{CHAIN}");
        let said = told(&strict, &patient);
        let count = |weight: &str| said.iter().filter(|line| line.starts_with(weight)).count();
        assert_eq!((count("worse"), count("neutral")), (2, 1), "{said:#?}");
        assert!(said.iter().any(|line| line.contains("at most 2 in trouble (was at most 0)")), "{said:#?}");
        assert!(told(&patient, &strict).iter().all(|line| !line.starts_with("worse")));
    }

    #[test]
    fn the_values_of_parameters_are_not_told() {
        let mut with = roster(CHAIN);
        with.members[0].with = serde_json::from_str(r#"{"token": "s3cr3t"}"#).unwrap();
        let said = format!("{:?}", fleets(&roster(CHAIN), &with).changes);
        assert!(said.contains("parameter token") && !said.contains("s3cr3t"), "{said}");
    }
}
