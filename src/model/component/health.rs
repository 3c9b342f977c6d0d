//! Components that say whether a site serves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SiteValue;
use crate::model::time::Duration;

/// An address that says whether a site serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpEndpoint {
    /// Direct address of each site, which the move of traffic does not change.
    pub url: SiteValue,
    /// Direct address that answers while a site only waits; without it a standby is not asked before the
    /// recovery.
    pub standby_url: Option<SiteValue>,
    /// Address users have: a recovery counts once it answers.
    pub public_url: Option<String>,
    /// Longest time to an answer that counts as healthy.
    pub max_latency: Option<Duration>,
}

/// Alarms of CloudWatch that must not ring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alarms {
    /// Names of the alarms in each site's region.
    pub names: SiteValue,
}
