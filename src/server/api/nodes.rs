//! The nodes that serve on the journal, and what passed from one to another.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ports::{Node, Takeover};
use crate::server::auth::Right;
use crate::server::nodes;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::Caller;

/// Most takeovers that are shown.
const TAKEOVERS: usize = 100;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let shown = Endpoint::new(
        Method::GET,
        "/api/v1/nodes",
        "list_nodes",
        "Lists the nodes that serve on the journal, and the last runs that passed from one that was lost.",
        get(list),
    );
    vec![
        shown
            .right(Right::View)
            .answers::<Nodes>(StatusCode::OK, "By name; a journal of one machine has one."),
    ]
}

/// The nodes on a journal.
#[derive(Debug, Serialize, JsonSchema)]
struct Nodes {
    /// Those that serve, and those that were lost within a day.
    nodes: Vec<Node>,
    /// Runs that were taken over from nodes that were lost, newest first; 100 at most.
    takeovers: Vec<Takeover>,
}

async fn list(caller: Caller) -> Result<Json<Nodes>, Problem> {
    let server = caller.server();
    let takeovers = server.session().journal.takeovers(TAKEOVERS).await?;
    Ok(Json(Nodes { nodes: nodes::list(server).await?, takeovers }))
}
