//! The one integration-test binary.

mod architecture;
mod cli;
mod compile;
mod engine;
mod generated;
mod journal;
mod plan;
mod providers;
mod runbooks;
mod simulated;
mod support;
