//! What webhooks deliver, how it is kept, and what triggers make of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "parts of tests")]

mod intake;
mod outside;
mod processor;
mod senders;
mod together;
mod world;
