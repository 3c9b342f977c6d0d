//! What an isolated drill is held to before it is planned: everything known now lies inside the boundary, and
//! everything it changes is cleaned up.

use std::collections::BTreeMap;

use serde_json::Value;

use super::boundary::outside;
use crate::model::action::{Action, ActionName, Effect, traits};
use crate::model::drill::{Boundary, Drill};
use crate::model::id::SiteName;
use crate::model::values::Site;
use crate::plan::error::Problem;
use crate::plan::node::{Call, Node, NodeKind, NodeVariant, PlannedUndo};

/// Reports every node that would leave the boundary or leave something behind.
pub(super) fn check(
    nodes: &[Node],
    drill: &Drill,
    boundary: &Boundary,
    sites: &BTreeMap<SiteName, Site>,
    problems: &mut Vec<Problem>,
) {
    for node in nodes {
        let Some(place) = node.drill.filter(|place| !place.left_out) else { continue };
        for call in calls(node).map(|(call, _)| call).chain(looks(node)) {
            if let Some(why) = refused(call, boundary, sites, place.trusted) {
                let what = format!(
                    "`{}` ({}) is outside the boundary of the drill: {why}",
                    node.address, call.action
                );
                let help = "extend `drill.boundary`, use something made for drills, or `drill: skip`";
                problems.push(Problem::new(what, help));
            }
        }
        let cleans = place.section.winds_up() || !drill.cleanup.is_empty();
        if !cleans && changes(node) && node.undo.is_none() {
            let what = format!("a drill would leave behind what `{}` does", node.address);
            let help = "give the step an `undo`, or `drill.cleanup` a step that takes it away (DR0605)";
            problems.push(Problem::new(what, help));
        }
    }
}

fn refused(
    call: &Call,
    boundary: &Boundary,
    sites: &BTreeMap<SiteName, Site>,
    trusted: bool,
) -> Option<String> {
    if call.deferred {
        // What it touches is known only in the run, and checked there; unless nothing can tell.
        let unknowable = matches!(
            call.action,
            ActionName::CommandRun | ActionName::RunbookRun | ActionName::PostgresRejoin
        );
        return (unknowable && !trusted).then(|| "what it does cannot be checked".to_owned());
    }
    let action = Action::new(call.action, Value::Object(call.with.clone())).ok()?;
    outside(boundary, sites, &action, trusted)
}

fn changes(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Effect { call } => traits::effect(call.action, &call.with) == Effect::Mutate,
        NodeKind::Check { .. }
        | NodeKind::Reading { .. }
        | NodeKind::Approval { .. }
        | NodeKind::Manual { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Gate
        | NodeKind::Group { .. } => false,
    }
}

/// What a node asks; a query may call what changes something.
fn looks(node: &Node) -> Option<&Call> {
    match &node.kind {
        NodeKind::Check { call, .. } | NodeKind::Reading { call, .. } => {
            (call.action == ActionName::PostgresQuery && !call.deferred).then_some(call)
        }
        NodeKind::Effect { .. }
        | NodeKind::Approval { .. }
        | NodeKind::Manual { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Gate
        | NodeKind::Group { .. } => None,
    }
}

/// Every call a node may make that changes something, and whether it takes back what another one did.
pub(super) fn calls(node: &Node) -> impl Iterator<Item = (&Call, bool)> {
    let own = match &node.kind {
        NodeKind::Effect { call } => Some((call, false)),
        _ => None,
    };
    let variant = match &node.ungraceful {
        Some(NodeVariant::Call(call)) if own.is_some() => Some((call, false)),
        Some(NodeVariant::Call(_) | NodeVariant::Skip | NodeVariant::MinSuccess(_)) | None => None,
    };
    let undo = match &node.undo {
        Some(PlannedUndo::Call(call)) => Some((call, true)),
        Some(PlannedUndo::Auto) | None => None,
    };
    [own, variant, undo].into_iter().flatten()
}
