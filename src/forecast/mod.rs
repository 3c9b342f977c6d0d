//! Says how a plan will go: thousands of runs of it in virtual time, by the rules of the engine. Pure: the
//! same plan, conditions and seed give the same numbers on every machine. Never performs anything.
//!
//! `shape` flattens a plan, `conditions` hold what goes wrong, `world` lives one run of both, `study` lives
//! many and counts, `fleet` combines those of many plans, `report` is what is said about it, and `render`
//! draws that.

mod attempt;
mod chance;
mod conditions;
mod counted;
pub mod fleet;
mod number;
pub mod render;
pub mod report;
mod schema;
mod settle;
mod shape;
mod spread;
mod study;
mod world;

pub use conditions::{Conditions, Hazard, Kind, NodeConditions, Person, Silence};
pub use report::Report;
pub use schema::{fleet_schema, schema};
pub use spread::{Basis, Spread};
pub use study::{Question, study};

/// Most runs one question may ask for.
pub const MOST_RUNS: u32 = 1_000_000;
/// Version of the report's format.
pub const FORMAT: u32 = 1;
