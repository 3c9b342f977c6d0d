//! drctl: a compiler in front of a replayable state machine.

pub mod model;
pub mod plan;
pub mod engine;
pub mod ports;
