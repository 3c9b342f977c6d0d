//! What an unwind must have taken back, and what it may leave.

use std::collections::BTreeSet;

use drctl::engine::RunState;
use drctl::model::id::NodeAddress;
use drctl::model::run::NodeStatus;
use drctl::plan::{NodeIndex, NodeKind};

use crate::case::Case;
use crate::checker;
use crate::estate::{facts, touched};
use crate::world::World;

/// What had been applied when the unwind was asked for.
pub(crate) struct Applied {
    /// Nodes that can be taken back.
    pub(crate) with_way: Vec<NodeIndex>,
    /// Nodes that stay as they are.
    pub(crate) left: BTreeSet<NodeAddress>,
}

impl Applied {
    pub(crate) fn before(case: &Case, state: &RunState) -> Self {
        let mut applied = Self { with_way: Vec::new(), left: BTreeSet::new() };
        for (index, node) in (0..).zip(&case.plan.plan.nodes) {
            let effect = matches!(node.kind, NodeKind::Effect { .. }) && case.mutates(node);
            if !effect || state.node(index).status != NodeStatus::Succeeded {
                continue;
            }
            if node.undo.is_some() {
                applied.with_way.push(index);
            } else {
                applied.left.insert(node.address.clone());
            }
        }
        applied
    }

    /// The estate is as it was found, but for what is left, and that is named. Nothing was taken back before
    /// what came after it.
    pub(crate) async fn is_taken_back(&self, case: &Case, world: &World, state: &RunState, what: &str) {
        let told = state.cause.clone().unwrap_or_default();
        let named: BTreeSet<_> = told.rsplit(": ").next().unwrap().split(", ").collect();
        assert!(self.left.iter().all(|address| named.contains(address.as_str())), "{what}: {told}");
        let estate = world.estate.snapshot();
        let effects = estate.ledger().iter().filter(|(_, effect)| self.left.contains(&effect.node));
        let excused: BTreeSet<_> = effects.flat_map(|(_, effect)| touched(&effect.change)).collect();
        let found = world.found.as_ref().unwrap().facts();
        for (name, fact) in facts(&estate).iter().filter(|(name, _)| !excused.contains(*name)) {
            assert_eq!(Some(fact), found.get(name), "{what}: {name}");
        }
        let events = world.events().await;
        checker::undone_in_reverse(&case.plan, &events).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}
