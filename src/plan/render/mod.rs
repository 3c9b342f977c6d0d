//! Draws plans for people: a table, a chart, the manual. Reads nothing but the plan; JSON is the plan's own
//! form.

mod by_hand;
mod fill;
mod manual;
mod mermaid;
mod text;

use std::collections::HashMap;

use super::node::{Node, Plan};
use crate::model::id::StepId;

pub use manual::manual;
pub use mermaid::mermaid;
pub use text::text;

/// Items of one fanned-out step that are shown; the group stands for the others.
const ITEMS: usize = 3;

/// A text of a runbook on one line, without control characters: a terminal must not obey it.
pub(in crate::plan) fn plain(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// For each node, whether it is shown: of a step with many items, only those of the first few are.
fn shown(plan: &Plan) -> Vec<bool> {
    let mut items: HashMap<&StepId, Vec<&str>> = HashMap::new();
    for (step, item) in plan.nodes.iter().filter_map(item) {
        let items = items.entry(step).or_default();
        if items.last() != Some(&item) {
            items.push(item);
        }
    }
    let is_shown = |node: &Node| match item(node) {
        Some((step, item)) => {
            let items = items.get(step).map_or(&[][..], Vec::as_slice);
            items.len() <= ITEMS + 1 || items[..ITEMS].contains(&item)
        }
        None => true,
    };
    plan.nodes.iter().map(is_shown).collect()
}

/// The step and the item's text of a node of a fanned-out step.
fn item(node: &Node) -> Option<(&StepId, &str)> {
    node.item.as_ref()?;
    let (_, rest) = node.address.as_str().split_once('[')?;
    let (text, _) = rest.split_once(']')?;
    Some((node.step.as_ref()?, text))
}
