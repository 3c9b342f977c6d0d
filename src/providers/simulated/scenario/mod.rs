//! A chaos scenario: what goes wrong on the simulated estate, and when. Reading one changes nothing.

mod document;
mod format;

pub use document::ScenarioError;
pub use format::{
    Approvals, Backups, CapacityShare, Fail, Fault, Lose, Match, Percent, Replication, Rule, Scenario,
    ScenarioApiVersion, ScenarioKind, ScenarioMetadata,
};
