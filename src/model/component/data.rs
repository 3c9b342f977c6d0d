//! Components that hold data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SiteValue;
use crate::model::time::Duration;

/// A PostgreSQL primary with a streaming standby.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresServer {
    /// Connection string of each site's server.
    pub connection: SiteValue,
    /// Program and arguments that stop each site's server.
    pub stop: SiteValue,
    /// Program and arguments that start it.
    pub start: SiteValue,
    /// Program and arguments that make it follow the other one again, such as `pg_rewind … -R`.
    pub rewind: SiteValue,
    /// Its data directory, seen from where drctl runs.
    pub data_directory: SiteValue,
    /// Table of the heartbeat the recovery point is read from; default `drctl_heartbeat`.
    pub heartbeat_table: Option<String>,
}

/// How the way back begins: a promoted replica follows nobody, so the data is made anew where it returns to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// ARN of each site's instance.
    pub arn: SiteValue,
    /// Identifier of the replica that is made in the site the service returns to, and promoted there.
    pub instance: String,
    /// ARN of that replica; a template may read `site`.
    pub instance_arn: SiteValue,
}

/// An RDS instance with a read replica in another region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadReplica {
    /// Identifier of each site's instance.
    pub instance: SiteValue,
    /// Ids of security groups that let nobody in, in each site's VPC: the fence of the old primary.
    pub quarantine_security_groups: SiteValue,
    /// Days automated backups of the promoted replica are kept; default 7.
    #[schemars(range(min = 1, max = 35))]
    pub backup_retention_days: Option<u32>,
    /// Largest lag with which a planned move may begin; default: the RPO, else 60s.
    pub max_lag: Option<Duration>,
    /// How the way back begins; without it `workflows.failback` is written by hand.
    pub rebuild: Option<Rebuild>,
}

/// An Aurora global database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GlobalCluster {
    /// Identifier of the global cluster.
    pub global_cluster: String,
    /// Identifier of each site's cluster.
    pub cluster: SiteValue,
    /// ARN of each site's cluster.
    pub cluster_arn: SiteValue,
    /// Largest lag with which a planned move may begin; default: the RPO, else 60s.
    pub max_lag: Option<Duration>,
}

/// A DynamoDB global table with a replica in each site's region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GlobalTable {
    /// Name of the table.
    pub table: String,
}

/// A database that accepts writes in every site and speaks the protocol of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DistributedPostgres {
    /// Connection string of each site.
    pub connection: SiteValue,
    /// Table of the heartbeat the recovery point is read from; default `drctl_heartbeat`.
    pub heartbeat_table: Option<String>,
}
