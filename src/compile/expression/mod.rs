//! Checks every expression and template before the bad day: syntax, tools, and each name it reads. Never
//! evaluates with values of the estate.

mod checker;
mod event;
mod fault;
mod lexer;
mod names;
mod policy;
mod resolve;
mod scope;

pub(super) use checker::{Expressions, Subject};
pub(super) use event::event;
pub(super) use lexer::{Kind, template};
pub(super) use policy::policy;
pub(super) use scope::Place;
