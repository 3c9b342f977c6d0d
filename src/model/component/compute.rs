//! Components that run the service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SiteValue;

/// How large a site's part is. Whole numbers, or templates that give one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Size in a site that serves everybody.
    pub active: Value,
    /// Size in a site that waits; in `active_active`, while all sites serve. Default 0.
    pub standby: Option<Value>,
}

/// An ECS service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EcsService {
    /// Name or ARN of each site's cluster.
    pub cluster: SiteValue,
    /// Name of the service.
    pub service: SiteValue,
    /// Number of tasks.
    pub capacity: Capacity,
    /// Whether the tasks write by themselves, so that stopping them is a fence; default false.
    #[serde(default)]
    pub writes: bool,
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AutoscalingGroup {
    /// Name of each site's group.
    pub group: SiteValue,
    /// Number of instances.
    pub capacity: Capacity,
    /// Largest number of instances the group may ever have.
    pub max: Value,
    /// Whether the instances write by themselves, so that stopping them is a fence; default false.
    #[serde(default)]
    pub writes: bool,
}
