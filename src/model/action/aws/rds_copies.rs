//! Actions of `aws.rds` that make new databases or snapshots: restores, replicas, copies.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::spec::{ActionSpec, ApiHome, Doubt, DrillDefault, Effect, Plane, Role, SPEC};
use super::rds::DatabaseKind;
use crate::model::policy::Reversibility;
use crate::model::run::words;
use crate::model::time::{Duration, Timestamp};

/// What every action here has in common: the new thing has a name, so a look tells whether it was made.
const CREATION: ActionSpec = ActionSpec {
    effect: Effect::Mutate,
    plane: Plane::Control,
    home: ApiHome::Parameter("region"),
    reversibility: Reversibility::Compensable,
    doubt: Doubt::Observable,
    drill: DrillDefault::MustDeclare,
    timeout: Duration::from_secs(14_400),
    poll_interval: Duration::from_secs(30),
    estimate: Duration::from_secs(1_800),
    settle: Duration::from_secs(30),
    ..SPEC
};

/// Settings of a new database; what is absent is chosen by RDS, which rarely is what production needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Instance class, such as `db.r6g.2xlarge`; default: that of the source.
    pub instance_class: Option<String>,
    /// Engine, such as `aurora-postgresql`; needed for a cluster.
    pub engine: Option<String>,
    /// Version of the engine; default: that of the source.
    pub engine_version: Option<String>,
    /// Subnet group; default: the default VPC's.
    pub subnet_group: Option<String>,
    /// Ids of the security groups; empty: the VPC's default group.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// Parameter group; default: the engine's default.
    pub parameter_group: Option<String>,
    /// Option group; default: the engine's default.
    pub option_group: Option<String>,
    /// Keep a standby in a second zone; default: no.
    pub multi_az: Option<bool>,
    /// Availability zone of a single-zone instance; default: chosen by RDS.
    pub availability_zone: Option<String>,
    /// Port; default: that of the source.
    pub port: Option<u16>,
    /// Give it a public address.
    pub publicly_accessible: Option<bool>,
    /// Type of storage, such as `gp3`.
    pub storage_type: Option<String>,
    /// Provisioned I/O operations a second.
    pub iops: Option<u32>,
    /// Refuse to delete it until this is taken away; leave it out in drills.
    pub deletion_protection: Option<bool>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Parameters of `aws.rds.restore_from_snapshot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreFromSnapshot {
    /// Region of the snapshot and the new database.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Whether an instance or a cluster is restored; default `instance`.
    pub kind: Option<DatabaseKind>,
    /// Identifier of the snapshot; an ARN when it is shared.
    pub snapshot: String,
    /// Identifier of the new instance or cluster; it must not exist.
    pub identifier: String,
    /// Identifiers of instances to make in a new cluster (`kind: cluster`).
    #[serde(default)]
    pub cluster_instances: Vec<String>,
    /// Key that encrypts the new cluster (`kind: cluster`); default: that of the snapshot.
    pub kms_key_id: Option<String>,
    /// Settings of the new database.
    #[serde(default)]
    pub settings: DatabaseSettings,
}

impl RestoreFromSnapshot {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Restores a snapshot into a new database and waits until it is available.",
        role: Role::Promote,
        outputs: &[
            ("endpoint", "host name of the new database"),
            ("port", "its port"),
            ("arn", "its ARN"),
            ("recovery_point_at", "when the snapshot was taken"),
        ],
        permissions: &[
            "kms:CreateGrant",
            "kms:DescribeKey",
            "rds:AddTagsToResource",
            "rds:CreateDBInstance",
            "rds:DescribeDBClusterSnapshots",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstances",
            "rds:DescribeDBSnapshots",
            "rds:RestoreDBClusterFromSnapshot",
            "rds:RestoreDBInstanceFromDBSnapshot",
        ],
        ..CREATION
    };
}

words! {
    /// Where a point-in-time restore reads from.
    RestoreSource {
        /// An instance that exists, by identifier.
        Instance = "instance",
        /// A cluster that exists, by identifier.
        Cluster = "cluster",
        /// Automated backups kept or replicated here, by ARN.
        AutomatedBackups = "automated_backups",
        /// An instance that may be deleted, by its resource id.
        InstanceResourceId = "instance_resource_id",
        /// A cluster that may be deleted, by its resource id.
        ClusterResourceId = "cluster_resource_id",
    }
}

/// Parameters of `aws.rds.restore_to_point_in_time`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreToPointInTime {
    /// Region of the backups and the new database.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// What `source` names.
    pub source_kind: RestoreSource,
    /// Identifier, ARN or resource id of the source.
    pub source: String,
    /// Identifier of the new instance or cluster; it must not exist.
    pub identifier: String,
    /// Time to restore to; default: the latest that is possible.
    pub restore_at: Option<Timestamp>,
    /// Identifiers of instances to make in a new cluster.
    #[serde(default)]
    pub cluster_instances: Vec<String>,
    /// Key that encrypts a new cluster; default: that of the source.
    pub kms_key_id: Option<String>,
    /// Settings of the new database.
    #[serde(default)]
    pub settings: DatabaseSettings,
}

impl RestoreToPointInTime {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Restores backups to a point in time into a new database and waits until it is available.",
        role: Role::Promote,
        outputs: &[
            ("endpoint", "host name of the new database"),
            ("port", "its port"),
            ("arn", "its ARN"),
            ("recovery_point_at", "the time it was restored to"),
        ],
        permissions: &[
            "kms:CreateGrant",
            "kms:DescribeKey",
            "rds:AddTagsToResource",
            "rds:CreateDBInstance",
            "rds:DescribeDBClusterAutomatedBackups",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstanceAutomatedBackups",
            "rds:DescribeDBInstances",
            "rds:RestoreDBClusterToPointInTime",
            "rds:RestoreDBInstanceToPointInTime",
        ],
        ..CREATION
    };
}

/// Parameters of `aws.rds.create_read_replica`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateReadReplica {
    /// Region the replica is made in.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// ARN of the source instance, which needs automated backups.
    pub source_arn: String,
    /// Identifier of the new replica; it must not exist.
    pub instance: String,
    /// Key of `region` that encrypts the replica; needed when the source is encrypted and in another region.
    pub kms_key_id: Option<String>,
    /// Days automated backups of the replica are kept; default: none are made.
    #[schemars(range(max = 35))]
    pub backup_retention_days: Option<u32>,
    /// Settings of the replica.
    #[serde(default)]
    pub settings: DatabaseSettings,
}

impl CreateReadReplica {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Makes a read replica, also across regions, and waits until it replicates.",
        timeout: Duration::from_secs(43_200),
        estimate: Duration::from_secs(3_600),
        outputs: &[
            ("endpoint", "host name of the replica"),
            ("arn", "its ARN"),
            ("status", "state of replication"),
        ],
        permissions: &[
            "kms:CreateGrant",
            "kms:DescribeKey",
            "rds:AddTagsToResource",
            "rds:CreateDBInstanceReadReplica",
            "rds:DescribeDBInstances",
            "rds:ModifyDBInstance",
        ],
        ..CREATION
    };
}

/// Parameters of `aws.rds.copy_snapshot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopySnapshot {
    /// Region the snapshot is copied to, whose API is called.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Region of the source snapshot; it must answer too.
    pub source_region: String,
    /// Whether it is a snapshot of an instance or a cluster; default `instance`.
    pub kind: Option<DatabaseKind>,
    /// ARN of the source snapshot.
    pub source_snapshot_arn: String,
    /// Identifier of the copy; it must not exist.
    pub snapshot: String,
    /// Key of `region` that encrypts the copy; needed when the source is encrypted and in another region.
    pub kms_key_id: Option<String>,
    /// Option group of `region`, where the source has one.
    pub option_group: Option<String>,
    /// Copy the tags as well.
    #[serde(default)]
    pub copy_tags: bool,
}

impl CopySnapshot {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Copies a snapshot to another region and waits until the copy is available.",
        outputs: &[
            ("snapshot_arn", "ARN of the copy"),
            ("recovery_point_at", "when the original snapshot was taken"),
        ],
        permissions: &[
            "kms:CreateGrant",
            "kms:DescribeKey",
            "rds:AddTagsToResource",
            "rds:CopyDBClusterSnapshot",
            "rds:CopyDBSnapshot",
            "rds:DescribeDBClusterSnapshots",
            "rds:DescribeDBSnapshots",
        ],
        ..CREATION
    };
}
