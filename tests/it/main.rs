//! The one integration-test binary.

mod architecture;
#[cfg(feature = "aws-base")]
mod aws;
mod cli;
mod compile;
mod declared;
mod designs;
mod drills;
mod engine;
mod fleet;
mod forecast;
mod generated;
mod init;
mod journal;
#[cfg(feature = "postgres")]
mod nodes;
mod notify;
mod pages;
mod plan;
mod policy;
mod providers;
mod readiness;
mod runbooks;
mod runtime;
mod schedules;
mod seal;
mod server;
mod simulated;
mod support;
mod telemetry;
mod triggers;
