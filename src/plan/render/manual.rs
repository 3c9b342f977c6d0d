//! The same recovery by hand: what to do, in order, when drctl itself cannot. Never holds a secret: templates
//! stay in.

use std::fmt::Write;

use super::fill::{self, Known};
use super::{by_hand, plain};
use crate::model::expression::is_template;
use crate::model::id::SiteName;
use crate::model::shell;
use crate::model::values::{Secret, SecretSourceKind, Site};
use crate::plan::access;
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
    let known = Known::of(plan);
    for node in &plan.nodes {
        let Some(what) = instruction(node, plan, &known) else { continue };
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
            Told::Paste { commands, notes } => {
                for note in notes {
                    writeln!(out, "   # {}", plain(&note))?;
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
        /// What to know before.
        notes: Vec<String>,
    },
}

/// What a person does in place of a node; nothing for nodes that only bring others together.
fn instruction(node: &Node, plan: &Plan, known: &Known) -> Option<Told> {
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
        | NodeKind::Assert { .. } => return node.call(plan.mode).map(|call| told(call, node, plan, known)),
    };
    Some(Told::Text(text))
}

fn told(call: &Call, node: &Node, plan: &Plan, known: &Known) -> Told {
    let filled = if call.deferred { Some(known.fill(&call.with, node)) } else { None };
    let call = &Call { with: filled.unwrap_or_else(|| call.with.clone()), ..call.clone() };
    let mut notes: Vec<String> = account(call, plan).into_iter().collect();
    let Some(commands) = by_hand::commands(call.action, &call.with) else {
        notes.insert(0, described(call));
        let texts: Vec<String> = call.with.values().map(ToString::to_string).collect();
        notes.extend(kept(&texts, plan));
        return Told::Text(notes.join("\n  "));
    };
    if call.deferred && commands.iter().any(|command| is_template(command)) {
        notes.push("write what each {{ }} stands for in its place first".to_owned());
        notes.extend(kept(&commands, plan));
    }
    Told::Paste { commands, notes }
}

/// Where each secret is kept that texts read.
fn kept(texts: &[String], plan: &Plan) -> Vec<String> {
    let told = |name: &String| {
        let source = source(plan.secrets.get(name)?);
        Some(format!("{{{{ secrets.{name} }}}} is {source}"))
    };
    fill::secrets(texts, plan.secrets.keys()).into_iter().filter_map(told).collect()
}

/// Where a person finds a secret.
fn source(secret: &Secret) -> String {
    match secret.from {
        SecretSourceKind::Env => {
            format!("in the environment variable {}", secret.name.as_deref().unwrap_or_default())
        }
        SecretSourceKind::File => format!("in the file {}", secret.path.as_deref().unwrap_or_default()),
        SecretSourceKind::Command => format!("printed by: {}", shell::command(&secret.argv, &[])),
    }
}

/// Whose credentials a command of AWS takes, where the sites are in more than one account: the command itself
/// cannot say.
fn account(call: &Call, plan: &Plan) -> Option<String> {
    let named = |(name, site): (&SiteName, &Site)| Some((site.account.clone()?, name.to_string()));
    let mut accounts: Vec<(String, String)> = plan.sites.iter().filter_map(named).collect();
    accounts.sort();
    let many = accounts.first().is_some_and(|(first, _)| accounts.iter().any(|(other, _)| other != first));
    if !many || !access::is_aws(call.action) {
        return None;
    }
    let told = |(account, site): &(String, String)| format!("{account} ({site})");
    let own = access::account(&plan.sites, plan.from.as_ref(), call);
    let Some(own) = own else {
        let all: Vec<String> = accounts.iter().map(told).collect();
        return Some(format!("with credentials of the account it is in: {}", all.join(" or ")));
    };
    let there = accounts.iter().filter(|(account, _)| *account == own);
    let sites: Vec<&str> = there.map(|(_, site)| site.as_str()).collect();
    let sites = if sites.is_empty() { String::new() } else { format!(" ({})", sites.join(", ")) };
    Some(format!("with credentials of the account {own}{sites}"))
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
