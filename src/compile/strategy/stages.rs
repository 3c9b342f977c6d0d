//! The stages of a recovery, in the safe order of each strategy. Knows nothing of components.

use crate::model::run::Phase;
use crate::model::runbook::Strategy;

/// A group of derived steps. Two stages rebuild protection: one before a return, one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Rebuild,
    Assess,
    Freeze,
    Fence,
    Decide,
    Restore,
    Promote,
    Scale,
    Enable,
    Verify,
    Shift,
    Validate,
    Commit,
    Cleanup,
    Protect,
}

impl Stage {
    pub(super) const ALL: [Self; 15] = [
        Self::Rebuild,
        Self::Assess,
        Self::Freeze,
        Self::Fence,
        Self::Decide,
        Self::Restore,
        Self::Promote,
        Self::Scale,
        Self::Enable,
        Self::Verify,
        Self::Shift,
        Self::Validate,
        Self::Commit,
        Self::Cleanup,
        Self::Protect,
    ];

    /// Id of its group.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Protect => "protect",
            other => other.phase().as_str(),
        }
    }

    pub(super) const fn phase(self) -> Phase {
        match self {
            Self::Rebuild | Self::Protect => Phase::Reprotect,
            Self::Assess => Phase::Assess,
            Self::Freeze => Phase::Freeze,
            Self::Fence => Phase::Fence,
            Self::Decide => Phase::Decide,
            Self::Restore => Phase::Restore,
            Self::Promote => Phase::Promote,
            Self::Scale => Phase::Scale,
            Self::Enable => Phase::Enable,
            Self::Verify => Phase::Verify,
            Self::Shift => Phase::Shift,
            Self::Validate => Phase::Validate,
            Self::Commit => Phase::Commit,
            Self::Cleanup => Phase::Cleanup,
        }
    }

    /// The stage of an author's own step of a phase.
    pub(super) fn of(phase: Phase) -> Self {
        // Protection that an author adds is rebuilt once the service is safe.
        Self::ALL.into_iter().rev().find(|stage| stage.phase() == phase).unwrap_or(Self::Protect)
    }

    /// Stages that must be over before this one begins; where one of them is empty, those before it.
    const fn after(self, strategy: Strategy) -> &'static [Self] {
        match (strategy, self) {
            (_, Self::Rebuild) => &[],
            (_, Self::Assess | Self::Freeze) => &[Self::Rebuild],
            (Strategy::ActiveActive, Self::Scale) => &[Self::Assess, Self::Freeze],
            (Strategy::ActiveActive, Self::Enable) => &[Self::Scale],
            (Strategy::ActiveActive, Self::Verify) => &[Self::Enable],
            (Strategy::ActiveActive, Self::Shift) => &[Self::Decide, Self::Verify],
            (Strategy::ActiveActive, Self::Fence) => &[Self::Shift],
            (Strategy::ActiveActive, Self::Decide) => &[Self::Assess],
            (Strategy::ActiveActive, Self::Validate) => &[Self::Fence],
            // Growing can be taken back, so it waits for nobody.
            (_, Self::Scale) => &[Self::Assess],
            (_, Self::Fence) => &[Self::Assess, Self::Freeze],
            (_, Self::Decide) => &[Self::Fence],
            (_, Self::Restore | Self::Promote) => &[Self::Decide],
            (_, Self::Enable) => &[Self::Restore, Self::Promote, Self::Scale],
            (_, Self::Verify) => &[Self::Enable],
            (_, Self::Shift) => &[Self::Verify],
            (_, Self::Validate) => &[Self::Shift],
            (_, Self::Commit) => &[Self::Validate],
            (_, Self::Cleanup) => &[Self::Commit],
            (_, Self::Protect) => &[Self::Cleanup],
        }
    }

    /// The groups this one waits for, of those that are there.
    pub(super) fn needs(self, strategy: Strategy, present: &[Self]) -> Vec<Self> {
        let mut found = Vec::new();
        for before in self.after(strategy) {
            let nearest =
                if present.contains(before) { vec![*before] } else { before.needs(strategy, present) };
            found.extend(nearest.into_iter().filter(|stage| !found.contains(stage)).collect::<Vec<_>>());
        }
        found.sort();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_stage_passes_on_what_it_waits_for() {
        let present = [Stage::Assess, Stage::Fence, Stage::Promote, Stage::Scale, Stage::Shift];
        let needs = |stage: Stage| stage.needs(Strategy::WarmStandby, &present);
        assert_eq!(needs(Stage::Assess), []);
        assert_eq!(needs(Stage::Promote), [Stage::Fence]);
        assert_eq!(needs(Stage::Shift), [Stage::Fence, Stage::Promote, Stage::Scale]);
        let present = [Stage::Assess, Stage::Fence, Stage::Scale, Stage::Shift];
        assert_eq!(Stage::Fence.needs(Strategy::ActiveActive, &present), [Stage::Shift]);
    }
}
