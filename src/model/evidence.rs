//! What people add beside the record of a run: findings. Plain data, stored for ever: variants and fields
//! are added, never changed.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::run::Identity;

/// Version of the format of [`EvidenceFact`] that this build writes.
pub const FORMAT: u32 = 1;

/// Most findings of one run.
pub const FINDINGS: u32 = 1_000;

/// A fact about a run that a person adds beside it: the stream `evidence/<run>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceFact {
    /// Something was found that has to be put right.
    FindingOpened {
        /// Number within the run, from 1.
        id: u32,
        /// What was found.
        text: String,
        /// Who puts it right.
        owner: String,
        /// The last day to do so.
        due: Date,
        /// Who found it.
        by: Identity,
        /// What tells a request that is sent again from another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// A finding was put right, or is none.
    FindingClosed {
        /// Number within the run.
        id: u32,
        /// What was done, or why it is none.
        how: String,
        /// Who.
        by: Identity,
        /// What tells a request that is sent again from another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
}

impl EvidenceFact {
    /// The type under which the fact is stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FindingOpened { .. } => "finding_opened",
            Self::FindingClosed { .. } => "finding_closed",
        }
    }
}
