//! Puts the sections of a drill together: guards first, then the fault, the operation, its checks and the
//! hold, and beside them what winds the drill up. Takes no edge away.

use serde_json::json;

use super::{InDrill, Section};
use crate::model::action::ActionName;
use crate::model::drill::Drill;
use crate::model::id::NodeAddress;
use crate::model::policy::OnFailure;
use crate::model::run::Phase;
use crate::plan::context::Scope;
use crate::plan::draft::{Draft, Setting};
use crate::plan::error::Problem;
use crate::plan::expand;
use crate::plan::node::{Call, CheckPurpose, EdgeKind, Node, NodeIndex, NodeKind};

/// The sections beside the operation.
pub(super) struct Around {
    pub(super) inject: Draft,
    pub(super) failback: Draft,
    pub(super) cleanup: Draft,
}

/// Adds everything that stands around an operation to its draft.
pub(super) fn compose(
    draft: &mut Draft,
    drill: &Drill,
    around: Around,
    scope: &Scope,
    problems: &mut Vec<Problem>,
) {
    mark(draft, Section::Operation);
    let operation: Vec<NodeIndex> = (0..).zip(&draft.nodes).map(|(index, _)| index).collect();
    let ends = sinks(draft, &operation);
    let begins: Vec<NodeIndex> =
        operation.iter().copied().filter(|index| draft.node(*index).needs.is_empty()).collect();
    let Around { inject, failback, cleanup } = around;
    let inject = absorb(draft, inject, Section::Inject);
    let inject_ends = sinks(draft, &inject);
    draft.connect(&begins, &inject_ends);
    let guards = guards(draft, drill, scope, problems);
    let first = if inject.is_empty() { begins } else { inject };
    for index in first.iter().filter(|index| inject_or_begin(draft, **index)).copied().collect::<Vec<_>>() {
        for guard in &guards {
            draft.need(index, *guard, EdgeKind::Safety);
        }
    }
    hold(draft, drill, &ends, scope, problems);
    absorb(draft, failback, Section::Failback);
    absorb(draft, cleanup, Section::Cleanup);
}

/// Whether a node needs nothing of its own section, so that it must wait for the guards.
fn inject_or_begin(draft: &Draft, index: NodeIndex) -> bool {
    draft.node(index).needs.is_empty()
}

fn guards(draft: &mut Draft, drill: &Drill, scope: &Scope, problems: &mut Vec<Problem>) -> Vec<NodeIndex> {
    let setting = Setting {
        title: "guard".to_owned(),
        phase: Some(Phase::Assess),
        on_failure: Some(OnFailure::Abort),
        drill: Some(InDrill::of(Section::Guard)),
        ..Setting::default()
    };
    let nodes =
        expand::looks(&drill.guards, "drill/guard", CheckPurpose::Precheck, scope, &setting, problems);
    nodes.into_iter().map(|node| draft.push_at(node, 0)).collect()
}

/// The checks after the operation, and what stands between them and the end.
fn hold(draft: &mut Draft, drill: &Drill, ends: &[NodeIndex], scope: &Scope, problems: &mut Vec<Problem>) {
    let setting = Setting {
        title: "success of the drill".to_owned(),
        phase: Some(Phase::Validate),
        drill: Some(InDrill::of(Section::Verify)),
        ..Setting::default()
    };
    let checks = drill.success.iter().flat_map(|success| success.checks.iter().cloned()).collect::<Vec<_>>();
    let nodes = expand::looks(&checks, "drill/verify", CheckPurpose::Verify, scope, &setting, problems);
    let verifies: Vec<NodeIndex> = nodes.into_iter().map(|node| draft.push(node)).collect();
    // What comes after the recovery is not waited for: the recovery time ends with the checks.
    let recovered: Vec<NodeIndex> =
        (0..).zip(&draft.nodes).filter(|(_, node)| is_of_recovery(node)).map(|(index, _)| index).collect();
    let recovered = sinks(draft, &recovered);
    draft.connect(&verifies, &recovered);
    let mut last = ends.to_vec();
    last.extend(&verifies);
    let setting = Setting { drill: Some(InDrill::of(Section::Hold)), ..Setting::default() };
    let mut add = |draft: &mut Draft, node: Node| {
        let index = draft.push(node);
        draft.connect(&[index], &last);
        last = vec![index];
    };
    if let Some(time) = drill.hold {
        let with = json!({"duration": time.to_string()}).as_object().cloned().unwrap_or_default();
        let call = Call { action: ActionName::WaitFor, with, deferred: false, sensitive: false, child: None };
        let title = "hold the result".to_owned();
        let mut node = setting.node(NodeAddress::typed("drill/hold"), title, NodeKind::Wait { call });
        node.estimate = time;
        add(draft, node);
    }
    if let Some(approval) = drill.decide.clone() {
        let title = "may it be cleaned up".to_owned();
        let kind = NodeKind::Approval { approval };
        add(draft, setting.node(NodeAddress::typed("drill/decide"), title, kind));
    }
}

fn is_of_recovery(node: &Node) -> bool {
    node.section() == Some(Section::Operation)
        && !matches!(node.phase, Some(Phase::Commit | Phase::Cleanup | Phase::Reprotect))
}

/// Takes the nodes of another draft over, under addresses of their own.
fn absorb(draft: &mut Draft, other: Draft, section: Section) -> Vec<NodeIndex> {
    let base = NodeIndex::try_from(draft.nodes.len()).unwrap_or(NodeIndex::MAX);
    let last = draft.places.iter().copied().max().unwrap_or(0);
    let lanes = draft.nodes.iter().filter_map(|node| Some(node.lane?.id)).max().unwrap_or(0);
    let mut taken = Vec::with_capacity(other.nodes.len());
    for (mut node, place) in other.nodes.into_iter().zip(other.places) {
        node.address = NodeAddress::typed(format!("{section}/{}", node.address));
        node.drill.get_or_insert(InDrill::of(section)).section = section;
        for edge in &mut node.needs {
            edge.node += base;
        }
        if let NodeKind::Group { members, .. } = &mut node.kind {
            for member in members {
                *member += base;
            }
        }
        if let Some(lane) = &mut node.lane {
            lane.id += lanes;
        }
        taken.push(draft.push_at(node, last + place));
    }
    taken
}

fn mark(draft: &mut Draft, section: Section) {
    for node in &mut draft.nodes {
        node.drill.get_or_insert(InDrill::of(section));
    }
}

/// Nodes that no other of them needs.
fn sinks(draft: &Draft, among: &[NodeIndex]) -> Vec<NodeIndex> {
    let needed: std::collections::HashSet<NodeIndex> =
        among.iter().flat_map(|index| draft.node(*index).needs.iter().map(|edge| edge.node)).collect();
    among.iter().copied().filter(|index| !needed.contains(index)).collect()
}
