//! Which runs a part of a policy is about.

use crate::model::governance::Selection;
use crate::model::run::Operation;
use crate::model::runbook::Runbook;

/// Says whether a selection fits a run.
pub(super) fn fits(selection: &Selection, runbook: &Runbook, operation: Operation) -> bool {
    service(selection, runbook)
        && (selection.operations.is_empty() || selection.operations.contains(&operation))
}

/// Says whether a selection fits a service, whatever is done to it.
pub(super) fn service(selection: &Selection, runbook: &Runbook) -> bool {
    let labels = &runbook.metadata.labels;
    let name = runbook.metadata.name.as_str();
    selection.labels.iter().all(|(label, value)| labels.get(label) == Some(value))
        && (selection.services.is_empty() || selection.services.iter().any(|pattern| matches(pattern, name)))
        && (selection.strategies.is_empty()
            || runbook.strategy.is_some_and(|strategy| selection.strategies.contains(&strategy)))
}

/// Says whether a name fits a pattern in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = left.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, expected) in [
            ("pay", "pay", true),
            ("pay", "payments", false),
            ("pay*", "payments", true),
            ("*-api", "pay-api", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("*", "", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
