//! Pure vocabulary of drctl: the words of the glossary as types. Never does I/O, reads a clock or draws a
//! random number.

pub mod action;
pub mod address;
pub mod component;
pub mod connection;
pub mod drill;
pub mod evidence;
pub mod expression;
pub mod fleet;
pub mod given;
pub mod governance;
pub mod id;
pub mod limits;
pub mod notice;
pub mod pattern;
pub mod policy;
pub mod readiness;
pub mod region;
pub mod run;
pub mod runbook;
pub mod schedule;
pub mod shell;
pub mod step;
pub mod time;
pub mod trigger;
pub mod values;
