//! Binds a runbook to parameters and sites for one operation. Pure: the same text and the same choices give the same plan.

mod node;

pub use node::{
    Call, CheckPurpose, Edge, EdgeKind, Lane, Node, NodeIndex, NodeKind, NodeVariant, Plan, PlannedUndo,
    ReadingPoint, RunbookReference,
};

/// Version of the plan format this build writes.
pub const FORMAT: u32 = 1;
mod stub;
pub use stub::*;
