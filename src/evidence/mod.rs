//! What a person or a program reads about a run, made of its plan and state. Pure; shows no number that was
//! not measured.

mod facts;
mod people;
mod report;
mod view;

pub use facts::describe;
pub use people::{PersonNeeded, needs_person};
pub use report::{Evidence, Given, report};
pub use view::{RunView, StepView, view};

pub use crate::engine::clock::verdict;
