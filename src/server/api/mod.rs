//! What the API answers: one file for each kind of thing.

mod controls;
mod drills;
mod events;
mod journal;
mod runbooks;
mod runs;
mod schedules;
mod services;
mod system;
mod webhooks;

use super::openapi::Endpoint;

/// Every endpoint.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let parts = [
        system::endpoints(),
        runs::endpoints(),
        events::endpoints(),
        controls::endpoints(),
        drills::endpoints(),
        runbooks::endpoints(),
        services::endpoints(),
        schedules::endpoints(),
        journal::endpoints(),
        webhooks::endpoints(),
    ];
    parts.into_iter().flatten().collect()
}
