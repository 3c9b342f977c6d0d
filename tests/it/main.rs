//! The one integration-test binary.

mod engine;
mod journal;
mod plan;
mod providers;
mod support;
