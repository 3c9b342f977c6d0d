//! What a sound document must keep to beyond its shape. Each file looks after one part; none changes the
//! runbook.

mod approval;
mod blocks;
mod call;
mod drill;
mod schedule;
mod secret;
mod sites;
mod step;
mod trigger;
mod values;

use super::expression::{Expressions, Place, Subject};
use super::graph::Graph;
use super::lint::Lints;
use super::lint::fences::Fences;
use super::order;
use super::outline::Outline;
use super::reporter::Reporter;
use super::schema::Gaps;
use crate::model::id::SiteName;
use crate::model::runbook::{Runbook, Workflow};
use crate::model::time::Duration;

pub(super) use secret::is_secret_name;

/// What the checks take for granted beside the runbook.
pub(super) struct Assumed<'a> {
    /// The day.
    pub(super) today: jiff::civil::Date,
    /// The site that is lost.
    pub(super) down: Option<&'a SiteName>,
    /// Time in which users follow a move, as the author states it, and where.
    pub(super) users_follow: Option<(Duration, String)>,
}

/// Runs every check that the sound parts of a document allow. A document that is sound gets the lints too.
pub(super) fn check(runbook: &Runbook, gaps: &Gaps, assumed: &Assumed<'_>, reporter: &mut Reporter<'_>) {
    blocks::check(runbook, gaps, reporter);
    schedule::check(runbook, gaps, assumed.today, reporter);
    trigger::check(runbook, gaps, reporter);
    if !gaps.touches("/sites") {
        sites::check(runbook, reporter);
    }
    values::check(runbook, reporter);
    let lenient = ["/parameters", "/secrets", "/sites"].iter().any(|block| gaps.touches(block));
    let mut expressions = Expressions::new(runbook, lenient);
    readings(runbook, gaps, &mut expressions, reporter);
    drill::check(runbook, gaps, &mut expressions, reporter);
    // Where something could not be read, a scene would show a service that nobody wrote.
    let lints = gaps.is_empty().then(|| Lints::new(runbook, assumed));
    let workflows = [("failover", &runbook.workflows.failover), ("failback", &runbook.workflows.failback)];
    let checked: Vec<_> = (workflows.into_iter())
        .filter_map(|(name, workflow)| Some((name, workflow.as_ref()?)))
        .map(|(name, workflow)| {
            let fences = match &lints {
                Some(lints) if name == "failover" => lints.fences(),
                _ => Fences::unplaced(runbook),
            };
            check_workflow((name, workflow), runbook, gaps, &fences, &mut expressions, reporter)
        })
        .collect();
    let Some(lints) = lints.filter(|_| !reporter.is_unsound()) else { return };
    lints.blocks(reporter);
    for (outline, graph) in &checked {
        lints.workflow(outline, graph, reporter);
    }
}

fn check_workflow<'r>(
    (name, workflow): (&'static str, &'r Workflow),
    runbook: &'r Runbook,
    gaps: &'r Gaps,
    fences: &Fences<'_>,
    expressions: &mut Expressions<'_>,
    reporter: &mut Reporter<'_>,
) -> (Outline<'r>, Graph) {
    let outline = Outline::new(name, &workflow.steps, gaps);
    let graph = Graph::new(&outline, gaps, reporter);
    for index in 0..outline.entries.len() {
        step::check(&outline, index, expressions, reporter);
    }
    expressions.settle(&outline, &graph, reporter);
    drill::workflow(runbook, &outline, reporter);
    if !graph.cyclic && !outline.incomplete {
        order::check(&outline, &graph, &order::Demands::of(runbook), fences, reporter);
        approval::check_expiry(&outline, &graph, reporter);
    }
    (outline, graph)
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
