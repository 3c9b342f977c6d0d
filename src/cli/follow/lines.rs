//! One line for each fact, for pipes and logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::output;
use crate::engine::{IndexedPlan, RunState};
use crate::evidence::{describe, is_news};
use crate::plan::NodeIndex;
use crate::runtime::{Follower, Recorded};

/// Writes a line for each fact to standard error.
pub(crate) struct Lines {
    leave: Arc<AtomicBool>,
}

impl Lines {
    /// Makes a follower that leaves when it is told to.
    pub(crate) fn new(leave: Arc<AtomicBool>) -> Self {
        Self { leave }
    }
}

impl Follower for Lines {
    fn recorded(&self, plan: &IndexedPlan, _: &RunState, facts: &[Recorded]) {
        for fact in facts {
            if is_news(plan, &fact.event) {
                output::say(&format!("{} {}", fact.at, describe(plan, &fact.event)));
            }
        }
    }

    fn progress(&self, plan: &IndexedPlan, node: NodeIndex, line: &str) {
        let address = plan.plan.nodes.get(node as usize).map_or("?", |node| node.address.as_str());
        tracing::info!(node = address, "{line}");
    }

    fn wants_to_leave(&self) -> bool {
        self.leave.load(Ordering::SeqCst)
    }
}
