//! A plan as a table for a terminal of 100 columns, in plain ASCII but for what the author wrote. Colours are
//! the caller's.

use std::collections::HashSet;
use std::fmt::Write;

use super::{plain, shown};
use crate::model::id::SiteName;
use crate::model::policy::Reversibility;
use crate::model::run::{Intent, Phase};
use crate::plan::drill::{Section, unenforced};
use crate::plan::gates::is_irreversible;
use crate::plan::node::{EdgeKind, Node, NodeIndex, NodeKind, Plan};
use crate::plan::{PlanIndex, digest, ranking};

/// Widest line.
const WIDTH: usize = 100;
const ADDRESS: usize = 34;
const ACTION: usize = 32;
const ESTIMATE: usize = 9;
/// Nodes in a row that are skipped in the plan's mode, and are told in one line.
const FOLDED: usize = 4;

/// Draws a plan as a table.
#[must_use]
pub fn text(plan: &Plan, index: &PlanIndex) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = header(&mut out, plan)
        .and_then(|()| table(&mut out, plan, index))
        .and_then(|()| footer(&mut out, plan, index));
    out
}

fn header(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let name = plan.runbook.name.as_str();
    let title = plan.runbook.title.as_deref().map(|title| format!("{} ({name})", plain(title)));
    for line in wrapped(title.as_deref().unwrap_or(name), WIDTH) {
        writeln!(out, "{line}")?;
    }
    let site = |site: &Option<_>| site.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let intent = match &plan.drill {
        Some(drill) => format!(" (drill, {})", drill.level),
        None if plan.intent == Intent::Real => String::new(),
        None => format!(" ({})", plan.intent),
    };
    let way = match (&plan.from, &plan.to) {
        (None, None) => String::new(),
        (from, None) => format!(", away from {}", site(from)),
        (from, to) => format!(", {} -> {}", site(from), site(to)),
    };
    writeln!(out, "{}, {}{way}{intent}", plan.operation, plan.mode)?;
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let strategy = plan.strategy.map(|strategy| format!("   strategy {strategy}")).unwrap_or_default();
    writeln!(
        out,
        "plan {}   runbook {}{strategy}",
        short(&digest(plan)),
        short(&plain(&plan.runbook.digest))
    )?;
    if !plan.targets.is_empty() {
        let ranked = ranking(&plan.targets);
        for line in wrapped(&format!("targets, best first: {}", plain(&ranked.join(", "))), WIDTH) {
            writeln!(out, "{line}")?;
        }
    }
    if !plan.absent.is_empty() {
        let names: Vec<_> = plan.absent.iter().map(SiteName::as_str).collect();
        writeln!(out, "out already: {}", names.join(", "))?;
    }
    Ok(())
}

fn table(out: &mut String, plan: &Plan, index: &PlanIndex) -> std::fmt::Result {
    let critical: HashSet<NodeIndex> = index.critical.iter().copied().collect();
    let shown = shown(plan);
    let mut phase: Option<Phase> = None;
    let mut section: Option<Section> = None;
    let mut begun = false;
    let mut folded = 0;
    for ((number, node), shown) in (0..).zip(&plan.nodes).zip(shown) {
        if folded > 0 {
            folded -= 1;
            continue;
        }
        if matches!(node.kind, NodeKind::Gate) {
            gate(out, plan, number)?;
            begun = false;
            continue;
        }
        if !shown {
            continue;
        }
        let next = node.section().filter(|section| *section != Section::Operation);
        if !begun || (node.phase.is_some() && node.phase != phase) || next != section {
            phase = if next == section { node.phase.or(phase) } else { node.phase };
            section = next;
            let phase = phase.map(|phase| phase.to_string());
            let title = match (section, phase) {
                (Some(section), Some(phase)) => format!("{section}: {phase}"),
                (Some(section), None) => section.to_string(),
                (None, phase) => phase.unwrap_or_else(|| "steps".to_owned()),
            };
            writeln!(out, "\n{title}")?;
            begun = true;
        }
        let skipped =
            |node: &&Node| node.is_skipped_in(plan.mode) && (node.phase.is_none() || node.phase == phase);
        let count = plan.nodes.iter().skip(number as usize).take_while(skipped).count();
        if count >= FOLDED {
            writeln!(
                out,
                "{:>6}  to {}: skipped in {} mode",
                number + 1,
                number as usize + count,
                plan.mode
            )?;
            folded = count - 1;
        } else {
            row(out, plan, number, node, critical.contains(&number))?;
        }
    }
    Ok(())
}

fn row(out: &mut String, plan: &Plan, number: NodeIndex, node: &Node, critical: bool) -> std::fmt::Result {
    let star = if critical { '*' } else { ' ' };
    let mark = match (is_irreversible(node), node.reversibility) {
        (true, _) => '!',
        (false, Reversibility::Compensable) => '~',
        (false, Reversibility::Reversible | Reversibility::Irreversible) => ' ',
    };
    let start = format!("{star}{:>5}{mark} ", number + 1);
    let address = plain(node.address.as_str());
    let estimate = if node.is_left_out() {
        "left out".to_owned()
    } else if node.is_skipped_in(plan.mode) {
        "skipped".to_owned()
    } else {
        node.estimate.to_string()
    };
    let rest = format!("{:<ACTION$} {estimate:>ESTIMATE$}  {}", action(plan, node), needs(node));
    if address.chars().count() <= ADDRESS {
        return writeln!(out, "{}", format!("{start}{address:<ADDRESS$} {rest}").trim_end());
    }
    for (at, line) in wrapped(&address, WIDTH - start.len()).enumerate() {
        writeln!(out, "{}{line}", if at == 0 { start.clone() } else { " ".repeat(start.len()) })?;
    }
    writeln!(out, "{}", format!("{}{:<ADDRESS$} {rest}", " ".repeat(start.len()), "").trim_end())
}

/// What a node does in the plan's mode; of one that is skipped, what it would do.
fn action(plan: &Plan, node: &Node) -> String {
    let text = match &node.kind {
        NodeKind::Effect { call }
        | NodeKind::Check { call, .. }
        | NodeKind::Reading { call, .. }
        | NodeKind::Manual { call }
        | NodeKind::Wait { call }
        | NodeKind::Assert { call } => node.call(plan.mode).unwrap_or(call).action.to_string(),
        NodeKind::Approval { approval } => format!("approval, {} needed", approval.quorum),
        NodeKind::Gate => "gate".to_owned(),
        NodeKind::Group { members, min_success, .. } => {
            let of = members.len();
            let needed = min_success.map_or(of, |min| min.of(of));
            if needed == of { format!("all of {of}") } else { format!("{needed} of {of}") }
        }
    };
    if text.len() <= ACTION {
        text
    } else {
        format!("{}...", text.chars().take(ACTION - 3).collect::<String>())
    }
}

/// The numbers of what a node needs; what it needs only while graceful is left out.
fn needs(node: &Node) -> String {
    let needs: Vec<_> = node.needs.iter().filter(|edge| edge.kind != EdgeKind::Graceful).collect();
    let mut text = String::new();
    for (at, edge) in needs.iter().enumerate() {
        let next = format!("{}{}", if at == 0 { "" } else { "," }, edge.node + 1);
        // The longest remark that may have to follow has to fit as well.
        if text.len() + next.len() > 8 {
            let _ = write!(text, "+{}", needs.len() - at);
            break;
        }
        text.push_str(&next);
    }
    text
}

fn gate(out: &mut String, plan: &Plan, number: NodeIndex) -> std::fmt::Result {
    let head = format!("--- point of no return ({}) ", number + 1);
    writeln!(out, "\n{head:-<WIDTH$}")?;
    let to = plan.to.as_ref().map_or("all", SiteName::as_str);
    let name = &plan.runbook.name;
    writeln!(out, "    Before it, drctl asks for `{name}:{to}`, typed or as `--confirm {name}:{to}`, and")?;
    writeln!(out, "    for --accept-unfenced, if the old primary is not known to be fenced;")?;
    match plan.objectives.rpo {
        Some(rpo) => {
            writeln!(out, "    for --accept-loss, if the data loss is above {rpo} or cannot be measured.")?;
        }
        None => writeln!(out, "    for --accept-loss, if the data loss cannot be measured.")?,
    }
    writeln!(out, "{}", "-".repeat(WIDTH))
}

fn footer(out: &mut String, plan: &Plan, index: &PlanIndex) -> std::fmt::Result {
    let objective = match plan.objectives.rto {
        Some(rto) if index.estimate <= rto => format!("; the objective is {rto}: within"),
        Some(rto) => format!("; the objective is {rto}: TOO LONG by {}", index.estimate.minus(rto)),
        None => "; there is no objective".to_owned(),
    };
    writeln!(out, "\nEstimated recovery time {}{objective}.", index.estimate)?;
    if index.whole_estimate > index.estimate {
        writeln!(out, "The whole plan takes {}.", index.whole_estimate)?;
    }
    footer_of_drill(out, plan)?;
    if plan.moves_nothing() && plan.drill.is_none() {
        writeln!(out, "Nothing here moves the service: no step is of phase shift, promote or restore.")?;
    }
    let is_changing = |node: &&Node| matches!(node.kind, NodeKind::Effect { .. } | NodeKind::Manual { .. });
    let irreversible = plan.nodes.iter().filter(|node| is_irreversible(node));
    listed(out, "Irreversible", irreversible)?;
    let changing = plan.nodes.iter().filter(|node| !node.is_left_out());
    let changing = changing.filter(is_changing).filter(|node| !is_irreversible(node) && node.undo.is_none());
    listed(out, "No undo", changing.filter(|node| node.reversibility == Reversibility::Compensable))?;
    writeln!(out, "* on the critical path   ! irreversible   ~ compensable")
}

/// How a drill ends.
fn footer_of_drill(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let Some(drill) = &plan.drill else { return Ok(()) };
    if !drill.changes() {
        return writeln!(out, "Nothing is changed: the drill only looks.");
    }
    if drill.returns {
        writeln!(
            out,
            "Afterwards the service is returned; the confirmation before the point of no return covers both ways."
        )?;
    } else {
        writeln!(
            out,
            "Afterwards every effect with an undo is taken back, the last first; then the steps of cleanup."
        )?;
    }
    let trusted = unenforced(plan);
    let trusted = trusted.iter().filter_map(|it| plan.nodes.get(it.node as usize));
    listed(out, "The boundary is not enforced for", trusted)?;
    if let Some(credentials) = &drill.credentials {
        writeln!(out, "It gets into accounts with the credentials `{credentials}` of the configuration.")?;
    }
    if drill.attestation.is_some() {
        writeln!(out, "In the end a person says whether it has passed.")?;
    }
    Ok(())
}

/// The steps of some nodes, each once, wrapped.
fn listed<'a>(out: &mut String, head: &str, nodes: impl Iterator<Item = &'a Node>) -> std::fmt::Result {
    let mut steps: Vec<&str> = Vec::new();
    for node in nodes {
        let step = node.step.as_ref().map_or(node.address.as_str(), |step| step.as_str());
        if steps.last() != Some(&step) {
            steps.push(step);
        }
    }
    if steps.is_empty() {
        return Ok(());
    }
    let more = if steps.len() > 20 { format!(" and {} more", steps.len() - 20) } else { String::new() };
    steps.truncate(20);
    let text = format!("{head}: {}{more}", steps.join(", "));
    for (at, line) in wrapped(&text, WIDTH - 2).enumerate() {
        writeln!(out, "{}{line}", if at == 0 { "" } else { "  " })?;
    }
    Ok(())
}

/// Breaks a text at spaces, or anywhere where there are none.
fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> + use<> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last_mut().map(|line| (line.chars().count(), line));
            let Some((used, line)) = line else { break };
            let space = usize::from(used > 0);
            if used + space + word.len() <= width {
                line.push_str(if space == 1 { " " } else { "" });
                line.extend(&word);
                break;
            }
            if used == 0 {
                line.extend(word.drain(..width));
            }
            lines.push(String::new());
        }
    }
    lines.into_iter()
}
