//! What is wrong with a runbook that cannot be bound, and with a plan that cannot be used. Never holds a
//! sensitive value.

use std::collections::BTreeSet;

use crate::model::limits;

/// One reason why a runbook cannot be bound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// Where and what.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// Makes a problem of what is wrong and what to do.
    #[must_use]
    pub fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: Some(help.into()) }
    }
}

/// Stands between who needs an action and its name, where a build only simulates it.
pub(super) const ONLY_SIMULATED: &str = ": this build can only simulate ";

impl Problem {
    /// A build that can only simulate an action, for everybody who needs it.
    pub(super) fn only_simulated(owners: &BTreeSet<String>, action: &str) -> Self {
        let help = "run it on the simulated estate with `--simulate`, or do the same with `command.run`";
        Self::new(format!("{}{ONLY_SIMULATED}{action}", some(owners)), help)
    }
}

/// Several things in few words: the first ones by name, and how many there are.
fn some(all: &BTreeSet<String>) -> String {
    const NAMED: usize = 3;
    let named: Vec<&str> = all.iter().take(NAMED).map(String::as_str).collect();
    match all.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more ({} in all)", named.join(", "), all.len()),
    }
}

/// Why a stored plan cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A newer build wrote it.
    #[error("the plan is of format {0}, this build reads up to {format}", format = super::FORMAT)]
    Format(u32),
    /// It is larger than any plan this build makes.
    #[error("the plan has {0} nodes, more than {max}", max = limits::PLAN_NODES)]
    TooLarge(usize),
    /// Two nodes share an address.
    #[error("two nodes of the plan have the address `{0}`")]
    DuplicateAddress(String),
    /// A node needs, or has as a member, one that does not come before it.
    #[error("node `{node}` refers to number {refers_to}, which does not come before it")]
    Order {
        /// Address of the node.
        node: String,
        /// The number it refers to.
        refers_to: u32,
    },
    /// A lane lets nothing through.
    #[error("node `{0}` is in a lane of width 0")]
    ClosedLane(String),
}

/// The candidate most like a mistyped name, as a sentence; else all of them.
pub(super) fn did_you_mean<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = candidates.collect();
    let near = known.iter().map(|known| (distance(name, known), *known)).min();
    if let Some((distance, known)) = near
        && distance <= (name.len() / 3).max(1)
    {
        return format!("did you mean `{known}`?");
    }
    known.truncate(20);
    if known.is_empty() { "there are none".to_owned() } else { format!("there are: {}", known.join(", ")) }
}

/// Number of insertions, deletions and replacements between two short texts.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(limits::ID_CHARS).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(limits::ID_CHARS).enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let replaced = row[j] + usize::from(a != *b);
            next.push(replaced.min(row[j + 1] + 1).min(next[j] + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_proposed_and_a_far_one_is_answered_with_all() {
        let names = ["zone-id", "tasks"];
        assert_eq!(did_you_mean("zone_id", names.into_iter()), "did you mean `zone-id`?");
        assert_eq!(did_you_mean("x", names.into_iter()), "there are: zone-id, tasks");
        assert_eq!(did_you_mean("x", std::iter::empty()), "there are none");
    }
}
