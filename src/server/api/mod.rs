//! What the API answers: one file for each kind of thing.

mod checks;
mod controls;
mod cursors;
mod drills;
mod events;
mod fields;
mod findings;
mod forecasts;
mod journal;
mod nodes;
mod reports;
mod runbooks;
mod runs;
mod schedules;
mod services;
mod status;
mod system;
mod tokens;
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
        checks::endpoints(),
        findings::endpoints(),
        runbooks::endpoints(),
        services::endpoints(),
        schedules::endpoints(),
        journal::endpoints(),
        nodes::endpoints(),
        webhooks::endpoints(),
        forecasts::endpoints(),
        reports::endpoints(),
        status::endpoints(),
        tokens::endpoints(),
    ];
    parts.into_iter().flatten().collect()
}
