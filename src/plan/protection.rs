//! Which nodes rebuild protection: of the site the service moves to, before it moves, and of the one it left.

use super::drill::Section;
use super::node::{Node, NodeIndex, NodeKind};
use crate::model::run::Phase;

/// The nodes of phase `reprotect`, by the site they make usable again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protection {
    /// Effects before the service moves: they rebuild the site it moves to.
    pub of_target: Vec<NodeIndex>,
    /// Nodes after the service has moved: they rebuild the site it left.
    pub of_source: Vec<NodeIndex>,
}

impl Protection {
    /// Sorts the nodes of a plan; each node stands after all it needs.
    #[must_use]
    pub fn of(nodes: &[Node]) -> Self {
        Self::of_way(nodes, false)
    }

    /// Sorts the nodes of the way back of a drill.
    #[must_use]
    pub(super) fn of_return(nodes: &[Node]) -> Self {
        Self::of_way(nodes, true)
    }

    fn of_way(nodes: &[Node], back: bool) -> Self {
        let mut protection = Self::default();
        let mut moved = vec![false; nodes.len()];
        for (position, (index, node)) in (0..).zip(nodes).enumerate() {
            let after = node.needs.iter().any(|edge| moved[edge.node as usize]);
            moved[position] =
                after || matches!(node.phase, Some(Phase::Promote | Phase::Restore | Phase::Shift));
            let of_way = (node.section() == Some(Section::Failback)) == back;
            if node.phase != Some(Phase::Reprotect) || !of_way {
                continue;
            }
            if after {
                protection.of_source.push(index);
            } else if matches!(node.kind, NodeKind::Effect { .. }) {
                protection.of_target.push(index);
            }
        }
        protection
    }
}
