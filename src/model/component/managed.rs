//! Managed databases of Azure and Google Cloud.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SiteValue;
use crate::model::time::Duration;

/// An Azure SQL failover group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailoverGroup {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of each site's server.
    pub resource_group: SiteValue,
    /// Name of each site's logical server; absent for managed instances.
    pub server: Option<SiteValue>,
    /// Name of the failover group.
    pub failover_group: String,
    /// Largest lag with which a planned move may begin; default: the RPO, else 60s.
    pub max_lag: Option<Duration>,
}

/// A flexible server of Azure Database for PostgreSQL with a replica.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlexibleServer {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of each site's server.
    pub resource_group: SiteValue,
    /// Name of each site's server.
    pub server: SiteValue,
    /// Largest lag with which a planned move may begin; default: the RPO, else 60s.
    pub max_lag: Option<Duration>,
}

/// A Cloud SQL instance with a DR replica.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudSqlReplica {
    /// Project id.
    pub project: String,
    /// Name of each site's instance.
    pub instance: SiteValue,
    /// Largest lag with which a planned move may begin; default: the RPO, else 60s.
    pub max_lag: Option<Duration>,
}
