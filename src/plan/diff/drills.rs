//! Compares how much of a recovery a drill would exercise.

use std::collections::BTreeMap;

use super::change::{Change, Topic, grown};
use crate::model::action::{DrillDefault, Effect, traits};
use crate::model::drill::{DrillRule, DrillVariant};
use crate::model::runbook::{Drill, Runbook, Schedule, Workflow};
use crate::model::step::Step;

/// What a step does in a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InDrill {
    Run,
    Other,
    Skip,
    Unsaid,
}

/// Every difference in what a drill exercises.
pub(super) fn drills(old: &Runbook, new: &Runbook) -> Vec<Change> {
    let mut changes = match (&old.drill, &new.drill) {
        (None, None) => Vec::new(),
        (Some(_), None) => {
            vec![Change::new(Topic::Drill, None, "there are no drills any more").removed().worse()]
        }
        (None, Some(drill)) => {
            vec![Change::new(Topic::Drill, None, format!("drills are {}", drill.level)).added().better()]
        }
        (Some(old), Some(new)) => both(old, new),
    };
    changes.extend(steps(old.workflows.failover.as_ref(), new.workflows.failover.as_ref()));
    changes.extend(steps(old.workflows.failback.as_ref(), new.workflows.failback.as_ref()));
    changes
}

fn both(old: &Drill, new: &Drill) -> Vec<Change> {
    let change = |message: String| Change::new(Topic::Drill, None, message);
    let mut changes = Vec::new();
    if old.level != new.level {
        let message = format!("drills are {} (was {})", new.level, old.level);
        changes.push(change(message).weighing(grown(&new.level, &old.level)).values(old.level, new.level));
    }
    if old.freshness != new.freshness {
        let named =
            |drill: &Drill| drill.freshness.map_or("never".to_owned(), |time| format!("after {time}"));
        let age = |drill: &Drill| drill.freshness.map_or(u64::MAX, crate::model::time::Duration::as_millis);
        let message = format!("a drill is stale {} (was {})", named(new), named(old));
        changes
            .push(change(message).weighing(grown(&age(old), &age(new))).values(old.freshness, new.freshness));
    }
    match (&old.schedule, &new.schedule) {
        (Some(_), None) => {
            changes.push(change("drills have no schedule any more".to_owned()).removed().worse());
        }
        (None, Some(schedule)) => {
            changes.push(change(format!("drills are due at `{}`", schedule.cron)).added().better());
        }
        (Some(before), Some(now)) if before != now => {
            let named = |schedule: &Schedule| schedule.cron.clone();
            changes.push(change("drills have another schedule".to_owned()).values(named(before), named(now)));
        }
        _ => {}
    }
    if old.guards.len() != new.guards.len() {
        let message = format!("{} guards before a drill (was {})", new.guards.len(), old.guards.len());
        changes.push(change(message).weighing(grown(&new.guards.len(), &old.guards.len())));
    }
    if old.boundary != new.boundary {
        changes.push(change("the boundary of drills is another".to_owned()));
    }
    if old.credentials != new.credentials {
        let named = |drill: &Drill| drill.credentials.clone().unwrap_or_else(|| "of real runs".to_owned());
        let message = format!("credentials of isolated drills are {} (was {})", named(new), named(old));
        let own = (new.credentials.is_some(), old.credentials.is_some());
        changes.push(change(message).weighing(grown(&own.0, &own.1)).values(named(old), named(new)));
    }
    if old.success != new.success {
        changes.push(change("a drill passes under other conditions".to_owned()));
    }
    changes
}

fn steps(old: Option<&Workflow>, new: Option<&Workflow>) -> Vec<Change> {
    let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
    let (before, now) = (by_id(&old.steps), by_id(&new.steps));
    let both = now.iter().filter_map(|(id, now)| Some((*id, *before.get(id)?, *now)));
    both.filter_map(|(id, before, now)| step(id, before, now)).collect()
}

fn step(id: &str, before: InDrill, now: InDrill) -> Option<Change> {
    let change = |message: &str| Change::of(Topic::Drill, id, message);
    match (before, now) {
        (InDrill::Run | InDrill::Other, InDrill::Skip) => {
            Some(change("is no longer exercised in a drill").removed().worse())
        }
        (InDrill::Run | InDrill::Other | InDrill::Skip, InDrill::Unsaid) => {
            Some(change("no longer says what it does in a drill").removed().worse())
        }
        (InDrill::Run, InDrill::Other) => Some(change("does something else in a drill")),
        (InDrill::Other, InDrill::Run) => Some(change("does the same in a drill").better()),
        (InDrill::Skip, InDrill::Run | InDrill::Other) => {
            Some(change("is exercised in a drill now").added().better())
        }
        (InDrill::Unsaid, InDrill::Run | InDrill::Other | InDrill::Skip) => {
            Some(change("says what it does in a drill").added().better())
        }
        (InDrill::Run, InDrill::Run)
        | (InDrill::Other, InDrill::Other)
        | (InDrill::Skip, InDrill::Skip)
        | (InDrill::Unsaid, InDrill::Unsaid) => None,
    }
}

fn by_id(steps: &[Step]) -> BTreeMap<&str, InDrill> {
    let mut found = BTreeMap::new();
    let mut todo: Vec<&Step> = steps.iter().collect();
    while let Some(step) = todo.pop() {
        todo.extend(&step.parallel);
        if let Some(action) = step.uses {
            let reads = traits::effect(action, &step.with) == Effect::Read;
            let said = match (&step.drill, action.spec().drill) {
                (Some(DrillRule::Always(DrillVariant::Run)), _) => InDrill::Run,
                (Some(rule), _) if rule.is_skip() => InDrill::Skip,
                (Some(_), _) => InDrill::Other,
                (None, DrillDefault::Run) => InDrill::Run,
                (None, DrillDefault::MustDeclare) if reads => InDrill::Run,
                (None, DrillDefault::Skip) => InDrill::Skip,
                (None, DrillDefault::MustDeclare) => InDrill::Unsaid,
            };
            found.insert(step.id.as_str(), said);
        }
    }
    found
}
