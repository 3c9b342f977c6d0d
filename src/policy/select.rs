//! Which runs a part of a policy is about.

use crate::model::governance::Selection;
use crate::model::pattern::matches;
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
