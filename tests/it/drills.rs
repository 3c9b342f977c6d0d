//! Drills from their plan to their end: what they may touch, how they are wound up, and that nothing is left
//! behind whatever happens.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "parts of tests; the exceptions for tests do not reach functions beside them"
)]

mod boundary;
mod crash;
mod life;
mod plans;
mod takeover;
pub(crate) mod world;
