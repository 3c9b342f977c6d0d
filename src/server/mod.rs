//! `drctl serve`: the HTTP side of drctl. Asks the same code as the command line, and answers in JSON. Makes
//! no provider or SQL call of its own.

mod api;
mod auth;
mod beside;
mod hub;
mod limit;
mod listen;
mod nodes;
mod openapi;
mod problem;
mod router;
mod schedules;
mod state;
mod supervisor;
mod tls;
mod triggers;
mod unusable;
mod verifying;
mod watch;
mod words;

use std::sync::Arc;

pub(crate) use self::auth::PREFIX as TOKEN_PREFIX;
use self::state::Server;
use crate::app::{Error, Session, exit};
use crate::config::Config;

/// What keeps a configuration from being served, one line each. Listens nowhere.
#[must_use]
pub(crate) fn problems(config: &Config) -> Vec<String> {
    let tls = config.server.tls.as_ref().and_then(|files| tls::Certificate::read(files).err());
    let tokens = auth::Gatekeeper::check(config).err();
    tls.into_iter().chain(tokens).map(|error| error.message).collect()
}

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
    let hangup = supervisor::hangups();
    let server = Server::new(session).await?;
    let listener = listen::Listener::bind(&server).await?;
    nodes::begin(&server, listener.address()).await?;
    tracing::info!(address = %listener.address(), "listening");
    let keeping = tokio::spawn(Arc::clone(&server.keeper).watch());
    let hub = Arc::clone(&server);
    let following = tokio::spawn(async move { hub.hub.pump().await });
    let beside = beside::Beside::begin(&server).await;
    let scheduling = tokio::spawn(schedules::watch(Arc::clone(&server)));
    let counting = tokio::spawn(nodes::watch(Arc::clone(&server)));
    let triggering = tokio::spawn(triggers::watch(Arc::clone(&server)));
    let mut tasks = vec![keeping.abort_handle(), following.abort_handle(), scheduling.abort_handle()];
    if !server.uses.is_empty() {
        tasks.push(triggering.abort_handle());
    }
    let telling = tokio::spawn(supervisor::watch(Arc::clone(&server), tasks));
    let address = listener.address().to_string();
    let rereading = tokio::spawn(supervisor::reread(Arc::clone(&server), address.clone(), hangup));
    supervisor::ready(&address);
    let drain = server.config().drain;
    let told = async {
        listen::told_to_end().await;
        supervisor::stopping(drain.to_std());
    };
    let reading = tokio::spawn(watch::readings::watch(Arc::clone(&server)));
    let judging = tokio::spawn(watch::readiness::watch(Arc::clone(&server)));
    let serving = listener.serve(router::router(Arc::clone(&server)), told).await;
    rereading.abort();
    // No new request comes in from here on; what runs is let go and found again by whoever is next.
    let left = server.keeper.drain(drain).await;
    telling.abort();
    beside.end().await;
    following.abort();
    counting.abort();
    triggering.abort();
    reading.abort();
    judging.abort();
    scheduling.abort();
    keeping.abort();
    // The leases it holds still run out by themselves.
    if let Err(error) = server.session().journal.withdraw().await {
        tracing::warn!(%error, "the other nodes could not be told that this one ends");
    }
    if left > 0 {
        tracing::warn!(runs = left, "still under way; they are gone on with after the next start");
    }
    serving.map(|()| exit::SUCCESS)
}
