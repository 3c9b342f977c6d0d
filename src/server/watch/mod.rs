//! What the server sees of services between runs, again and again: how far their data reaches, and how ready
//! they are. Changes nothing about a service.

pub(super) mod readiness;
pub(super) mod readings;

use std::future::Future;

use super::state::Server;
use crate::app::status::{self, Service};
use crate::model::time::Duration;

/// Does something again and again, until the server lets go of its runs. Nothing, where the time between is
/// none.
async fn again<F: Future<Output = ()>>(server: &Server, every: Duration, mut turn: impl FnMut() -> F) {
    if every.as_millis() == 0 {
        return;
    }
    let mut ticks = tokio::time::interval(every.to_std());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !server.keeper.is_draining() {
        ticks.tick().await;
        turn().await;
    }
}

/// The services of the configured folders.
fn services(server: &Server) -> Option<Vec<Service>> {
    match status::found(&server.session().config, &[]) {
        Ok(found) => Some(found.services),
        Err(error) => {
            tracing::error!(error = %error.message, "the services cannot be read");
            None
        }
    }
}
