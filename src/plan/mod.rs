//! Binds a runbook to parameters and sites for one operation. Pure: the same text and the same choices give
//! the same plan.

pub mod access;
mod attendants;
mod bind;
mod calls;
mod cases;
mod context;
pub mod diff;
mod digest;
mod draft;
pub mod drill;
mod error;
mod estimate;
mod expand;
mod facts;
mod fan_out;
mod fence;
mod fleet;
mod gates;
mod graph;
mod index;
mod looks;
mod measured;
mod names;
mod nest;
mod node;
mod parameters;
mod protection;
mod readings;
pub mod render;
mod sites;
mod targets;
mod units;

pub use bind::{Choices, bind};
pub use cases::{Case, cases, only_simulated, plan_of};
pub use digest::{digest, of_bytes, of_runbook, of_value};
pub use drill::{DrillChoices, DrillPlan, InDrill, Section, bind_drill};
pub use error::{Error, Problem};
pub use estimate::{tails, whole_tails};
pub use facts::facts;
pub use fleet::{FleetChoices, bind_fleet};
pub use index::PlanIndex;
pub use measured::{History, Kept, Measured, Sample, is_measurable, told};
pub use nest::{Known, Library, Nested, Planned, begun, nest, runs};
pub use node::{
    Call, CheckPurpose, ChildPlan, Edge, EdgeKind, Lane, Node, NodeIndex, NodeKind, NodeVariant, Plan,
    PlannedUndo, ReadingPoint, RunbookReference,
};
pub use parameters::sensitive_value;
pub use protection::Protection;
pub use readings::bind_readings;
pub use sites::destination;
pub use targets::{Target, ranking};

/// Version of the plan format this build writes.
pub const FORMAT: u32 = 1;
