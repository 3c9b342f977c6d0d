//! The catalogue of actions: a closed enum, one parameter struct and one declarative spec each. Lints,
//! plan, simulator,
//! documentation and schema all read this one table.

mod catalogue;
pub mod meaning;
pub mod reference;
mod spec;
pub mod traits;

pub mod aws;
pub mod azure;
pub mod command;
pub mod core;
pub mod dns;
pub mod gcp;
pub mod http;
pub mod kubernetes;
pub mod network;
pub mod postgres;

pub use catalogue::{Action, ActionName, ParameterError};
pub use spec::{ActionSpec, Adapter, ApiHome, Doubt, DrillDefault, Effect, Plane, Role, SPEC};
