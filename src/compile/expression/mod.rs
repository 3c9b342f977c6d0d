//! Checks every expression and template before the bad day: syntax, tools, and each name it reads. Never
//! evaluates with values of the estate.

mod checker;
mod fault;
mod lexer;
mod names;
mod policy;
mod resolve;
mod scope;

pub(super) use checker::{Expressions, Subject};
pub(super) use lexer::{Kind, template};
pub(super) use policy::policy;
pub(super) use scope::Place;
