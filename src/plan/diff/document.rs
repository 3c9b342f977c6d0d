//! Compares what two runbooks say beside their steps: objectives, sites, residency, secrets, acceptances.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Topic, Weight, grown};
use super::drills::drills;
use crate::model::id::SiteName;
use crate::model::runbook::{Accept, Runbook};
use crate::model::time::Duration;
use crate::model::trigger::{HowToStart, Trigger};
use crate::model::values::{Objectives, Secret, Site};

/// Every difference that does not depend on the operation.
pub(super) fn document(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let mut changes = service(old, new);
    changes.extend(objectives(old.objectives, new.objectives));
    changes.extend(sites(old, new));
    changes.extend(residency(old, new));
    changes.extend(drills(old, new));
    changes.extend(accepted(old, new));
    changes.extend(secrets(old, new));
    changes.extend(parameters(old, new));
    changes.extend(dependencies(old, new));
    changes.extend(triggers(old, new));
    changes
}

fn service(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let change = |message: String| Change::new(Topic::Service, None, message);
    let mut changes = Vec::new();
    let (before, now) = (&old.metadata.name, &new.metadata.name);
    if before != now {
        let message = format!("is called {now} (was {before}): where it runs is recorded under the old name");
        changes.push(change(message).worse().values(before, now));
    }
    if old.strategy != new.strategy {
        let named =
            |runbook: &Runbook| runbook.strategy.map_or("none".to_owned(), |strategy| strategy.to_string());
        let message = format!("the strategy is {} (was {})", named(new), named(old));
        let weight = if new.strategy.is_none() { Weight::Worse } else { Weight::Neutral };
        changes.push(change(message).weighing(weight).values(old.strategy, new.strategy));
    }
    let labels = (&old.metadata.labels, &new.metadata.labels);
    for name in labels.0.keys().chain(labels.1.keys()).collect::<BTreeSet<_>>() {
        let (before, now) = (labels.0.get(name), labels.1.get(name));
        if before != now {
            let said = |value: Option<&String>| value.map_or("none".to_owned(), Clone::clone);
            let message = format!("the label {name} is {} (was {})", said(now), said(before));
            changes.push(change(message).values(before, now));
        }
    }
    changes
}

pub(super) fn objectives(before: Objectives, now: Objectives) -> Vec<Change> {
    let all = [("RTO", before.rto, now.rto), ("RPO", before.rpo, now.rpo), ("MTD", before.mtd, now.mtd)];
    let differing = all.into_iter().filter(|(_, before, now)| before != now);
    let named = |time: Option<Duration>| time.map_or("none".to_owned(), |time| time.to_string());
    let said = differing.map(|(name, before, now)| {
        let length = |time: Option<Duration>| time.map_or(u64::MAX, Duration::as_millis);
        let message = format!("the {name} is {} (was {})", named(now), named(before));
        Change::of(Topic::Objectives, &name.to_lowercase(), message)
            .weighing(grown(&length(before), &length(now)))
            .values(before, now)
    });
    said.collect()
}

fn sites(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, site) in &old.sites {
        match new.sites.get(name) {
            None => changes.push(
                Change::of(Topic::Sites, name.as_str(), "the service cannot run here any more")
                    .removed()
                    .worse(),
            ),
            Some(now) => changes.extend(site_fields(name.as_str(), site, now)),
        }
    }
    let added = new.sites.iter().filter(|(name, _)| !old.sites.contains_key(*name));
    changes.extend(added.map(|(name, site)| {
        let region = site.region.as_deref().map_or_else(String::new, |region| format!(" in {region}"));
        let message = format!("the service can run here: a {} site{region}", site.role);
        Change::of(Topic::Sites, name.as_str(), message).added().better()
    }));
    changes.extend(together(old, new));
    changes
}

fn site_fields(name: &str, old: &Site, new: &Site) -> Vec<Change> {
    let fields = [
        ("role", Some(old.role.to_string()), Some(new.role.to_string())),
        ("provider", old.provider.clone(), new.provider.clone()),
        ("region", old.region.clone(), new.region.clone()),
        ("account", old.account.clone(), new.account.clone()),
        ("jurisdiction", old.jurisdiction.clone(), new.jurisdiction.clone()),
        ("failure domain", old.failure_domain.clone(), new.failure_domain.clone()),
    ];
    let differing = fields.into_iter().filter(|(_, before, now)| before != now);
    let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "not said".to_owned());
    let changes = differing.map(|(field, before, now)| {
        let message = format!("its {field} is {} (was {})", said(&now), said(&before));
        Change::of(Topic::Sites, name, message).values(before, now)
    });
    changes.collect()
}

/// Sites that fail together in the new version only.
fn together(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let (before, now) = (shared(old), shared(new));
    let worse = now.iter().filter(|pair| !before.contains(*pair)).map(|(one, other, what)| {
        let message = format!("{one} and {other} would be lost together: both are in {what}");
        Change::of(Topic::Sites, one.as_str(), message).added().worse()
    });
    let better = before.iter().filter(|pair| !now.contains(*pair)).map(|(one, other, what)| {
        let message = format!("{one} and {other} are no longer both in {what}");
        Change::of(Topic::Sites, one.as_str(), message).removed().better()
    });
    worse.chain(better).collect()
}

fn shared(runbook: &Runbook) -> BTreeSet<(SiteName, SiteName, String)> {
    let mut shared = BTreeSet::new();
    for (one, left) in &runbook.sites {
        for (other, right) in runbook.sites.iter().filter(|(other, _)| *other > one) {
            let same_provider = left.provider == right.provider;
            let region = left.region.as_ref().filter(|_| same_provider && left.region == right.region);
            let domain = left.failure_domain.as_ref().filter(|_| left.failure_domain == right.failure_domain);
            if let Some(what) = domain.or(region) {
                shared.insert((one.clone(), other.clone(), what.clone()));
            }
        }
    }
    shared
}

fn residency(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let change = |message: String| Change::new(Topic::Residency, None, message);
    match (&old.residency, &new.residency) {
        (None, None) => Vec::new(),
        (Some(old), None) => {
            let message = format!("the data may go anywhere (was {})", old.allow.join(", "));
            vec![change(message).removed().worse()]
        }
        (None, Some(new)) => {
            vec![change(format!("the data may only go to {}", new.allow.join(", "))).added().better()]
        }
        (Some(old), Some(new)) => {
            let may = new.allow.iter().filter(|place| !old.allow.contains(place));
            let may = may.map(|place| change(format!("the data may go to {place}")).added().worse());
            let must_not = old.allow.iter().filter(|place| !new.allow.contains(place));
            let must_not = must_not
                .map(|place| change(format!("the data may no longer go to {place}")).removed().better());
            may.chain(must_not).collect()
        }
    }
}

fn accepted(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let by_code = |runbook: &Runbook| -> BTreeMap<String, Accept> {
        runbook.accept.iter().map(|accept| (accept.code.clone(), accept.clone())).collect()
    };
    let (before, now) = (by_code(old), by_code(new));
    let mut changes = Vec::new();
    for (code, accept) in &now {
        let change = |message: String| Change::of(Topic::Accept, code, message);
        match before.get(code) {
            None => {
                let message = format!("is accepted until {}: {}", accept.until, accept.reason);
                changes.push(change(message).added().worse());
            }
            Some(known) if known.until != accept.until => {
                let message = format!("is accepted until {} (was {})", accept.until, known.until);
                // Days are written year first, so that they sort as texts.
                let weight = grown(&known.until, &accept.until);
                changes.push(change(message).weighing(weight).values(&known.until, &accept.until));
            }
            Some(known) if known.reason != accept.reason => {
                changes.push(change(format!("is accepted for another reason: {}", accept.reason)));
            }
            Some(_) => {}
        }
    }
    let ended = before.keys().filter(|code| !now.contains_key(*code));
    changes.extend(
        ended.map(|code| Change::of(Topic::Accept, code, "is no longer accepted").removed().better()),
    );
    changes
}

fn secrets(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let source = |secret: &Secret| {
        let of = secret.name.as_ref().or(secret.path.as_ref()).or(secret.argv.first());
        format!("{} {}", secret.from, of.map_or("", String::as_str)).trim_end().to_owned()
    };
    let mut changes = Vec::new();
    for (name, secret) in &new.secrets {
        let change = |message: String| Change::of(Topic::Secrets, name, message);
        match old.secrets.get(name) {
            None => {
                let message = format!("a run needs a new secret, from {}", source(secret));
                changes.push(change(message).added());
            }
            Some(known) if known != secret => {
                changes.push(change(format!("comes from {} (was {})", source(secret), source(known))));
            }
            Some(_) => {}
        }
    }
    let removed = old.secrets.keys().filter(|name| !new.secrets.contains_key(*name));
    changes.extend(removed.map(|name| Change::of(Topic::Secrets, name, "is not needed any more").removed()));
    changes
}

fn parameters(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, parameter) in &new.parameters {
        let change = |message: String| Change::of(Topic::Parameters, name, message);
        let asks = parameter.required && parameter.default.is_none();
        match old.parameters.get(name) {
            None if asks => {
                let message = "whoever starts a run must give it".to_owned();
                changes.push(change(message).added().worse());
            }
            None => changes.push(change("a new parameter".to_owned()).added()),
            Some(known) => {
                if asks && !(known.required && known.default.is_none()) {
                    changes.push(change("whoever starts a run must give it now".to_owned()).worse());
                }
                if known.default != parameter.default && !parameter.sensitive && !known.sensitive {
                    let message = "has another default".to_owned();
                    changes.push(change(message).values(&known.default, &parameter.default));
                }
                if known.sensitive && !parameter.sensitive {
                    changes.push(change("is stored in the journal now".to_owned()).worse());
                }
            }
        }
    }
    let removed = old.parameters.keys().filter(|name| !new.parameters.contains_key(*name));
    changes.extend(removed.map(|name| Change::of(Topic::Parameters, name, "is gone").removed()));
    changes
}

fn dependencies(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let named = |runbook: &Runbook| -> BTreeMap<String, SiteName> {
        let all = runbook.dependencies.iter();
        all.map(|it| (format!("{} {}", it.kind, it.name), it.site.clone())).collect()
    };
    let (before, now) = (named(old), named(new));
    let mut changes = Vec::new();
    for (name, site) in &now {
        match before.get(name) {
            None => changes.push(
                Change::of(Topic::Dependencies, name, format!("the recovery needs it, in {site}")).added(),
            ),
            Some(known) if known != site => {
                let change = Change::of(Topic::Dependencies, name, format!("is in {site} (was {known})"));
                let outside = |site: &SiteName| !new.sites.contains_key(site);
                changes.push(match (outside(known), outside(site)) {
                    (true, false) => change.worse(),
                    (false, true) => change.better(),
                    (true, true) | (false, false) => change,
                });
            }
            Some(_) => {}
        }
    }
    let removed = before.keys().filter(|name| !now.contains_key(*name));
    changes.extend(
        removed.map(|name| Change::of(Topic::Dependencies, name, "is no longer said to be needed").removed()),
    );
    changes
}

fn triggers(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let at_once = |trigger: &Trigger| trigger.how() == HowToStart::Immediate && !trigger.shadow;
    let find = |runbook: &Runbook, name: &str| {
        runbook.triggers.iter().find(|trigger| trigger.name.as_str() == name).cloned()
    };
    let mut changes = Vec::new();
    for trigger in &new.triggers {
        let name = trigger.name.as_str();
        let change = |message: &str| Change::of(Topic::Triggers, name, message);
        let worse = |yes: bool| if yes { Weight::Worse } else { Weight::Neutral };
        match find(old, name) {
            None if at_once(trigger) => changes.push(change("starts runs without a person").added().worse()),
            None => changes.push(change("stages runs").added()),
            Some(known) if at_once(&known) != at_once(trigger) => {
                let message =
                    if at_once(trigger) { "starts runs without a person now" } else { "stages runs now" };
                changes.push(change(message).weighing(worse(at_once(trigger))));
            }
            Some(known) if known != *trigger => changes.push(change("is another")),
            Some(_) => {}
        }
    }
    let removed = old.triggers.iter().filter(|known| find(new, known.name.as_str()).is_none());
    changes
        .extend(removed.map(|known| Change::of(Topic::Triggers, known.name.as_str(), "is gone").removed()));
    changes
}
