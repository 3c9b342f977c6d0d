//! The state machine of one run, pure: `decide` says what became true, `apply` folds it, `commands` says what must be in
//! flight. Never does I/O, reads a clock or draws a random number.

pub mod command;
pub mod event;
pub mod input;
