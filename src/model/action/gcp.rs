//! Actions on Google Cloud.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dns::RecordType;
use super::spec::{
    ActionSpec, Adapter, ApiHome, Doubt, DrillDefault, Effect, Plane, REPLICA_READING, Role, SPEC,
};
use crate::model::policy::Reversibility;
use crate::model::time::Duration;

/// Parameters of `gcp.sql.promote`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlPromote {
    /// Project id.
    pub project: String,
    /// Region of the replica.
    pub region: String,
    /// Name of the replica.
    pub instance: String,
    /// The replica is a DR replica: the old primary is added again as a replica when it returns.
    pub replica_failover: bool,
}

impl SqlPromote {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Promotes a Cloud SQL replica and waits until it is a runnable primary.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        home: ApiHome::Parameter("region"),
        reversibility: Reversibility::Irreversible,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        role: Role::Promote,
        adapter: Adapter::SimulatedOnly,
        timeout: Duration::from_secs(1_800),
        poll_interval: Duration::from_secs(10),
        estimate: Duration::from_secs(300),
        settle: Duration::from_secs(30),
        outputs: &[
            ("operation", "name of the operation"),
            ("address", "address of the new primary"),
            ("already", "whether it had been promoted before"),
        ],
        ..SPEC
    };
}

/// Parameters of `gcp.sql.switchover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlSwitchover {
    /// Project id.
    pub project: String,
    /// Region of the DR replica.
    pub region: String,
    /// Name of the DR replica that becomes primary.
    pub instance: String,
    /// How long the databases may take to agree before nothing is changed; default 10m.
    pub database_timeout: Option<Duration>,
}

impl SqlSwitchover {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Swaps a Cloud SQL primary and its DR replica without loss; both must be healthy.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        home: ApiHome::Parameter("region"),
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        role: Role::Promote,
        adapter: Adapter::SimulatedOnly,
        timeout: Duration::from_secs(1_800),
        poll_interval: Duration::from_secs(10),
        estimate: Duration::from_secs(300),
        settle: Duration::from_secs(30),
        outputs: &[
            ("operation", "name of the operation"),
            ("previous_primary", "name of the instance that was primary"),
            ("already", "whether the instance was primary before"),
        ],
        ..SPEC
    };
}

/// Parameters of `gcp.sql.failover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlFailover {
    /// Project id.
    pub project: String,
    /// Region of the instance.
    pub region: String,
    /// Name of the highly available instance.
    pub instance: String,
    /// Zone that must serve the instance afterwards; already there counts as done.
    pub to_zone: Option<String>,
}

impl SqlFailover {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Fails a highly available Cloud SQL instance over to its standby zone in the same region.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        home: ApiHome::Parameter("region"),
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        role: Role::Promote,
        adapter: Adapter::SimulatedOnly,
        timeout: Duration::from_secs(900),
        poll_interval: Duration::from_secs(5),
        estimate: Duration::from_secs(90),
        settle: Duration::from_secs(30),
        outputs: &[
            ("operation", "name of the operation"),
            ("previous_zone", "zone that served before"),
            ("zone", "zone that serves now"),
        ],
        ..SPEC
    };
}

/// Parameters of `gcp.dns.change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsChange {
    /// Project id.
    pub project: String,
    /// Name of the managed zone (not its DNS name).
    pub managed_zone: String,
    /// Full name of the record; the final dot may be left out.
    pub name: String,
    /// Type of the record.
    pub record_type: RecordType,
    /// Values the record has afterwards, in place of all it had.
    #[schemars(length(min = 1))]
    pub values: Vec<String>,
    /// TTL of the record afterwards, in whole seconds; default: the TTL it has, else 60s.
    pub ttl: Option<Duration>,
    /// Values the record must have now, or nothing is changed; empty: those read just before.
    #[serde(default)]
    pub expect: Vec<String>,
    /// Wait until the old TTL has passed as well; default true.
    pub wait_ttl: Option<bool>,
}

impl DnsChange {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Replaces a Cloud DNS record in one atomic change and reads it back from the name servers.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        home: ApiHome::Region("global"),
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        role: Role::Shift,
        adapter: Adapter::SimulatedOnly,
        prepares: true,
        timeout: Duration::from_secs(600),
        poll_interval: Duration::from_secs(5),
        estimate: Duration::from_secs(60),
        settle: Duration::from_secs(10),
        outputs: &[
            ("change_id", "id of the change"),
            ("previous", "values before the change"),
            ("previous_ttl_ms", "TTL before the change"),
        ],
        ..SPEC
    };
}

/// Parameters of `gcp.compute.resize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Project id.
    pub project: String,
    /// Region of the instance group.
    pub region: String,
    /// Zone of a zonal group; absent for a regional group.
    pub zone: Option<String>,
    /// Name of the managed instance group.
    pub group: String,
    /// Number of instances afterwards.
    pub size: u32,
    /// Autoscaler whose minimum, and maximum where needed, are raised to `size` too.
    pub autoscaler: Option<String>,
    /// Instances that must run before the step is done; default: all.
    pub min_success: Option<u32>,
}

impl Resize {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sets the size of a managed instance group and waits until it is stable.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        home: ApiHome::Parameter("region"),
        drill: DrillDefault::MustDeclare,
        adapter: Adapter::SimulatedOnly,
        prepares: true,
        timeout: Duration::from_secs(1_200),
        poll_interval: Duration::from_secs(5),
        estimate: Duration::from_secs(180),
        settle: Duration::from_secs(10),
        outputs: &[
            ("previous", "size before"),
            ("size", "size asked for"),
            ("running", "instances that run"),
        ],
        ..SPEC
    };
}

/// Parameters of `gcp.sql.check_replication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlCheckReplication {
    /// Project id.
    pub project: String,
    /// Region of the replica.
    pub region: String,
    /// Name of the replica.
    pub instance: String,
    /// Longest lag that counts as healthy.
    pub max_lag: Option<Duration>,
    /// Oldest measurement that counts.
    pub max_metric_age: Option<Duration>,
}

impl SqlCheckReplication {
    /// What is declared about the action.
    pub const SPEC: ActionSpec =
        ActionSpec { summary: "Reads how far a Cloud SQL replica reaches.", ..REPLICA_READING };
}
