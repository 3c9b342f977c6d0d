//! What a step means for the safe order, by its phase and by what its action does. Never judges the order.

use super::outline::Entry;
use crate::model::action::meaning::{Meaning, meaning};
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
pub(super) fn classes(entry: &Entry<'_>, fences: bool) -> u64 {
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
    let shifts = entry.phase == Some(Phase::Shift) || (meaning == Meaning::Shifts && !in_place);
    let verifies = entry.phase == Some(Phase::Verify) && !promotes;
    [(Class::Fence, fences), (Class::Promote, promotes), (Class::Verify, verifies), (Class::Shift, shifts)]
        .into_iter()
        .fold(0, |bits, (class, is)| if is { bits | class.bit() } else { bits })
}
