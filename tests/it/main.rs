//! The one integration-test binary.

mod plan;
mod providers;
mod support;
