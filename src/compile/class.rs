//! What a step means for the safe order, by its phase and by what its action does. Never judges the order.

use serde_json::Value;

use super::lint::fences::Fences;
use super::outline::Entry;
use crate::model::action::ActionName;
use crate::model::action::meaning::{Aim, Meaning, asks, destination, meaning};
use crate::model::run::Phase;

/// What a step means for the order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Fence,
    Promote,
    Verify,
    Shift,
}

impl Class {
    pub(super) const fn bit(self) -> u64 {
        match self {
            Self::Fence => 1,
            Self::Promote => 2,
            Self::Verify => 4,
            Self::Shift => 8,
        }
    }
}

/// The classes of a step, as bits: by its phase and by what its action does. One that only looks neither
/// fences nor promotes, in whatever phase it stands.
pub(super) fn classes(entry: &Entry<'_>, judge: &Fences<'_>) -> u64 {
    let Some(action) = entry.step.uses else { return 0 };
    if matches!(entry.phase, Some(Phase::Cleanup | Phase::Reprotect | Phase::Commit)) {
        return 0;
    }
    let meaning = meaning(action, &entry.step.with);
    let in_promotion = matches!(entry.phase, Some(Phase::Promote | Phase::Restore));
    let promotes = match meaning {
        Meaning::Looks | Meaning::Shifts => false,
        Meaning::Promotes => true,
        Meaning::Copies | Meaning::Stops | Meaning::Consumes | Meaning::Grows | Meaning::Other => {
            in_promotion
        }
    };
    // Users may be sent to a maintenance page before the fence, and by the test of the recovery.
    let in_place = matches!(entry.phase, Some(Phase::Freeze | Phase::Fence | Phase::Validate));
    let shifts = match meaning {
        Meaning::Looks => false,
        Meaning::Shifts => !in_place || sends_on(action, entry, judge),
        Meaning::Copies
        | Meaning::Stops
        | Meaning::Consumes
        | Meaning::Grows
        | Meaning::Promotes
        | Meaning::Other => entry.phase == Some(Phase::Shift),
    };
    let verifies = entry.phase == Some(Phase::Verify) && !promotes && asks(action);
    let fences = judge.judge(entry).is_ok();
    [(Class::Fence, fences), (Class::Promote, promotes), (Class::Verify, verifies), (Class::Shift, shifts)]
        .into_iter()
        .fold(0, |bits, (class, is)| if is { bits | class.bit() } else { bits })
}

/// Whether users would be at the new site, and not at a page that says why the service is away.
fn sends_on(action: ActionName, entry: &Entry<'_>, judge: &Fences<'_>) -> bool {
    match judge.sends_to(entry) {
        Aim::Elsewhere => true,
        Aim::From => false,
        // A control that is switched on lets users in somewhere; what is drained spreads over the others.
        Aim::Unknown => match action {
            ActionName::AwsRoute53DrainSite => true,
            ActionName::AwsArcSetRoutingControls => {
                destination(action, &entry.step.with).is_some_and(|on| on != Value::Array(Vec::new()))
            }
            _ => false,
        },
    }
}
