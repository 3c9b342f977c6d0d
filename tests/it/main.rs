//! The one integration-test binary.

mod providers;
mod support;
