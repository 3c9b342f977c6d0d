//! Chaos: the engine with the simulated estate under crashes at every point, and the real binary under kill
//! -9.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod checker;
mod crash;
mod kill9;
mod world;
