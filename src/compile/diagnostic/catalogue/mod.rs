//! The catalogue of codes: what each means, why it matters, a wrong and a right example. Holds no logic.

pub(super) mod blocks;
pub(super) mod design;
pub(super) mod drill;
pub(super) mod exposure;
pub(super) mod expressions;
pub(super) mod fleet;
pub(super) mod graph;
pub(super) mod objectives;
pub(super) mod order;
pub(super) mod policy;
pub(super) mod safety;
pub(super) mod schedule;
pub(super) mod strategy;
pub(super) mod survival;
pub(super) mod syntax;
pub(super) mod trigger;

use super::Severity;
use super::code::Entry;

/// A rule whose breach keeps the runbook from being used; nobody can accept it.
const fn error(title: &'static str, text: &'static str, wrong: &'static str, right: &'static str) -> Entry {
    Entry { title, severity: Severity::Error, acceptable: false, text, wrong, right }
}

/// A rule whose breach keeps the runbook from being used until the author accepts it.
const fn acceptable(
    title: &'static str,
    text: &'static str,
    wrong: &'static str,
    right: &'static str,
) -> Entry {
    Entry { title, severity: Severity::Error, acceptable: true, text, wrong, right }
}

/// A rule whose breach is shown, and that nothing in the runbook can accept.
const fn notice(title: &'static str, text: &'static str, wrong: &'static str, right: &'static str) -> Entry {
    Entry { title, severity: Severity::Warning, acceptable: false, text, wrong, right }
}

/// A rule whose breach is shown; the author can accept it.
const fn warning(title: &'static str, text: &'static str, wrong: &'static str, right: &'static str) -> Entry {
    Entry { title, severity: Severity::Warning, acceptable: true, text, wrong, right }
}
