//! Components that send users to a site.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EachSite, SiteValue};
use crate::model::action::azure::EndpointType;
use crate::model::action::dns::RecordType;
use crate::model::time::Duration;

/// Routing controls of Application Recovery Controller, one for each site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingControls {
    /// The five endpoints of the cluster, as a list of `{region, url}`, or a template that gives it.
    pub cluster_endpoints: Value,
    /// ARN of the control that lets users reach each site.
    pub controls: EachSite<String>,
    /// TTL of the records that lead users to a site; part of the recovery time.
    pub ttl: Option<Duration>,
    /// Time until health checks notice a site that fails or is called unhealthy: their interval times their
    /// threshold; part of the recovery time.
    pub detection: Option<Duration>,
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
    pub weights: EachSite<u8>,
    /// Time at each stage of a planned move in `active_active`; default: the TTL of the record.
    pub stage_pause: Option<Duration>,
    /// TTL of the records that lead users to a site; part of the recovery time.
    pub ttl: Option<Duration>,
    /// Time until health checks notice a site that fails or is called unhealthy: their interval times their
    /// threshold; part of the recovery time.
    pub detection: Option<Duration>,
}

/// A primary and a secondary record of Route 53.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailoverRecord {
    /// Id of the hosted zone.
    pub zone_id: String,
    /// Full name of the records.
    pub name: String,
    /// Type of the records.
    pub record_type: RecordType,
    /// Set identifier of each site's record; default: the name of the site.
    pub set_identifier: Option<SiteValue>,
    /// TTL of the records that lead users to a site; part of the recovery time.
    pub ttl: Option<Duration>,
    /// Time until health checks notice a site that fails or is called unhealthy: their interval times their
    /// threshold; part of the recovery time.
    pub detection: Option<Duration>,
}

/// Health checks of Route 53 that failover or weighted records depend on: a site is left by calling it
/// unhealthy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthChecks {
    /// Id of each site's health check.
    pub health_check_id: SiteValue,
    /// TTL of the records that lead users to a site; part of the recovery time.
    pub ttl: Option<Duration>,
    /// Time until health checks notice a site that fails or is called unhealthy: their interval times their
    /// threshold; part of the recovery time.
    pub detection: Option<Duration>,
}

/// A profile of Azure Traffic Manager with an endpoint for each site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficManager {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the profile; it should live outside the regions of the application.
    pub resource_group: String,
    /// Name of the profile.
    pub profile: String,
    /// Type of the endpoints.
    pub endpoint_type: EndpointType,
    /// Name of each site's endpoint.
    pub endpoint: SiteValue,
    /// TTL of the records that lead users to a site; part of the recovery time.
    pub ttl: Option<Duration>,
    /// Time until health checks notice a site that fails or is called unhealthy: their interval times their
    /// threshold; part of the recovery time.
    pub detection: Option<Duration>,
}
