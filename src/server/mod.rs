//! `drctl serve`: the HTTP side of drctl. Asks the same code as the command line, and answers in JSON. Makes
//! no provider or SQL call of its own.

mod api;
mod auth;
mod beside;
mod hub;
mod limit;
mod listen;
mod openapi;
mod problem;
mod router;
mod schedules;
mod state;
mod tls;
mod triggers;

use std::sync::Arc;

pub(crate) use self::auth::PREFIX as TOKEN_PREFIX;
use self::state::Server;
use crate::app::{Error, Session, exit};

/// The API as a document, for tools that speak to it.
#[must_use]
pub fn openapi() -> serde_json::Value {
    openapi::document(&api::endpoints())
}

/// Serves until SIGTERM or SIGINT, then lets every run go and returns.
///
/// # Errors
/// When it cannot listen, or the configuration cannot be used.
pub(crate) async fn serve(session: Session) -> Result<u8, Error> {
    let server = Server::new(session).await?;
    let listener = listen::Listener::bind(&server).await?;
    tracing::info!(address = %listener.address(), "listening");
    let keeping = tokio::spawn(Arc::clone(&server.keeper).watch());
    let hub = Arc::clone(&server);
    let following = tokio::spawn(async move { hub.hub.pump().await });
    let beside = beside::Beside::begin(&server).await;
    let scheduling = tokio::spawn(schedules::watch(Arc::clone(&server)));
    let triggering = tokio::spawn(triggers::watch(Arc::clone(&server)));
    let serving = listener.serve(router::router(Arc::clone(&server)), listen::told_to_end()).await;
    // No new request comes in from here on; what runs is let go and found again by whoever is next.
    let left = server.keeper.drain(server.config().drain).await;
    beside.end().await;
    following.abort();
    triggering.abort();
    scheduling.abort();
    keeping.abort();
    if left > 0 {
        tracing::warn!(runs = left, "still under way; they are gone on with after the next start");
    }
    serving.map(|()| exit::SUCCESS)
}
