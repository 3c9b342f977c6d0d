//! The same recovery by hand: what to do, in order, when drctl itself cannot. Never holds a secret: templates
//! stay in.

use std::fmt::Write;

use super::{by_hand, plain};
use crate::model::expression::is_template;
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
        match what {
            Told::Text(text) => {
                for line in text.lines() {
                    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                    writeln!(out, "   {}", line.trim_end())?;
                }
            }
            Told::Paste { commands, open } => {
                if open {
                    writeln!(out, "   # write what each {{{{ }}}} stands for in its place first")?;
                }
                // Lines that a quoted word goes on in begin at the margin: blanks would become a part of it.
                for command in commands {
                    writeln!(out, "   {command}")?;
                }
            }
        }
    }
    Ok(())
}

/// What a person is told to do.
enum Told {
    /// In words.
    Text(String),
    /// Commands, each of which does the same when it is pasted.
    Paste {
        /// The commands, one after the other.
        commands: Vec<String>,
        /// Whether something in them is known only during a run.
        open: bool,
    },
}

/// What a person does in place of a node; nothing for nodes that only bring others together.
fn instruction(node: &Node, plan: &Plan) -> Option<Told> {
    if node.is_skipped_in(plan.mode)
        || matches!(node.kind, NodeKind::Check { purpose: CheckPurpose::Start, .. })
    {
        return None;
    }
    if let Some(text) = &node.manual {
        return Some(Told::Text(text.clone()));
    }
    let text = match &node.kind {
        NodeKind::Group { .. } | NodeKind::Reading { .. } => return None,
        NodeKind::Gate => {
            "POINT OF NO RETURN. Make sure that the old primary accepts no writes, and that the data \
             loss is known and accepted, before going on."
                .to_owned()
        }
        NodeKind::Approval { approval } => {
            approval.message.clone().unwrap_or_else(|| "Get approval.".to_owned())
        }
        NodeKind::Manual { call } => {
            call.with.get("instructions").and_then(|text| text.as_str()).unwrap_or_default().to_owned()
        }
        NodeKind::Effect { .. }
        | NodeKind::Check { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. } => return node.call(plan.mode).map(told),
    };
    Some(Told::Text(text))
}

fn told(call: &Call) -> Told {
    match by_hand::commands(call.action, &call.with) {
        Some(commands) => {
            let open = call.deferred && commands.iter().any(|command| is_template(command));
            Told::Paste { commands, open }
        }
        None => Told::Text(described(call)),
    }
}

fn described(call: &Call) -> String {
    let mut text = format!(
        "No `manual` text was written, and no command does this by itself. drctl would do: {}",
        call.action
    );
    for (field, value) in &call.with {
        let _ = write!(text, "\n  {field}: {value}");
    }
    text
}
