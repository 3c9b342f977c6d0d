//! Drills as plans: the same steps with another effect boundary, put between guards, injected faults, checks
//! and cleanup. Never runs anything.

mod bind;
pub mod boundary;
mod compose;
mod databases;
mod guards;
mod place;
mod steps;
mod touches;
mod within;

use serde::{Deserialize, Serialize};

use crate::model::drill::{Attestation, Boundary, DrillLevel};
use crate::model::run::words;

pub use bind::{DrillChoices, bind_drill};
pub use guards::bind_guards;
pub use place::{Unenforced, unenforced};

words! {
    /// What a node of a drill is there for. They follow each other in this order.
    Section {
        /// Must be true before anything begins.
        Guard = "guard",
        /// Makes the fault the drill is about.
        Inject = "inject",
        /// The operation that is rehearsed.
        Operation = "operation",
        /// Says whether it has worked.
        Verify = "verify",
        /// Holds the result, or asks whether it may be cleaned up.
        Hold = "hold",
        /// Brings the service back where it was; only in a live drill.
        Failback = "failback",
        /// Cleans up what has no undo of its own.
        Cleanup = "cleanup",
    }
}

impl Section {
    /// Says whether nodes of the section run while the drill is being wound up.
    #[must_use]
    pub const fn winds_up(self) -> bool {
        matches!(self, Self::Failback | Self::Cleanup)
    }

    /// Says whether the section is part of the recovery that is rehearsed and timed.
    #[must_use]
    pub const fn is_recovery(self) -> bool {
        matches!(self, Self::Guard | Self::Inject | Self::Operation | Self::Verify)
    }
}

/// What makes a plan a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillPlan {
    /// How far it goes.
    pub level: DrillLevel,
    /// What it may touch; absent: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Boundary>,
    /// What it gets into accounts with, by its name in the configuration; absent: what real runs do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    /// It moves the service, and returns it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub returns: bool,
    /// Who says whether it has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Attestation>,
}

impl DrillPlan {
    /// Says whether the drill changes anything, so that it has something to clean up.
    #[must_use]
    pub const fn changes(&self) -> bool {
        !matches!(self.level, DrillLevel::Check)
    }
}

/// What a node is in a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InDrill {
    /// What it is there for.
    pub section: Section,
    /// It is left out at this level.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
    /// Its author answers for what cannot be checked against the boundary.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted: bool,
}
