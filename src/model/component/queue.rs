//! Components that take work in by themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SiteValue;

/// A Lambda event source mapping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventSource {
    /// UUID of each site's mapping.
    pub mapping_id: SiteValue,
}
