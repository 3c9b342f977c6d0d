//! What a sound document must keep to beyond its shape. Each file looks after one part; none changes the
//! runbook.

mod approval;
mod blocks;
mod call;
mod secret;
mod step;
mod values;

use super::expression::{Expressions, Place, Subject};
use super::graph::Graph;
use super::order;
use super::outline::Outline;
use super::reporter::Reporter;
use super::schema::Gaps;
use crate::model::runbook::{Runbook, Workflow};

/// Runs every check that the sound parts of a document allow.
pub(super) fn check(runbook: &Runbook, gaps: &Gaps, reporter: &mut Reporter<'_>) {
    blocks::check(runbook, gaps, reporter);
    values::check(runbook, reporter);
    let lenient = ["/parameters", "/secrets", "/sites"].iter().any(|block| gaps.touches(block));
    let mut expressions = Expressions::new(runbook, lenient);
    readings(runbook, gaps, &mut expressions, reporter);
    let workflows = [("failover", &runbook.workflows.failover), ("failback", &runbook.workflows.failback)];
    for (name, workflow) in workflows {
        if let Some(workflow) = workflow {
            check_workflow(name, workflow, runbook, gaps, &mut expressions, reporter);
        }
    }
}

fn check_workflow(
    name: &'static str,
    workflow: &Workflow,
    runbook: &Runbook,
    gaps: &Gaps,
    expressions: &mut Expressions<'_>,
    reporter: &mut Reporter<'_>,
) {
    let outline = Outline::new(name, &workflow.steps, gaps);
    let graph = Graph::new(&outline, gaps, reporter);
    for index in 0..outline.entries.len() {
        step::check(&outline, index, expressions, reporter);
    }
    expressions.settle(&outline, &graph, reporter);
    if !graph.cyclic && !outline.incomplete {
        order::check(&outline, &graph, runbook.strategy, reporter);
        approval::check_expiry(&outline, &graph, reporter);
    }
}

/// The recovery point readings, which belong to no step.
fn readings(runbook: &Runbook, gaps: &Gaps, expressions: &mut Expressions<'_>, reporter: &mut Reporter<'_>) {
    let mut at = 0;
    for reading in &runbook.recovery_point {
        while gaps.contains(&format!("/recovery_point/{at}")) {
            at += 1;
        }
        let pointer = format!("/recovery_point/{at}");
        call::check_reading(reading.uses, &reading.with, &pointer, reporter);
        let subject =
            Subject { outline: None, step: usize::MAX, place: Place::Reading, own: false, action: None };
        call::parameters(&reading.with, &format!("{pointer}/with"), subject, expressions, reporter);
        at += 1;
    }
}
