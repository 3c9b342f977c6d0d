//! What is derived from a plan for those who work with it: successors, addresses, groups, estimates. Never
//! stored.

use std::collections::HashMap;

use super::error::Error;
use super::node::{NodeIndex, NodeKind, Plan};
use super::protection::Protection;
use super::{FORMAT, estimate, gates, graph};
use crate::model::id::{NodeAddress, StepId};
use crate::model::limits;
use crate::model::time::Duration;

/// Look-ups over a plan. Making one also proves that the plan is sound: indexes exist, nodes come after their
/// needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanIndex {
    /// The nodes that need each node, in order, each once.
    pub successors: Vec<Vec<NodeIndex>>,
    /// The node of each address.
    pub by_address: HashMap<NodeAddress, NodeIndex>,
    /// The nodes of each step, in order: approval, prechecks, the action, verifies, group, and those at the
    /// start.
    pub by_step: HashMap<StepId, Vec<NodeIndex>>,
    /// The group each node is a member of; of a group inside another one, the inner.
    pub group_of: Vec<Option<NodeIndex>>,
    /// The node that performs the action which a check or an approval belongs to; absent for the others.
    pub serves: Vec<Option<NodeIndex>>,
    /// How long each node is expected to take: as in earlier runs, else as estimated.
    pub expected: Vec<Duration>,
    /// Longest expected time from the start of each node to the end of the recovery, itself included, in the
    /// plan's own mode.
    pub tail: Vec<Duration>,
    /// The nodes on the longest path, in order.
    pub critical: Vec<NodeIndex>,
    /// Expected recovery time; commit, cleanup and reprotect come after it.
    pub estimate: Duration,
    /// Expected time of the whole plan.
    pub whole_estimate: Duration,
    /// The gate before the point of no return.
    pub gate: Option<NodeIndex>,
    /// The nodes that cannot be taken back, in order; the first is the point of no return.
    pub irreversible: Vec<NodeIndex>,
    /// The nodes that rebuild protection.
    pub protection: Protection,
    /// Those of the way back of a drill.
    pub return_protection: Protection,
}

impl PlanIndex {
    /// Checks a plan and derives its index.
    ///
    /// # Errors
    /// When the plan is not one that this build can work with, as a damaged or a newer journal may hold.
    pub fn new(plan: &Plan) -> Result<Self, Error> {
        validate(plan)?;
        let nodes = &plan.nodes;
        let mut by_address = HashMap::with_capacity(nodes.len());
        let mut by_step: HashMap<StepId, Vec<NodeIndex>> = HashMap::new();
        let mut group_of = vec![None; nodes.len()];
        let mut gate = None;
        for (index, node) in (0..).zip(nodes) {
            if by_address.insert(node.address.clone(), index).is_some() {
                return Err(Error::DuplicateAddress(node.address.to_string()));
            }
            if let Some(step) = &node.step {
                by_step.entry(step.clone()).or_default().push(index);
            }
            match &node.kind {
                NodeKind::Group { members, .. } => {
                    for member in members {
                        // A node of a group inside this one keeps the inner group.
                        group_of[*member as usize].get_or_insert(index);
                    }
                }
                NodeKind::Gate => gate = gate.or(Some(index)),
                _ => {}
            }
        }
        let mut successors = graph::successors(nodes);
        for successors in &mut successors {
            successors.dedup();
        }
        let (tail, critical) = estimate::expected(plan);
        Ok(Self {
            estimate: tail.iter().copied().max().unwrap_or_default(),
            whole_estimate: estimate::whole(plan).into_iter().max().unwrap_or_default(),
            expected: nodes.iter().map(|node| plan.expected(node)).collect(),
            serves: serves(plan, &by_address),
            irreversible: gates::irreversible(nodes),
            protection: Protection::of(nodes),
            return_protection: Protection::of_return(nodes),
            successors,
            by_address,
            by_step,
            group_of,
            tail,
            critical,
            gate,
        })
    }

    /// The node at an address.
    #[must_use]
    pub fn find(&self, address: &NodeAddress) -> Option<NodeIndex> {
        self.by_address.get(address).copied()
    }
}

fn validate(plan: &Plan) -> Result<(), Error> {
    if plan.format > FORMAT {
        return Err(Error::Format(plan.format));
    }
    if plan.nodes.len() > limits::PLAN_NODES {
        return Err(Error::TooLarge(plan.nodes.len()));
    }
    for (index, node) in (0..).zip(&plan.nodes) {
        let members: &[NodeIndex] =
            if let NodeKind::Group { members, .. } = &node.kind { members } else { &[] };
        let mut referred = node.needs.iter().map(|edge| edge.node).chain(members.iter().copied());
        if let Some(refers_to) = referred.find(|refers_to| *refers_to >= index) {
            return Err(Error::Order { node: node.address.to_string(), refers_to });
        }
        if node.lane.is_some_and(|lane| lane.width == 0) {
            return Err(Error::ClosedLane(node.address.to_string()));
        }
    }
    Ok(())
}

/// Finds the node at the address above: `promote` for `promote/verify-1` and for `start/promote/precheck-1`.
fn serves(plan: &Plan, by_address: &HashMap<NodeAddress, NodeIndex>) -> Vec<Option<NodeIndex>> {
    let above = |node: &super::node::Node| match &node.kind {
        NodeKind::Check { .. } | NodeKind::Approval { .. } => {
            let address = node.address.as_str();
            let address = address.strip_prefix("start/").unwrap_or(address);
            let (above, _) = address.rsplit_once('/')?;
            by_address.get(&NodeAddress::typed(above)).copied()
        }
        _ => None,
    };
    plan.nodes.iter().map(above).collect()
}
