//! Puts the readings of the recovery point before the fence, at the fence and after promotion. Never blocks a
//! recovery.

use super::bind::{Choices, bind};
use super::calls::Caller;
use super::context::Scope;
use super::draft::{Draft, Setting};
use super::error::Problem;
use super::graph::{ancestors, descendants};
use super::node::{Call, EdgeKind, Node, NodeIndex, NodeKind, Plan, ReadingPoint};
use crate::model::id::NodeAddress;
use crate::model::policy::OnFailure;
use crate::model::run::{Intent, Phase};
use crate::model::runbook::{RecoveryPoint, Runbook};
use crate::model::time::Duration;

/// Longest time of one reading: an answer that takes longer is as good as none.
const TIMEOUT: Duration = Duration::from_secs(5);
const ESTIMATE: Duration = Duration::from_secs(1);

/// A plan that takes the readings of a runbook as a run does before its fence, and does nothing else; `None`:
/// the runbook has none. Whether the data can be brought back first does not matter to a look.
///
/// # Errors
/// Every reason why the runbook cannot be bound this way.
pub fn bind_readings(runbook: &Runbook, choices: &Choices) -> Result<Option<Plan>, Vec<Problem>> {
    if runbook.recovery_point.is_empty() {
        return Ok(None);
    }
    let mut plan = bind(runbook, &Choices { intent: Intent::Check, ..choices.clone() })?;
    plan.nodes.retain(|node| matches!(node.kind, NodeKind::Reading { .. }));
    for node in &mut plan.nodes {
        node.needs.clear();
    }
    Ok((!plan.nodes.is_empty()).then_some(plan))
}

/// The readings the gate waits for.
#[derive(Default)]
pub(super) struct Readings {
    pub(super) before_gate: Vec<NodeIndex>,
}

/// Adds the readings. `irreversible`: nodes that the gate will stand before.
pub(super) fn add(
    draft: &mut Draft,
    entries: &[RecoveryPoint],
    irreversible: &[NodeIndex],
    scope: &Scope,
    problems: &mut Vec<Problem>,
) -> Readings {
    let mut readings = Readings::default();
    if entries.is_empty() {
        return readings;
    }
    let after_gate = descendants(&draft.nodes, irreversible);
    let exits = |draft: &Draft, fence: bool| -> Vec<NodeIndex> {
        let wanted =
            draft.leaves.iter().filter(|leaf| if fence { leaf.class.fence } else { leaf.class.promote });
        wanted.flat_map(|leaf| leaf.exits.iter().copied()).collect()
    };
    let fence_mains: Vec<NodeIndex> = draft
        .leaves
        .iter()
        .filter(|leaf| leaf.class.fence)
        .flat_map(|leaf| leaf.mains.iter().copied())
        .collect();
    let (all_fences, promotes) = (exits(draft, true), exits(draft, false));
    // Where some fences come only after the point of no return, the gate must not wait for those.
    let early: Vec<_> = all_fences.iter().copied().filter(|fence| !after_gate[*fence as usize]).collect();
    let fences = if early.is_empty() { &all_fences } else { &early };
    // In a failback the copy that is read must be made first.
    let before_fence = ancestors(&draft.nodes, &fence_mains);
    let rebuilt: Vec<NodeIndex> = (0..)
        .zip(draft.nodes.iter().zip(before_fence))
        .filter(|(_, (node, before))| *before && node.phase == Some(Phase::Reprotect))
        .map(|(index, _)| index)
        .collect();
    for (number, entry) in (1..).zip(entries) {
        let at = if number == 1 { "recovery_point".to_owned() } else { format!("recovery_point[{number}]") };
        let Some(bound) = (Caller { scope, at: &at }).bind_read(entry.uses, &entry.with, problems) else {
            continue;
        };
        let before = draft.push_at(reading(ReadingPoint::BeforeFence, number, bound.call.clone()), 1);
        draft.connect(&[before], &rebuilt);
        readings.before_gate.push(before);
        for fence in &fence_mains {
            draft.need(*fence, before, EdgeKind::Ordinary);
        }
        if !fences.is_empty() {
            let node = reading(ReadingPoint::AtFence, number, bound.call.clone());
            let index = after(draft, node, fences);
            if !early.is_empty() {
                readings.before_gate.push(index);
            }
        }
        if !promotes.is_empty() {
            after(draft, reading(ReadingPoint::AfterPromotion, number, bound.call), &promotes);
        }
    }
    readings
}

/// Adds a node right after others.
fn after(draft: &mut Draft, node: Node, needs: &[NodeIndex]) -> NodeIndex {
    let last = needs.iter().map(|need| draft.place(*need)).max().unwrap_or(0);
    let index = draft.push_at(node, last + 1);
    draft.connect(&[index], needs);
    index
}

fn reading(point: ReadingPoint, number: u32, call: Call) -> Node {
    let name = if number == 1 { point.to_string() } else { format!("{point}-{number}") };
    let (title, phase) = match point {
        ReadingPoint::BeforeFence => ("recovery point before the fence", Some(Phase::Assess)),
        ReadingPoint::AtFence => ("recovery point at the fence", Some(Phase::Decide)),
        ReadingPoint::AfterPromotion => ("recovery point after promotion", None),
    };
    let spec = call.action.spec();
    let setting = Setting { phase, on_failure: Some(OnFailure::Continue), ..Setting::default() };
    let mut node =
        setting.node(NodeAddress::reading(&name), title.to_owned(), NodeKind::Reading { call, point });
    node.timeout = spec.timeout.min(TIMEOUT);
    node.estimate = ESTIMATE;
    node
}
