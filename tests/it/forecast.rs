//! The forecast: against the engine, against arithmetic, on the command line, from history.

#![expect(clippy::unwrap_used, clippy::panic, reason = "parts of tests: a test that cannot go on fails")]

mod by_hand;
mod command;
mod engine;
mod live;
mod measured;
mod world;
