//! The one integration-test binary.

mod cli;
mod compile;
mod engine;
mod generated;
mod journal;
mod plan;
mod providers;
mod support;
