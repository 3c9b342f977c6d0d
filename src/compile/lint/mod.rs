//! What a sound runbook is likely to regret on the bad day. Nothing here changes the runbook, and nothing is
//! said that somebody on call would not agree with.

mod call;
mod cloud;
mod credentials;
pub(super) mod fences;
mod left_out;
mod objectives;
mod places;
mod residency;
mod safety;
mod same;
mod scene;
mod strategy;
mod survival;
mod thing;

use super::check::Assumed;
use super::graph::Graph;
use super::outline::Outline;
use super::reporter::Reporter;
use crate::model::runbook::Runbook;

use fences::Fences;
use scene::Scene;

/// The lints of one runbook, which has no error of syntax, types or names.
pub(super) struct Lints<'r> {
    runbook: &'r Runbook,
    scenes: Vec<Scene<'r>>,
    assumed: &'r Assumed<'r>,
}

impl<'r> Lints<'r> {
    /// Prepares the lints; the site that is lost is by default each that is active.
    pub(super) fn new(runbook: &'r Runbook, assumed: &'r Assumed<'r>) -> Self {
        Self { runbook, scenes: scene::scenes(runbook, assumed.down), assumed }
    }

    /// What the steps of a workflow mean in each scene.
    pub(super) fn fences(&self) -> Fences<'_> {
        Fences::new(self.runbook, &self.scenes)
    }

    /// Looks at everything beside the workflows.
    pub(super) fn blocks(&self, reporter: &mut Reporter<'_>) {
        places::blocks(self.runbook, reporter);
        survival::blocks(self.runbook, &self.scenes, reporter);
        objectives::blocks(self.runbook, &self.scenes, reporter);
        residency::blocks(self.runbook, reporter);
        credentials::check(self.runbook, reporter);
    }

    /// Looks at one workflow.
    pub(super) fn workflow(&self, outline: &Outline<'_>, graph: &Graph, reporter: &mut Reporter<'_>) {
        let judge = match outline.name {
            "failover" => self.fences(),
            _ => Fences::unplaced(self.runbook),
        };
        safety::workflow(self.runbook, outline, &judge, reporter);
        places::workflow(self.runbook, outline, reporter);
        residency::workflow(self.runbook, outline, reporter);
        strategy::workflow(outline, graph, self.runbook.strategy, reporter);
        if outline.name == "failover" {
            if self.runbook.strategy.is_some() {
                left_out::workflow(outline, &self.scenes, &judge, reporter);
            }
            same::workflow(outline, &self.scenes, reporter);
            survival::workflow(outline, &self.scenes, reporter);
            let follow = self.assumed.users_follow.as_ref();
            objectives::workflow(self.runbook, (&self.scenes, follow), outline, graph, reporter);
        }
    }
}
