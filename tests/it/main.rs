//! The one integration-test binary.

mod engine;
mod plan;
mod providers;
mod support;
