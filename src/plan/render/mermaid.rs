//! A plan as a Mermaid flow chart, for documents and pull requests. Labels are escaped: a runbook is
//! untrusted text.

use std::collections::HashSet;
use std::fmt::Write;

use super::{plain, shown};
use crate::plan::PlanIndex;
use crate::plan::gates::is_irreversible;
use crate::plan::node::{EdgeKind, Node, NodeIndex, NodeKind, Plan};

/// Draws a plan as a flow chart. The critical path is thick, strict needs are marked, graceful ones dotted.
#[must_use]
pub fn mermaid(plan: &Plan, index: &PlanIndex) -> String {
    let mut out = String::from("flowchart TD\n");
    // Writing into a string cannot fail.
    let _ = draw(&mut out, plan, index);
    out
}

fn draw(out: &mut String, plan: &Plan, index: &PlanIndex) -> std::fmt::Result {
    let shown = shown(plan);
    let critical: HashSet<(NodeIndex, NodeIndex)> =
        index.critical.windows(2).map(|pair| (pair[0], pair[1])).collect();
    for (number, node) in plan.nodes.iter().enumerate().filter(|(number, _)| shown[*number]) {
        let label = label(plan, node);
        match node.kind {
            NodeKind::Gate => writeln!(out, "  n{number}{{\"{label}\"}}")?,
            NodeKind::Approval { .. } | NodeKind::Manual { .. } => {
                writeln!(out, "  n{number}[/\"{label}\"/]")?;
            }
            NodeKind::Check { .. } | NodeKind::Reading { .. } => writeln!(out, "  n{number}([\"{label}\"])")?,
            NodeKind::Group { .. } => writeln!(out, "  n{number}((\"{label}\"))")?,
            NodeKind::Effect { .. } | NodeKind::Wait { .. } | NodeKind::Assert { .. } => {
                writeln!(out, "  n{number}[\"{label}\"]")?;
            }
        }
    }
    for (number, node) in (0..).zip(&plan.nodes).filter(|(number, _)| shown[*number as usize]) {
        for edge in node.needs.iter().filter(|edge| shown[edge.node as usize]) {
            let arrow = match edge.kind {
                _ if critical.contains(&(edge.node, number)) => "==>",
                EdgeKind::Graceful => "-.->",
                EdgeKind::Safety => "--->",
                EdgeKind::Ordinary => "-->",
            };
            writeln!(out, "  n{} {arrow} n{number}", edge.node)?;
        }
    }
    classes(out, plan, index, &shown)
}

fn classes(out: &mut String, plan: &Plan, index: &PlanIndex, shown: &[bool]) -> std::fmt::Result {
    let named = |numbers: Vec<String>| numbers.join(",");
    let visible = plan.nodes.iter().enumerate().filter(|(number, _)| shown[*number]);
    let irreversible =
        visible.filter(|(_, node)| is_irreversible(node)).map(|(number, _)| format!("n{number}"));
    let irreversible = named(irreversible.collect());
    let critical =
        index.critical.iter().filter(|number| shown[**number as usize]).map(|number| format!("n{number}"));
    let critical = named(critical.collect());
    if !irreversible.is_empty() {
        writeln!(out, "  classDef irreversible fill:#fdd,stroke:#c00,color:#000")?;
        writeln!(out, "  class {irreversible} irreversible")?;
    }
    if !critical.is_empty() {
        writeln!(out, "  classDef critical stroke-width:4px")?;
        writeln!(out, "  class {critical} critical")?;
    }
    Ok(())
}

fn label(plan: &Plan, node: &Node) -> String {
    let what = match &node.kind {
        NodeKind::Effect { call } | NodeKind::Check { call, .. } | NodeKind::Reading { call, .. } => {
            node.call(plan.mode).unwrap_or(call).action.to_string()
        }
        NodeKind::Manual { .. } | NodeKind::Wait { .. } | NodeKind::Assert { .. } => {
            node.estimate.to_string()
        }
        NodeKind::Approval { .. } => "approval".to_owned(),
        NodeKind::Group { members, .. } => format!("group of {}", members.len()),
        NodeKind::Gate => "confirm".to_owned(),
    };
    let title = plain(&node.title);
    let title = if matches!(node.kind, NodeKind::Gate) { title } else { plain(node.address.as_str()) };
    format!("{}<br/>{}", escaped(&title), escaped(&what))
}

/// Mermaid reads `#…;` as a character; everything with a meaning in labels or HTML is written that way.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | '/' | ':' | ',' | '[' | ']') {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_label_has_a_meaning() {
        assert_eq!(escaped("a\"<b>#`{}"), "a#34;#60;b#62;#35;#96;#123;#125;");
    }
}
