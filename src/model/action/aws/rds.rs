//! Actions on Amazon RDS and Aurora: fencing, promotion, failover. Restores and replicas are in `rds_copies`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::spec::{ActionSpec, ApiHome, Doubt, DrillDefault, Effect, Plane, Role, SPEC};
use crate::model::policy::Reversibility;
use crate::model::run::words;
use crate::model::time::Duration;

pub use super::rds_copies::{
    CopySnapshot, CreateReadReplica, DatabaseSettings, RestoreFromSnapshot, RestoreSource,
    RestoreToPointInTime,
};

/// What every change of a database here has in common.
const PROMOTION: ActionSpec = ActionSpec {
    prechecks: true,
    check_permissions: &["rds:DescribePendingMaintenanceActions"],
    effect: Effect::Mutate,
    plane: Plane::Control,
    home: ApiHome::Parameter("region"),
    reversibility: Reversibility::Compensable,
    doubt: Doubt::Observable,
    drill: DrillDefault::MustDeclare,
    role: Role::Promote,
    timeout: Duration::from_secs(1_800),
    poll_interval: Duration::from_secs(10),
    estimate: Duration::from_secs(120),
    settle: Duration::from_secs(60),
    ..SPEC
};

/// Longer than an accepted order of a global cluster may stay invisible.
const GLOBAL_SETTLE: Duration = Duration::from_secs(120);

words! {
    /// What an RDS identifier names.
    DatabaseKind {
        /// A DB instance.
        Instance = "instance",
        /// A DB cluster: Aurora, or Multi-AZ with readable standbys.
        Cluster = "cluster",
    }
}

words! {
    /// How an old primary is kept from accepting writes.
    FenceMethod {
        /// Replace its security groups by one that lets nobody in. Can be undone at once.
        Quarantine = "quarantine",
        /// Stop it. RDS refuses for members of a global database and for instances with replicas, and starts
        /// it again after seven days.
        Stop = "stop",
    }
}

/// Parameters of `aws.rds.fence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    /// Region of the old primary.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Whether it is an instance or a cluster.
    pub kind: DatabaseKind,
    /// Identifier of the instance or the cluster.
    pub identifier: String,
    /// How it is fenced.
    pub method: FenceMethod,
    /// Ids of the security groups that let nobody in, in its VPC (`method: quarantine`).
    #[serde(default)]
    pub quarantine_security_group_ids: Vec<String>,
    /// Reboot it afterwards: established connections may outlive a change of groups (`method: quarantine`).
    #[serde(default)]
    pub end_connections: bool,
}

impl Fence {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Keeps an old RDS primary from accepting writes: quarantines it, or stops it.",
        reversibility: Reversibility::Reversible,
        role: Role::Fence,
        prepares: true,
        timeout: Duration::from_secs(900),
        poll_interval: Duration::from_secs(5),
        estimate: Duration::from_secs(60),
        outputs: &[
            ("confirmed", "whether the primary is known not to accept writes"),
            ("reason", "why that is not known, or what ends the fence"),
            ("method", "how it was fenced"),
            ("previous_security_group_ids", "security groups it had before"),
        ],
        permissions: &[
            "ec2:DescribeSecurityGroups",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstances",
            "rds:DescribeGlobalClusters",
            "rds:ModifyDBCluster",
            "rds:ModifyDBInstance",
            "rds:RebootDBInstance",
            "rds:StartDBCluster",
            "rds:StartDBInstance",
            "rds:StopDBCluster",
            "rds:StopDBInstance",
        ],
        ..PROMOTION
    };
}

/// Parameters of `aws.rds.promote_read_replica`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteReadReplica {
    /// Region of the replica.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Identifier of the replica, an instance.
    pub instance: String,
    /// Days automated backups are kept afterwards; 0 leaves the new primary without backups.
    #[schemars(range(max = 35))]
    pub backup_retention_days: u32,
    /// Daily backup window in UTC, as `hh:mm-hh:mm`; the promotion is refused while a backup runs.
    pub preferred_backup_window: Option<String>,
}

impl PromoteReadReplica {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Promotes an RDS read replica and waits until it is available without a source.",
        reversibility: Reversibility::Irreversible,
        estimate: Duration::from_secs(300),
        outputs: &[
            ("endpoint", "host name of the new primary"),
            ("port", "its port"),
            ("arn", "its ARN"),
            ("already", "whether it had been promoted before"),
        ],
        permissions: &["rds:DescribeDBInstances", "rds:PromoteReadReplica"],
        ..PROMOTION
    };
}

/// Parameters of `aws.rds.failover_global_cluster`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailoverGlobalCluster {
    /// Region whose API is called: one that survives, normally that of the target.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Identifier of the global cluster.
    pub global_cluster: String,
    /// ARN of the secondary cluster that becomes the writer.
    pub target: String,
    /// Accept the loss of what has not been replicated. Must be true for a failover: without it AWS does a
    /// switchover, which needs the old writer.
    pub allow_data_loss: bool,
}

impl FailoverGlobalCluster {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Fails an Aurora global database over to another region; may lose what was not replicated.",
        reversibility: Reversibility::Irreversible,
        outputs: &[
            ("writer", "ARN of the writer cluster"),
            ("previous_writer", "ARN of the cluster that was the writer"),
            ("already", "whether the target was the writer before"),
        ],
        permissions: &["rds:DescribeDBClusters", "rds:DescribeGlobalClusters", "rds:FailoverGlobalCluster"],
        settle: GLOBAL_SETTLE,
        ..PROMOTION
    };
}

/// Parameters of `aws.rds.switchover_global_cluster`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchoverGlobalCluster {
    /// Region whose API is called: that of the present writer.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Identifier of the global cluster.
    pub global_cluster: String,
    /// ARN of the secondary cluster that becomes the writer.
    pub target: String,
}

impl SwitchoverGlobalCluster {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Swaps writer and secondary of an Aurora global database without loss; needs every region.",
        estimate: Duration::from_secs(180),
        prepares: true,
        outputs: &[
            ("writer", "ARN of the writer cluster"),
            ("previous_writer", "ARN of the cluster that was the writer"),
            ("already", "whether the target was the writer before"),
        ],
        permissions: &["rds:DescribeDBClusters", "rds:DescribeGlobalClusters", "rds:SwitchoverGlobalCluster"],
        settle: GLOBAL_SETTLE,
        ..PROMOTION
    };
}

/// Parameters of `aws.rds.failover_cluster`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailoverCluster {
    /// Region of the cluster.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Identifier of the cluster.
    pub cluster: String,
    /// Identifier of the instance that becomes the writer; default: the one with the best tier.
    pub target: Option<String>,
}

impl FailoverCluster {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Makes another instance of a DB cluster its writer, inside one region.",
        timeout: Duration::from_secs(600),
        poll_interval: Duration::from_secs(5),
        estimate: Duration::from_secs(35),
        settle: Duration::from_secs(30),
        prepares: true,
        outputs: &[
            ("writer", "identifier of the writer instance"),
            ("previous_writer", "identifier of the instance that was the writer"),
            ("already", "whether the target was the writer before"),
        ],
        permissions: &["rds:DescribeDBClusters", "rds:FailoverDBCluster"],
        ..PROMOTION
    };
}

/// Parameters of `aws.rds.reboot_with_failover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RebootWithFailover {
    /// Region of the instance.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Identifier of the Multi-AZ instance.
    pub instance: String,
    /// Availability zone that must serve it afterwards; already there counts as done.
    pub to_availability_zone: Option<String>,
}

impl RebootWithFailover {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Reboots a Multi-AZ instance over to its standby zone, inside one region.",
        timeout: Duration::from_secs(1_200),
        poll_interval: Duration::from_secs(5),
        // The vendor's guide: "the Availability Zone change might not be reflected ... for several minutes".
        settle: Duration::from_secs(600),
        prepares: true,
        outputs: &[
            ("availability_zone", "zone that serves now"),
            ("previous_availability_zone", "zone that served before"),
        ],
        permissions: &["rds:DescribeDBInstances", "rds:RebootDBInstance"],
        ..PROMOTION
    };
}

words! {
    /// How a standby follows its primary.
    ReplicationKind {
        /// An RDS read replica, an instance.
        ReadReplica = "read_replica",
        /// A secondary cluster of an Aurora global database.
        GlobalCluster = "global_cluster",
        /// Automated backups of an instance, replicated or not.
        AutomatedBackups = "automated_backups",
    }
}

/// Parameters of `aws.rds.check_replication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckReplication {
    /// Region of the standby, where its metrics are.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// How the standby follows.
    pub kind: ReplicationKind,
    /// Identifier of the replica or the secondary cluster; ARN of the automated backups.
    pub identifier: String,
    /// Identifier of the global cluster (`kind: global_cluster`).
    pub global_cluster: Option<String>,
    /// Largest lag that counts as healthy.
    pub max_lag: Option<Duration>,
    /// Oldest age of the newest measurement that counts as healthy; metrics stop when the primary dies.
    pub max_metric_age: Option<Duration>,
}

impl CheckReplication {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Reads how far an RDS or Aurora standby is behind: the last measured lag and its age.",
        plane: Plane::Control,
        home: ApiHome::Parameter("region"),
        role: Role::Reading,
        timeout: Duration::from_secs(60),
        poll_interval: Duration::from_secs(5),
        estimate: Duration::from_secs(2),
        outputs: &[
            ("lag_ms", "last measured time behind the primary"),
            ("measured_at", "when that was measured"),
            ("recovery_point_at", "how far the standby's data reaches: measured_at less the lag"),
            ("status", "state of replication, as RDS says"),
        ],
        permissions: &[
            "cloudwatch:GetMetricData",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstanceAutomatedBackups",
            "rds:DescribeDBInstances",
            "rds:DescribeGlobalClusters",
        ],
        ..SPEC
    };
}
