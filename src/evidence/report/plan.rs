//! The plan as it was executed: what it was, what it changed, and what was known to be wrong with it. Never
//! shows the value of a secret: plans and events hold none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::trail::Override;
use crate::engine::event::Applied;
use crate::engine::input::Direction;
use crate::engine::state::NodeState;
use crate::engine::{IndexedPlan, RunState, is_unconfirmed, overrides};
use crate::evidence::line::brief;
use crate::model::action::{Effect, traits};
use crate::model::run::NodeStatus;
use crate::plan::{Node, NodeKind, of_value};

/// Note of a run that holds what its compiler found, as JSON.
pub const WARNINGS: &str = "warnings";
/// Most warnings that a report shows.
const MOST_WARNINGS: usize = 200;

/// What the plan was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanFacts {
    /// SHA-256 of the plan as it is stored.
    pub digest: String,
    /// SHA-256 of the runbook's text.
    pub runbook_digest: String,
    /// Team that answers for the runbook.
    pub owner: Option<String>,
    /// How the standby is kept.
    pub strategy: Option<String>,
    /// Nodes of the plan.
    pub nodes: usize,
    /// Nodes that succeeded or were done by hand.
    pub done: usize,
    /// Expected recovery time, in milliseconds: an estimate, never an achievement.
    pub estimate_ms: u64,
    /// The nodes on the longest path, in order.
    pub critical_path: Vec<String>,
    /// The first node that cannot be taken back.
    pub point_of_no_return: Option<String>,
    /// The sites the service could have moved to, best first.
    pub targets: Vec<TargetFacts>,
}

/// A site the service could have moved to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetFacts {
    /// The site and what it was ranked by.
    pub site: String,
    /// Whether it was taken.
    pub taken: bool,
    /// Why it could not be moved to.
    pub refused: Option<String>,
}

/// Something that the run changed, or tried to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// Address of the node.
    pub step: String,
    /// The action.
    pub action: String,
    /// Whether the effect is there: applied, taken back, not applied, unknown, already there, or, of a fence
    /// that could not be confirmed, unconfirmed.
    pub effect: &'static str,
    /// Attempts made.
    pub attempts: u32,
    /// The action's parameters as planned, each cut where it is long.
    pub parameters: BTreeMap<String, String>,
    /// SHA-256 of the parameters as planned.
    pub input_digest: String,
    /// SHA-256 of the outputs; absent: there are none.
    pub output_digest: Option<String>,
}

/// Something that was known to be wrong with the runbook when the run was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Which rule.
    pub code: String,
    /// How much it matters: error, warning, note.
    pub severity: String,
    /// What is wrong.
    pub message: String,
    /// Line of the runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Why the author accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// Until which day the author accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_until: Option<String>,
}

pub(super) fn facts(plan: &IndexedPlan, state: &RunState) -> PlanFacts {
    let address = |index: &u32| {
        plan.plan.nodes.get(*index as usize).map_or_else(String::new, |node| node.address.to_string())
    };
    let done = |node: &&std::sync::Arc<NodeState>| {
        // What was taken back in the end was done before.
        let status = node.did.as_ref().map_or(node.status, |did| did.status);
        matches!(status, NodeStatus::Succeeded | NodeStatus::MarkedDone)
    };
    let to = state.created.to.as_ref();
    PlanFacts {
        digest: state.created.plan.clone(),
        runbook_digest: state.created.runbook.clone(),
        owner: plan.plan.runbook.owner.clone(),
        strategy: plan.plan.strategy.map(|strategy| strategy.as_str().to_owned()),
        nodes: plan.plan.nodes.len(),
        done: state.nodes.iter().filter(done).count(),
        estimate_ms: plan.index.estimate.as_millis(),
        critical_path: plan.index.critical.iter().map(address).collect(),
        point_of_no_return: plan.index.irreversible.first().map(address),
        targets: (plan.plan.targets.iter())
            .map(|target| TargetFacts {
                site: target.shown(),
                taken: Some(&target.site) == to,
                refused: target.refused.clone(),
            })
            .collect(),
    }
}

pub(super) fn touched(plan: &IndexedPlan, state: &RunState) -> Vec<Touched> {
    let nodes = plan.plan.nodes.iter().zip(&state.nodes);
    nodes.filter_map(|(node, it)| touched_by(state, node, it)).collect()
}

fn touched_by(state: &RunState, node: &Node, it: &NodeState) -> Option<Touched> {
    if !matches!(node.kind, NodeKind::Effect { .. } | NodeKind::Manual { .. }) {
        return None;
    }
    let begun = it.attempts > 0 || it.adopted || it.status == NodeStatus::MarkedDone;
    let call = node.call(it.mode.unwrap_or(state.mode)).filter(|_| begun)?;
    if traits::effect(call.action, &call.with) == Effect::Read && call.child.is_none() {
        return None;
    }
    let parameters = serde_json::Value::Object(call.with.clone());
    Some(Touched {
        step: node.address.to_string(),
        action: call.action.as_str().to_owned(),
        effect: effect(it),
        attempts: it.attempts,
        parameters: call.with.iter().map(|(name, value)| (name.clone(), brief(value))).collect(),
        input_digest: of_value(&parameters),
        output_digest: (!it.outputs.is_empty())
            .then(|| of_value(&serde_json::Value::Object(it.outputs.clone()))),
    })
}

/// Whether the effect of a node is there.
pub(super) fn effect(it: &NodeState) -> &'static str {
    match (it.status, it.applied, it.direction) {
        (NodeStatus::Undone, _, _) => "taken back",
        _ if is_unconfirmed(it) => "unconfirmed",
        _ if it.adopted => "already there",
        (NodeStatus::Succeeded | NodeStatus::MarkedDone, _, Direction::Do) | (_, Applied::Yes, _) => {
            "applied"
        }
        (_, Applied::No, _) if it.current.is_none() && !it.partly => "not applied",
        _ => "unknown",
    }
}

/// What was known to be wrong at the start, from the note that the start left.
pub(super) fn warnings(state: &RunState) -> Vec<Warning> {
    let note = state.created.notes.get(WARNINGS).map_or("[]", String::as_str);
    let mut warnings: Vec<Warning> = serde_json::from_str(note).unwrap_or_default();
    warnings.truncate(MOST_WARNINGS);
    warnings
}

/// What was overridden with the start itself.
pub(super) fn overridden_at_start(state: &RunState) -> Vec<Override> {
    let created = &state.created;
    let of_policy = created.notes.iter().filter(|(name, _)| overrides::is_override(name));
    of_policy
        .map(|(name, text)| Override {
            at: state.created_at,
            what: match name.as_str() {
                overrides::BREAK_GLASS => format!("break glass, the journal could not be used: {text}"),
                name if name.starts_with(overrides::ACCEPTED_FINDING) => {
                    format!("a finding was accepted for this run: {text}")
                }
                _ => format!("against the policy: {text}"),
            },
            by: Some(created.started_by.clone()),
            reason: created.reason.clone(),
        })
        .collect()
}
