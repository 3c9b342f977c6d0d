//! The engine by itself: a plan, a script of inputs, and what became true.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::similar_names,
    reason = "parts of tests"
)]

mod advice;
mod doubt;
mod gate;
mod half_way;
mod order;
mod outside;
mod people;
mod properties;
mod script;
mod starts;
mod told;
mod undo;
