//! Which step of the old plan is which of the new one: by id, else by what it does where only one can be
//! meant.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::view::{Unit, View};
use crate::model::action::ActionName;
use crate::model::run::{Mode, Phase};

/// Units of both plans that are the same step, and those only one plan has.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Old and new place, in the order of the new plan.
    pub(super) both: Vec<(usize, usize)>,
    /// Places in the old plan.
    pub(super) removed: Vec<usize>,
    /// Places in the new plan.
    pub(super) added: Vec<usize>,
    to_new: HashMap<usize, usize>,
}

impl Pairs {
    /// The place in the new plan.
    pub(super) fn new_of(&self, old: usize) -> Option<usize> {
        self.to_new.get(&old).copied()
    }
}

/// Finds the pairs.
pub(super) fn pairs(old: &View<'_>, new: &View<'_>) -> Pairs {
    let mut both: Vec<(usize, usize)> =
        old.units.iter().enumerate().filter_map(|(at, unit)| Some((at, *new.by_id.get(unit.id)?))).collect();
    for exact in [true, false] {
        let taken: (HashSet<usize>, HashSet<usize>) = both.iter().copied().unzip();
        let left = free(old, &taken.0, exact);
        let mut right = free(new, &taken.1, exact);
        for (key, places) in left {
            if let ([one], Some([other])) = (&places[..], right.remove(&key).as_deref()) {
                both.push((*one, *other));
            }
        }
    }
    both.sort_unstable_by_key(|(_, new)| *new);
    let taken: (HashSet<usize>, HashSet<usize>) = both.iter().copied().unzip();
    Pairs {
        removed: (0..old.units.len()).filter(|at| !taken.0.contains(at)).collect(),
        added: (0..new.units.len()).filter(|at| !taken.1.contains(at)).collect(),
        to_new: both.iter().copied().collect(),
        both,
    }
}

/// What a step does, as far as it can be recognised by that.
type Deed = (Option<Phase>, ActionName, Option<String>);

/// Units that have no partner yet, by what they do.
fn free(view: &View<'_>, taken: &HashSet<usize>, exact: bool) -> HashMap<Deed, Vec<usize>> {
    let mut free: HashMap<Deed, Vec<usize>> = HashMap::new();
    for (at, unit) in view.units.iter().enumerate().filter(|(at, _)| !taken.contains(at)) {
        if let Some(deed) = deed(unit, exact) {
            free.entry(deed).or_default().push(at);
        }
    }
    free
}

fn deed(unit: &Unit<'_>, exact: bool) -> Option<Deed> {
    let call = unit.call(Mode::Graceful)?;
    let with = |with: &Map<String, Value>| crate::plan::of_value(&Value::Object(with.clone()));
    Some((unit.main.phase, call.action, exact.then(|| with(&call.with))))
}
