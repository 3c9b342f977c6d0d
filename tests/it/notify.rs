//! Notifications: what is worth a notice, how it reaches each kind of target, and what becomes of it when
//! targets and processes die.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail; the exceptions for tests do not reach functions beside them"
)]

mod command;
mod mail;
mod sent;
pub(crate) mod story;
mod survives;
mod told;
