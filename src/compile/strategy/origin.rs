//! What is still known of the components once they have become steps. Never changes the steps.

use super::declared::Declared;
use crate::compile::reporter::Reporter;
use crate::model::time::Duration;

/// What the steps of a document were derived from; nothing in an explicit one.
pub(in crate::compile) struct Origin(Option<Declared>);

impl Origin {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) const fn of(declared: Declared) -> Self {
        Self(Some(declared))
    }

    /// Says of what the derived workflow lacks which component it would have come from.
    pub(in crate::compile) fn advise(&self, reporter: &mut Reporter<'_>) {
        if let Some(declared) = &self.0 {
            declared.advise(reporter);
        }
    }

    /// The longest time in which users follow a move, as a component states it, and where it does.
    pub(in crate::compile) fn users_follow(&self) -> Option<(Duration, String)> {
        self.0.as_ref().and_then(Declared::users_follow)
    }
}
