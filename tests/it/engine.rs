//! The engine by itself: a plan, a script of inputs, and what became true.

mod doubt;
mod gate;
mod order;
mod people;
mod properties;
mod script;
mod undo;
