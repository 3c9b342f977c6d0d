//! The same recovery by hand: what to do, in order, when drctl itself cannot. Never holds a secret: templates
//! stay in.

use std::fmt::Write;

use super::plain;
use crate::plan::node::{Call, CheckPurpose, Node, NodeKind, Plan};

/// Writes the steps of a plan with their `manual` texts, in order.
#[must_use]
pub fn manual(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = write_all(&mut out, plan);
    out
}

fn write_all(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let way = match (&plan.from, &plan.to) {
        (Some(from), Some(to)) => format!(", {from} -> {to}"),
        (Some(from), None) => format!(", away from {from}"),
        (None, Some(to)) => format!(", to {to}"),
        (None, None) => String::new(),
    };
    writeln!(out, "{} of {} by hand{way}", plan.operation, plan.runbook.name)?;
    let mut number = 0;
    for node in &plan.nodes {
        let Some(what) = instruction(node, plan) else { continue };
        number += 1;
        writeln!(out, "\n{number}. {} ({})", plain(&node.title), plain(node.address.as_str()))?;
        if let Some(when) = &node.when {
            writeln!(out, "   only when: {}", plain(when.as_str()))?;
        }
        for line in what.lines() {
            writeln!(
                out,
                "   {}",
                line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim_end()
            )?;
        }
    }
    Ok(())
}

/// What a person does in place of a node; nothing for nodes that only bring others together.
fn instruction(node: &Node, plan: &Plan) -> Option<String> {
    if node.is_skipped_in(plan.mode)
        || matches!(node.kind, NodeKind::Check { purpose: CheckPurpose::Start, .. })
    {
        return None;
    }
    if let Some(text) = &node.manual {
        return Some(text.clone());
    }
    match &node.kind {
        NodeKind::Group { .. } | NodeKind::Reading { .. } => None,
        NodeKind::Gate => Some(
            "POINT OF NO RETURN. Make sure that the old primary accepts no writes, and that the data \
             loss is known and accepted, before going on."
                .to_owned(),
        ),
        NodeKind::Approval { approval } => {
            Some(approval.message.clone().unwrap_or_else(|| "Get approval.".to_owned()))
        }
        NodeKind::Manual { call } => {
            Some(call.with.get("instructions").and_then(|text| text.as_str()).unwrap_or_default().to_owned())
        }
        NodeKind::Effect { .. }
        | NodeKind::Check { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. } => node.call(plan.mode).map(described),
    }
}

fn described(call: &Call) -> String {
    let mut text = format!("No manual text was written. drctl would do: {}", call.action);
    for (field, value) in &call.with {
        let _ = write!(text, "\n  {field}: {value}");
    }
    text
}
