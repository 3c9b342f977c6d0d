//! Chaos: the engine with the simulated estate. It crashes at every append, every step fails, and every reply
//! is lost.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod case;
mod checker;
mod crash;
mod estate;
mod failures;
mod kill9;
mod moved;
mod replies;
mod undos;
mod unwound;
mod world;
