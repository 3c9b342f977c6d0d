//! Data that is brought back from backups, and the backups a service must have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SiteValue;
use crate::model::time::Duration;

/// A resource that is brought back from a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupResource {
    /// Name of the vault in each site's region.
    pub vault: SiteValue,
    /// ARN of the resource in each site, of which the backups are.
    pub resource_arn: SiteValue,
    /// Type of the resource, such as `RDS`, `EFS`, `DynamoDB`.
    pub resource_type: String,
    /// ARN of the role AWS Backup works with.
    pub role_arn: String,
    /// Restore metadata of each site: names, subnets and security groups of what is made.
    pub metadata: Option<SiteValue>,
    /// Oldest copy a planned move may use; default: the RPO, else one day.
    pub max_age: Option<Duration>,
    /// Use encrypted copies only; default false.
    #[serde(default)]
    pub require_encrypted: bool,
}

/// An RDS instance whose automated backups are replicated to the other site's region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AutomatedBackup {
    /// ARN of the automated backups that each site's region holds of the other site's instance.
    pub backups: SiteValue,
    /// Identifier of the instance that is made in each site; it must not exist.
    pub instance: SiteValue,
    /// Settings of what is made in each site, as in `aws.rds.restore_to_point_in_time`.
    pub settings: Option<SiteValue>,
    /// Oldest backup a planned move may use; default: the RPO, else one day.
    pub max_age: Option<Duration>,
}

/// Backups that the service must have wherever it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Protection {
    /// Name of the vault in each site's region.
    pub vault: SiteValue,
    /// ARN of the resource in each site.
    pub resource_arn: SiteValue,
    /// ARN of the role AWS Backup works with.
    pub role_arn: String,
    /// Days a backup is kept.
    #[schemars(range(min = 1))]
    pub delete_after_days: Option<u32>,
    /// Oldest backup with which a planned move may begin; default one day.
    pub max_age: Option<Duration>,
}
