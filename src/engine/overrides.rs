//! What a run was begun against: names of the notes that tell it. Must never hold what an override says.

/// Begins the name of a note about a finding that was accepted for one run.
pub const ACCEPTED_FINDING: &str = "accepted_";
/// Begins the name of a note about a rule of the policy that was overridden.
pub const AGAINST_POLICY: &str = "policy_override";
/// Name of the note about a run that is recorded in a journal of its own.
pub const BREAK_GLASS: &str = "break_glass";

/// Says whether a note of a run's creation tells that something was overridden.
#[must_use]
pub fn is_override(note: &str) -> bool {
    note.starts_with(AGAINST_POLICY) || note.starts_with(ACCEPTED_FINDING) || note == BREAK_GLASS
}
