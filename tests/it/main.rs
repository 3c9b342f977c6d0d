//! The one integration-test binary.

mod compile;
mod engine;
mod journal;
mod plan;
mod providers;
mod support;
