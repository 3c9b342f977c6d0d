//! Whether a run succeeded by itself, and what speaks against it: numbers of a run that was helped along are
//! marked so. Changes nothing.

use super::event::{FenceResult, SkipCause};
use super::state::{NodeState, RunState};
use super::{child, overrides};
use crate::model::run::NodeStatus;

/// Something that makes a run not clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blemish {
    /// A person asked for more than its start and what it asks for itself, or did a step by hand.
    Intervened,
    /// A rule, a finding or the safety of a step was overridden.
    Overridden,
    /// Something failed, and it went on.
    Ignored,
    /// A fence could not be confirmed: the old primary may still accept writes.
    Unfenced,
    /// A run that it began has succeeded with warnings.
    Children,
}

/// All that speaks against it.
#[must_use]
pub fn blemishes(state: &RunState) -> Vec<Blemish> {
    let any = |is: fn(&NodeState) -> bool| state.nodes.iter().any(|node| is(node));
    let helped = state
        .interventions
        .iter()
        .any(|intervention| !matches!(intervention.verb.as_str(), "start" | "approve" | "deny" | "attest"));
    let by_hand = any(|node| {
        node.status == NodeStatus::MarkedDone || matches!(node.skipped, Some(SkipCause::Person { .. }))
    });
    let overridden = state.created.notes.keys().any(|note| overrides::is_override(note));
    let ignored = any(|node| matches!(node.status, NodeStatus::FailedIgnored | NodeStatus::TimedOut));
    let all = [
        (Blemish::Intervened, helped || by_hand),
        (Blemish::Overridden, overridden || any(|node| node.overridden)),
        (Blemish::Ignored, ignored),
        (Blemish::Unfenced, any(is_unconfirmed)),
        (Blemish::Children, child::warned(state)),
    ];
    all.into_iter().filter(|(_, is_so)| *is_so).map(|(blemish, _)| blemish).collect()
}

/// Says whether nothing speaks against it.
#[must_use]
pub fn is_clean(state: &RunState) -> bool {
    blemishes(state).is_empty()
}

/// Says whether a node is a fence that could not be confirmed.
#[must_use]
pub const fn is_unconfirmed(node: &NodeState) -> bool {
    matches!(node.fence, Some(FenceResult::Unconfirmed(_)))
}
