//! The one integration-test binary.

mod journal;
mod plan;
mod providers;
mod support;
