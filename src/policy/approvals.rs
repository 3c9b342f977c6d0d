//! How many people agree before the point of no return, against how many the policy wants.

use std::collections::HashSet;

use super::{Finding, select};
use crate::compile::{Code, Severity};
use crate::model::governance::{ApprovalDemand, Policy};
use crate::model::policy::{Approval, NotBy, OnExpiry};
use crate::model::run::Mode;
use crate::model::runbook::Runbook;
use crate::plan::{EdgeKind, Node, NodeKind, Plan};

/// Findings about approvals.
pub(super) fn approvals(policy: &Policy, runbook: &Runbook, plan: &Plan) -> Vec<Finding> {
    let asked = asked(plan);
    let demands = policy.approvals.iter().enumerate();
    let demands = demands.filter(|(_, demand)| select::fits(&demand.select, runbook, plan.operation));
    let Some(asked) = asked else { return Vec::new() };
    let broken = demands.filter(|(_, demand)| !asked.iter().any(|approval| meets(demand, approval)));
    let gate = plan.nodes.iter().any(|node| matches!(node.kind, NodeKind::Gate));
    let before = if gate { "the point of no return" } else { "the first step that touches the service" };
    broken.map(|(at, demand)| finding(at, demand, &asked, before)).collect()
}

fn finding(at: usize, demand: &ApprovalDemand, asked: &[&Approval], before: &str) -> Finding {
    let people = |count: u32| if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
    let roles = |roles: &[String]| match roles {
        [] => String::new(),
        roles => format!(" of {}", roles.join(", ")),
    };
    let best = asked.iter().max_by_key(|approval| approval.quorum);
    let best = best.map_or_else(
        || "nobody is asked".to_owned(),
        |best| format!("at most {}{} are asked", people(best.quorum), roles(&best.roles)),
    );
    let starter = if demand.not_by_starter { ", none of whom starts the run," } else { "" };
    let who = format!("{}{}{starter}", people(demand.quorum), roles(&demand.roles));
    let message = format!("{who} must agree before {before}; {best}");
    let mut example = vec![format!("quorum: {}", demand.quorum)];
    if !demand.roles.is_empty() {
        example.insert(0, format!("roles: [{}]", demand.roles.join(", ")));
    }
    if demand.not_by_starter {
        example.push("not_by: [starter]".to_owned());
    }
    let help = format!("give a step before it `approval: {{{}}}`", example.join(", "));
    Finding::new(Code::TooFewAgree, Severity::Error, format!("approvals[{at}]"), message).help(help)
}

fn meets(demand: &ApprovalDemand, approval: &Approval) -> bool {
    let roles = demand.roles.is_empty()
        || (!approval.roles.is_empty() && approval.roles.iter().all(|role| demand.roles.contains(role)));
    let starter = !demand.not_by_starter || approval.not_by.contains(&NotBy::Starter);
    // Silence is no agreement.
    approval.quorum >= demand.quorum && roles && starter && approval.on_expiry != OnExpiry::Proceed
}

/// Approvals that are certain to stand before the point of no return or, without one, before the first step
/// that touches the service. `None` when nothing does.
fn asked(plan: &Plan) -> Option<Vec<&Approval>> {
    let gate = plan.nodes.iter().position(|node| matches!(node.kind, NodeKind::Gate));
    let touches = |node: &Node| node.interrupts() && !node.is_skipped_in(plan.mode);
    let target = gate.or_else(|| plan.nodes.iter().position(touches))?;
    let mut seen = HashSet::new();
    let mut todo = vec![target];
    let mut asked = Vec::new();
    while let Some(at) = todo.pop() {
        let Some(node) = plan.nodes.get(at).filter(|_| seen.insert(at)) else { continue };
        if let NodeKind::Approval { approval } = &node.kind
            && node.when.is_none()
            && !node.is_skipped_in(plan.mode)
        {
            asked.push(approval);
        }
        let holds = |kind: EdgeKind| kind != EdgeKind::Graceful || plan.mode == Mode::Graceful;
        todo.extend(node.needs.iter().filter(|edge| holds(edge.kind)).map(|edge| edge.node as usize));
    }
    Some(asked)
}
