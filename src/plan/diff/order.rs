//! Compares what waits for what, and what stands before the point of no return.

use super::change::{Change, Sign, Topic};
use super::pairs::Pairs;
use super::view::{ORDERED, Unit, View};
use crate::model::run::Phase;

/// Steps named in one line; the others are counted.
const NAMED: usize = 4;

/// Every difference in the order of the steps that both plans have.
pub(super) fn order(old: &View<'_>, new: &View<'_>, pairs: &Pairs) -> Vec<Change> {
    let mut changes = point_of_no_return(old, new, pairs);
    if !old.is_ordered() || !new.is_ordered() {
        let message = format!("the order is not compared: there are more than {ORDERED} steps");
        changes.push(Change::new(Topic::Order, None, message));
        return changes;
    }
    let waits = Waits { old, new, pairs };
    changes.extend(waits.lost());
    changes.extend(waits.gained());
    changes
}

struct Waits<'a, 'p> {
    old: &'a View<'p>,
    new: &'a View<'p>,
    pairs: &'a Pairs,
}

/// A step and those it waits for in one of the plans only; places in both plans.
struct Moved {
    unit: (usize, usize),
    others: Vec<(usize, usize)>,
}

impl Waits<'_, '_> {
    fn lost(&self) -> Vec<Change> {
        let lost = self.differing(&|first, then| {
            self.old.is_before(first.0, then.0) && !self.new.is_before(first.1, then.1)
        });
        let within = |one: &Moved, other: &Moved| self.new.is_before(other.unit.1, one.unit.1);
        let shown = lost.iter().filter(|moved| {
            let covers = |other: &&Moved| within(moved, other) && includes(&other.others, &moved.others);
            self.matters(moved) || !lost.iter().any(|other| covers(&other))
        });
        shown.map(|moved| self.said(moved, Sign::Removed)).collect()
    }

    fn gained(&self) -> Vec<Change> {
        let gained = self.differing(&|first, then| {
            let reversed = self.old.is_before(then.0, first.0);
            self.new.is_before(first.1, then.1) && !self.old.is_before(first.0, then.0) && !reversed
        });
        let within = |one: &Moved, other: &Moved| self.new.is_before(other.unit.1, one.unit.1);
        let covered = |moved: &Moved| {
            gained.iter().any(|other| within(moved, other) && includes(&other.others, &moved.others))
        };
        gained.iter().filter(|moved| !covered(moved)).map(|moved| self.said(moved, Sign::Added)).collect()
    }

    /// For each step, those for which `differs(first, then)` holds.
    fn differing(&self, differs: &dyn Fn((usize, usize), (usize, usize)) -> bool) -> Vec<Moved> {
        let counted = |(_, new): &(usize, usize)| self.new.unit(*new).is_some_and(|unit| !unit.is_group());
        let pairs: Vec<(usize, usize)> = self.pairs.both.iter().copied().filter(counted).collect();
        let of = |unit: (usize, usize)| Moved {
            unit,
            others: pairs.iter().copied().filter(|first| differs(*first, unit)).collect(),
        };
        pairs.iter().map(|unit| of(*unit)).filter(|moved| !moved.others.is_empty()).collect()
    }

    /// Says whether one of the steps that are no longer waited for has to come first.
    fn matters(&self, moved: &Moved) -> bool {
        let Some(then) = self.new.unit(moved.unit.1) else { return false };
        moved.others.iter().filter_map(|other| self.new.unit(other.1)).any(|first| must_precede(first, then))
    }

    fn said(&self, moved: &Moved, sign: Sign) -> Change {
        let then = self.new.unit(moved.unit.1);
        let id = then.map_or("", |unit| unit.id);
        let mut others: Vec<(bool, &str, bool)> = moved
            .others
            .iter()
            .filter_map(|other| {
                let first = self.new.unit(other.1)?;
                let reversed = self.new.is_before(moved.unit.1, other.1);
                Some((then.is_some_and(|then| must_precede(first, then)), first.id, reversed))
            })
            .collect();
        // What must come first is named first, then what stands nearest.
        others.reverse();
        others.sort_by_key(|(matters, _, _)| !*matters);
        let dangerous = others.iter().any(|(matters, _, _)| *matters);
        let all_reversed = others.iter().all(|(_, _, reversed)| *reversed);
        let names: Vec<&str> = others.iter().map(|(_, id, _)| *id).collect();
        let names = listed(&names);
        let message = match sign {
            Sign::Removed if all_reversed => format!("is before {names} now (was after)"),
            Sign::Removed => format!("no longer waits for {names}"),
            Sign::Added | Sign::Changed => format!("waits for {names} now"),
        };
        let change = Change::of(Topic::Order, id, message);
        if sign == Sign::Removed && dangerous { change.worse() } else { change }
    }
}

fn includes(all: &[(usize, usize)], some: &[(usize, usize)]) -> bool {
    some.iter().all(|one| all.contains(one))
}

/// Says whether a recovery is more dangerous when one step no longer waits for the other.
fn must_precede(first: &Unit<'_>, then: &Unit<'_>) -> bool {
    let (before, after) = (first.class(), then.class());
    let exposes =
        after.promote || after.shift || then.main.phase == Some(Phase::Enable) || then.is_irreversible();
    let looks = before.verify || matches!(first.main.phase, Some(Phase::Assess | Phase::Decide));
    (before.fence && exposes)
        || (before.promote && (after.shift || then.main.phase == Some(Phase::Enable)))
        || (looks && exposes)
        || (first.main.phase == Some(Phase::Scale) && after.shift)
        || (before.shift && then.main.phase == Some(Phase::Validate))
}

fn listed(names: &[&str]) -> String {
    let shown = names.get(..NAMED).unwrap_or(names).join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A step that makes data writable without the gate that stood before it, or before what it takes the
/// place of.
fn ungated(old: &View<'_>, new: &View<'_>, pairs: &Pairs) -> Option<usize> {
    let promotes = |view: &View<'_>, at: usize| {
        view.unit(at).is_some_and(|unit| unit.class().promote && !unit.is_skipped(view.mode()))
    };
    // What needed no gate before needs none now.
    let was_free = |at: usize| {
        let before = pairs.both.iter().find(|(_, new)| *new == at).map(|(old, _)| *old);
        before.is_some_and(|old_at| {
            promotes(old, old_at) && old.unit(old_at).is_some_and(|it| !it.is_irreversible())
        })
    };
    (0..new.units.len()).find(|at| promotes(new, *at) && !was_free(*at))
}

fn point_of_no_return(old: &View<'_>, new: &View<'_>, pairs: &Pairs) -> Vec<Change> {
    let topic = Topic::PointOfNoReturn;
    let id = |view: &View<'_>, at: usize| view.unit(at).map_or(String::new(), |unit| unit.id.to_owned());
    let (before, now) = match (old.point_of_no_return(), new.point_of_no_return()) {
        (None, None) => return Vec::new(),
        (None, Some(now)) => {
            let message = format!("there is one now: {}", id(new, now));
            let known =
                pairs.both.iter().find(|(_, new)| *new == now).and_then(|(old_at, _)| old.unit(*old_at));
            let change = Change::new(topic, None, message).added();
            let late = |unit: &Unit<'_>| {
                unit.is_played_down() || unit.is_skipped(old.mode()) || unit.class().promote
            };
            return vec![if known.is_some_and(late) { change.better() } else { change.worse() }];
        }
        (Some(before), None) => {
            let change = |also: &str| {
                let message = format!("there is none any more (was {}){also}", id(old, before));
                Change::new(topic, None, message).removed()
            };
            if let Some(at) = ungated(old, new, pairs) {
                return vec![change(&format!(", although {} makes data writable", id(new, at))).worse()];
            }
            let still = pairs.new_of(before).and_then(|at| new.unit(at));
            // A step that is left out now is no gain: nothing does what it did.
            let none = still.is_some_and(|unit| unit.is_played_down() || unit.is_skipped(new.mode()));
            return vec![if none { change("") } else { change("").better() }];
        }
        (Some(before), Some(now)) => (before, now),
    };
    let mut changes = Vec::new();
    if pairs.new_of(before) != Some(now) {
        let earlier = pairs.both.iter().find(|(_, new)| *new == now);
        let earlier = earlier.is_some_and(|(same, _)| old.is_before(*same, before));
        let message = format!("is {} (was {})", id(new, now), id(old, before));
        let change = Change::new(topic, None, message).values(id(old, before), id(new, now));
        changes.push(if earlier { change.worse() } else { change });
    }
    let stood = |(left, right): &&(usize, usize)| {
        old.is_before_gate(*left) == Some(true) && new.is_before_gate(*right) == Some(false)
    };
    for (_, right) in pairs.both.iter().filter(stood) {
        let Some(unit) = new.unit(*right).filter(|unit| !unit.is_group()) else { continue };
        let change = Change::of(topic, unit.id, "is no longer over before the point of no return");
        changes.push(if unit.protects() { change.worse() } else { change });
    }
    changes
}
