//! This process as one of the nodes that serve on a journal: tells the others of itself, and keeps the
//! metrics of all of them. Decides nothing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::state::Server;
use crate::app::{self, Error};
use crate::ports::{IdSource, JournalError, Node, NodeFacts};

/// Pause between two looks at the list of nodes.
const LOOK: Duration = Duration::from_secs(2);

/// Tells the others that this process serves, before it drives anything.
///
/// # Errors
/// When the journal cannot be reached.
pub(super) async fn begin(server: &Server, address: SocketAddr) -> Result<(), Error> {
    let config = server.config();
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let facts = NodeFacts {
        name: config.node.clone().unwrap_or_else(app::host_name),
        address: config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}")),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    server.session().journal.announce(&facts).await?;
    let now = app::now();
    let NodeFacts { name, address, version } = facts;
    let (host, pid) = (app::host_name(), std::process::id());
    let (id, driving, takeovers) = (app::RandomIds.suffix(), 0, 0);
    let own =
        Node { id, name, address, version, host, pid, since: now, seen: now, up: true, driving, takeovers };
    // Begun once: a second time changes nothing.
    let _ = server.node.set(own);
    Ok(())
}

/// The nodes on the journal; where it keeps no list, this one.
///
/// # Errors
/// When the journal cannot be read.
pub(super) async fn list(server: &Server) -> Result<Vec<Node>, JournalError> {
    let known = server.session().journal.nodes().await?;
    if !known.is_empty() {
        return Ok(known);
    }
    let driving = u64::try_from(server.keeper.count()).unwrap_or(u64::MAX);
    let own = server.node.get().cloned();
    Ok(own.map(|own| Node { seen: app::now(), driving, ..own }).into_iter().collect())
}

/// Keeps the metrics of the nodes.
pub(super) async fn watch(server: Arc<Server>) {
    let mut told = BTreeSet::new();
    loop {
        match list(&server).await {
            Ok(nodes) => {
                tell_doubled(&nodes, &mut told);
                server.metrics.nodes(&nodes);
            }
            Err(error) => tracing::debug!(%error, "the list of nodes cannot be read"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Warns, once, of a name that several nodes have.
fn tell_doubled(nodes: &[Node], told: &mut BTreeSet<String>) {
    let is_doubled = |node: &&Node| nodes.iter().any(|other| node.is_confused_with(other));
    for Node { name, .. } in nodes.iter().filter(is_doubled) {
        if told.insert(name.clone()) {
            tracing::warn!(
                node = name,
                "several nodes have this name and share its metrics: set `node` under `[server]`, one name each"
            );
        }
    }
}
