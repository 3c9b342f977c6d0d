//! Chaos: the engine with the simulated estate under crashes at every point, and the real binary under kill -9.

mod checker;
mod crash;
mod world;
