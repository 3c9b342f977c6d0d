//! What a check run consists of: checks at the start, first readings, and a question to the action of every
//! step. Must never leave anything in that changes the estate.

use super::node::{CheckPurpose, Lane, Node, NodeKind, ReadingPoint};
use crate::model::action::{Effect, traits};
use crate::model::expression::Expression;
use crate::model::id::NodeAddress;
use crate::model::policy::{OnFailure, Retry, Reversibility};
use crate::model::run::{Mode, Phase};
use crate::model::time::Duration;

/// Most actions asked at once: the services that answer have limits.
const WIDTH: u32 = 8;
/// Longest time of one question.
const TIMEOUT: Duration = Duration::from_secs(60);
const ESTIMATE: Duration = Duration::from_secs(2);

/// Keeps the looks, and asks each action that would be performed in a mode. Nothing among them needs another.
pub(super) fn only(nodes: Vec<Node>, mode: Mode) -> Vec<Node> {
    let lane = nodes.iter().filter_map(|node| Some(node.lane?.id)).max().unwrap_or(0) + 1;
    let looks = nodes.into_iter().filter_map(|node| match &node.kind {
        NodeKind::Check { purpose: CheckPurpose::Start, .. }
        | NodeKind::Reading { point: ReadingPoint::BeforeFence, .. } => Some(node),
        NodeKind::Effect { .. } => question(node, mode, lane),
        NodeKind::Check { .. }
        | NodeKind::Reading { .. }
        | NodeKind::Approval { .. }
        | NodeKind::Manual { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Gate
        | NodeKind::Group { .. } => None,
    });
    looks.collect()
}

/// The question to the action of a step, where it changes something and can tell beforehand.
fn question(node: Node, mode: Mode, lane: u32) -> Option<Node> {
    let call = node.call(mode)?.clone();
    if !call.action.spec().prechecks || traits::effect(call.action, &call.with) == Effect::Read {
        return None;
    }
    let kind = NodeKind::Check {
        call,
        until: None,
        within: None,
        every: Duration::from_secs(2),
        consecutive: 1,
        purpose: CheckPurpose::Ready,
    };
    Some(Node {
        address: NodeAddress::typed(format!("ready/{}", node.address)),
        title: format!("could it work now: {}", node.title),
        phase: Some(Phase::Assess),
        kind,
        needs: Vec::new(),
        when: node.when.filter(|when| !reads_steps(when)),
        timeout: TIMEOUT,
        deadline: None,
        estimate: ESTIMATE,
        retry: Retry::default(),
        on_failure: OnFailure::Continue,
        reversibility: Reversibility::Reversible,
        ungraceful: None,
        undo: None,
        undo_after_failure: false,
        outputs: std::collections::BTreeMap::new(),
        lane: Some(Lane { id: lane, width: WIDTH }),
        manual: None,
        drill: node.drill,
        step: node.step,
        item: node.item,
    })
}

/// What other steps do is not known here: the step may have to work.
fn reads_steps(when: &Expression) -> bool {
    when.check()
        .map_or(true, |names| names.into_iter().any(|name| name.split(['.', '[']).next() == Some("steps")))
}
