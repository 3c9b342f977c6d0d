//! Steps that are dangerous by what they do where they stand, whatever was there before.

use super::change::{Change, Topic};
use super::view::{Unit, View};
use crate::model::run::Phase;

/// A step that sends users away before the data they need is writable.
pub(super) fn early(unit: &Unit<'_>, view: &View<'_>) -> Option<Change> {
    let at = *view.by_id.get(unit.id)?;
    let shifts = unit.class().shift && unit.main.phase != Some(Phase::Freeze);
    let promotes = |other: &usize| view.unit(*other).is_some_and(|other| other.class().promote);
    let late =
        (0..view.units.len()).filter(promotes).find(|other| *other != at && !view.is_before(*other, at));
    let promotion = view.unit(late.filter(|_| shifts && view.is_ordered())?)?;
    let message = format!("moves users without waiting for {}, which makes data writable", promotion.id);
    Some(Change::of(Topic::Order, unit.id, message).worse())
}

/// A step that starts something again at the site the service leaves.
pub(super) fn revives(unit: &Unit<'_>, view: &View<'_>) -> Option<Change> {
    let later = matches!(unit.main.phase, Some(Phase::Commit | Phase::Cleanup | Phase::Reprotect));
    let site = view.plan.from.as_ref().filter(|_| !later && view.starts_at_source(unit))?;
    let message = format!("starts something at {site}, which the service leaves");
    Some(Change::of(Topic::Fence, unit.id, message).worse())
}
