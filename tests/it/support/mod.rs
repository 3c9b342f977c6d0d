//! What several areas of the tests need: real servers, contexts of attempts, and what runs are started with.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail; the exceptions for tests do not reach functions beside them"
)]

pub(crate) mod attempt;
pub(crate) mod binary;
pub(crate) mod browser;
pub(crate) mod desk;
#[cfg(feature = "postgres")]
pub(crate) mod faulty;
pub(crate) mod issuer;
pub(crate) mod postgres;
pub(crate) mod runtime;
pub(crate) mod served;

/// A switch of the tests, in their environment.
pub(crate) fn switch(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
