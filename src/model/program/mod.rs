//! The programs of a command line, as far as its words tell: which ones it runs in the end, and whether they
//! do anything. Never runs one.

mod idle;
mod line;
mod unwrap;

pub use idle::{does_nothing, line_does_nothing};
pub use unwrap::{Program, Variables, of_argv, of_call};
