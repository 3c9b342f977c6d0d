//! The one integration-test binary.

mod architecture;
#[cfg(feature = "aws-base")]
mod aws;
mod cli;
mod compile;
mod declared;
mod engine;
mod fleet;
mod generated;
mod journal;
mod plan;
mod providers;
mod runbooks;
mod runtime;
mod simulated;
mod support;
