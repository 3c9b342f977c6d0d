//! drctl: a compiler in front of a replayable state machine.

pub mod engine;
pub mod model;
pub mod plan;
pub mod ports;
