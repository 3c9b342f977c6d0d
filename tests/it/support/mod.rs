//! What several areas of the tests need: real servers and contexts of attempts.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail; the exceptions for tests do not reach functions beside them"
)]

pub(crate) mod attempt;
pub(crate) mod binary;
pub(crate) mod postgres;
