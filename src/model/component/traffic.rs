//! Components that send users to a site.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::action::dns::RecordType;
use crate::model::id::SiteName;
use crate::model::time::Duration;

/// Routing controls of Application Recovery Controller, one for each site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingControls {
    /// The five endpoints of the cluster, as a list of `{region, url}`, or a template that gives it.
    pub cluster_endpoints: Value,
    /// ARN of the control that lets users reach each site.
    #[schemars(extend("minProperties" = 2, "maxProperties" = 10))]
    pub controls: BTreeMap<SiteName, String>,
}

/// Weighted records of Route 53, one for each site; the name of the site is their set identifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedRecords {
    /// Id of the hosted zone.
    pub zone_id: String,
    /// Full name of the records.
    pub name: String,
    /// Type of the records.
    pub record_type: RecordType,
    /// Weight of each site while it serves; with one active site it has all of them.
    #[schemars(extend("minProperties" = 2))]
    pub weights: BTreeMap<SiteName, u8>,
    /// Time at each stage of a planned move in `active_active`; default: the TTL of the record.
    pub stage_pause: Option<Duration>,
}
