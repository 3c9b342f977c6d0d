//! `drctl journal nodes`: who serves on the journal. Changes nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::session::Session;
use crate::cli::table::Yield::{Cut, Drop};
use crate::cli::table::{Table, local};
use crate::cli::{Error, Global, exit, output};
use crate::ports::{Node, Takeover};

/// Most takeovers that are shown.
const TAKEOVERS: usize = 20;

/// The nodes on a journal.
#[derive(Debug, Serialize)]
struct Nodes {
    nodes: Vec<Node>,
    takeovers: Vec<Takeover>,
}

/// Shows them.
///
/// # Errors
/// When the journal cannot be read.
pub(super) async fn show(global: &Global, session: &Session) -> Result<u8, Error> {
    let journal = session.journal.as_ref();
    let found = Nodes { nodes: journal.nodes().await?, takeovers: journal.takeovers(TAKEOVERS).await? };
    output::print(global.output, &found, || render(&found))?;
    Ok(exit::SUCCESS)
}

fn render(found: &Nodes) -> String {
    if found.nodes.is_empty() {
        return "no node is known: a journal of one machine keeps no list, and in a database nobody serves yet"
            .to_owned();
    }
    let mut nodes =
        Table::new(&["NODE", "ADDRESS", "STATE", "RUNS", "TAKEN OVER", "SINCE", "LAST SEEN", "VERSION"]);
    for node in &found.nodes {
        nodes.row([
            node.name.clone(),
            node.address.clone(),
            if node.up { "\x1b[32mup\x1b[0m" } else { "\x1b[31mlost\x1b[0m" }.to_owned(),
            node.driving.to_string(),
            node.takeovers.to_string(),
            local(node.since),
            local(node.seen),
            node.version.clone(),
        ]);
    }
    let mut text = nodes.fit("", output::width(), &[Drop(7), Drop(5), Cut(1), Drop(6)]);
    let doubled = |node: &&Node| found.nodes.iter().any(|other| node.is_confused_with(other));
    for name in found.nodes.iter().filter(doubled).map(|node| &node.name).collect::<BTreeSet<_>>() {
        let _ = write!(
            text,
            "\nnote: several nodes are called {name}: set `node` under `[server]`, one name each"
        );
    }
    for Takeover { run, token, at, from, to, after } in &found.takeovers {
        let after = after.map_or_else(String::new, |after| format!(", {after} after its lease had passed"));
        let at = local(*at);
        let _ = write!(text, "\n{at}  {run}: {from} → {to}, token {token}{after}");
    }
    text
}
