//! Actions on Microsoft Azure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dns::RecordType;
use super::spec::{
    ActionSpec, Adapter, ApiHome, Doubt, DrillDefault, Effect, Plane, REPLICA_READING, Role, SPEC,
};
use crate::model::policy::Reversibility;
use crate::model::run::words;
use crate::model::time::Duration;

words! {
    /// How an Azure SQL failover group is failed over.
    SqlFailoverMode {
        /// Without loss; both servers must answer.
        Planned = "planned",
        /// At once; may lose data.
        Forced = "forced",
        /// Planned first, forced when that does not work; may lose data.
        PlannedThenForced = "planned_then_forced",
    }
}

/// Parameters of `azure.sql.failover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlFailover {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the secondary server.
    pub resource_group: String,
    /// Region of the secondary server, such as `westeurope`.
    pub region: String,
    /// Name of the secondary logical server, which becomes primary; absent for managed instances.
    pub server: Option<String>,
    /// Name of the failover group; without `server` an instance failover group in `region`.
    pub failover_group: String,
    /// How it is failed over; only `planned` can never lose data.
    pub mode: SqlFailoverMode,
}

impl SqlFailover {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Fails an Azure SQL failover group over to its secondary, planned or forced.",
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
        estimate: Duration::from_secs(120),
        settle: Duration::from_secs(30),
        outputs: &[
            ("replication_role", "role of the server afterwards"),
            ("replication_state", "state of replication afterwards"),
            ("already", "whether it was primary before"),
        ],
        ..SPEC
    };
}

words! {
    /// What becomes of a promoted PostgreSQL replica.
    PostgresPromoteMode {
        /// An independent server; replication ends for good.
        Standalone = "standalone",
        /// The primary, in exchange with the old one; virtual endpoints move along.
        Switchover = "switchover",
    }
}

words! {
    /// Whether a promotion waits for the replica to catch up.
    PostgresPromoteOption {
        /// It waits; loses nothing.
        Planned = "planned",
        /// It does not; may lose data.
        Forced = "forced",
    }
}

/// Parameters of `azure.postgres.promote`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresPromote {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the replica.
    pub resource_group: String,
    /// Region of the replica, such as `westeurope`.
    pub region: String,
    /// Name of the flexible server that is the replica.
    pub server: String,
    /// What becomes of it.
    pub mode: PostgresPromoteMode,
    /// Whether it waits to catch up.
    pub option: PostgresPromoteOption,
}

impl PostgresPromote {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Promotes a replica of an Azure PostgreSQL flexible server.",
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
            ("role", "role of the server afterwards"),
            ("fqdn", "name to connect to"),
            ("already", "whether it had been promoted before"),
        ],
        ..SPEC
    };
}

words! {
    /// Type of a Traffic Manager endpoint.
    EndpointType {
        /// A resource of Azure.
        Azure = "azure",
        /// A name or address outside Azure.
        External = "external",
        /// Another profile.
        Nested = "nested",
    }
}

/// Parameters of `azure.traffic_manager.set_endpoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetEndpoint {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the profile; it should live outside the regions of the application.
    pub resource_group: String,
    /// Name of the profile.
    pub profile: String,
    /// Type of the endpoint.
    pub endpoint_type: EndpointType,
    /// Name of the endpoint.
    pub endpoint: String,
    /// Whether it may receive traffic; absent: unchanged.
    pub enabled: Option<bool>,
    /// Share of traffic with weighted routing, 1 to 1000; absent: unchanged.
    #[schemars(range(min = 1, max = 1000))]
    pub weight: Option<u32>,
    /// Rank with priority routing, 1 to 1000, lowest first; absent: unchanged.
    #[schemars(range(min = 1, max = 1000))]
    pub priority: Option<u32>,
    /// Wait until monitoring calls the endpoint online, or stopped looking when it is disabled; default true.
    pub wait_monitor: Option<bool>,
}

impl SetEndpoint {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Enables, disables, weighs or ranks an endpoint of an Azure Traffic Manager profile.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        home: ApiHome::Region("global"),
        drill: DrillDefault::MustDeclare,
        role: Role::Shift,
        adapter: Adapter::SimulatedOnly,
        prepares: true,
        timeout: Duration::from_secs(600),
        poll_interval: Duration::from_secs(5),
        estimate: Duration::from_secs(60),
        settle: Duration::from_secs(30),
        outputs: &[
            ("previous", "status, weight and priority before"),
            ("monitor_status", "what monitoring says of the endpoint"),
            ("ttl_ms", "TTL of the profile: how long caches may still give the old answer"),
        ],
        ..SPEC
    };
}

/// Parameters of `azure.dns.set_record`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRecord {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the zone; it should live outside the regions of the application.
    pub resource_group: String,
    /// Zone, such as `example.com`.
    pub zone: String,
    /// Name of the record inside the zone, such as `app`; `@` for the zone itself.
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
    /// The zone is a private one.
    #[serde(default)]
    pub private: bool,
    /// Wait until the old TTL has passed as well; default true.
    pub wait_ttl: Option<bool>,
}

impl SetRecord {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Replaces an Azure DNS record if its etag is still the one that was read.",
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
            ("etag", "etag of the record afterwards"),
            ("previous", "values before the change"),
            ("previous_ttl_ms", "TTL before the change"),
        ],
        ..SPEC
    };
}

/// Parameters of `azure.vmss.set_capacity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCapacity {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the scale set.
    pub resource_group: String,
    /// Region of the scale set, such as `westeurope`.
    pub region: String,
    /// Name of the scale set.
    pub scale_set: String,
    /// Number of instances afterwards.
    pub capacity: u32,
    /// Autoscale setting whose minimum, and maximum where needed, are raised to `capacity` too.
    pub autoscale_setting: Option<String>,
    /// Instances that must run before the step is done; default: all.
    pub min_success: Option<u32>,
}

impl SetCapacity {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sets the capacity of an Azure scale set and waits until its instances run.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        home: ApiHome::Parameter("region"),
        drill: DrillDefault::MustDeclare,
        adapter: Adapter::SimulatedOnly,
        prepares: true,
        timeout: Duration::from_secs(1_200),
        poll_interval: Duration::from_secs(10),
        estimate: Duration::from_secs(300),
        settle: Duration::from_secs(10),
        outputs: &[
            ("previous", "capacity before"),
            ("capacity", "capacity asked for"),
            ("running", "instances that run"),
        ],
        ..SPEC
    };
}

words! {
    /// What is asked of a Site Recovery plan.
    SiteRecoveryOperation {
        /// Fail over although the source may be lost.
        Unplanned = "unplanned",
        /// Shut the source down, then fail over without loss.
        Planned = "planned",
        /// Bring copies up in a test network.
        Test = "test",
        /// Remove what a test brought up.
        TestCleanup = "test_cleanup",
        /// Make a failover final; other recovery points are given up.
        Commit = "commit",
        /// Take back a failover that is not committed.
        Cancel = "cancel",
        /// Replicate in the other direction.
        Reprotect = "reprotect",
    }
}

words! {
    /// Direction of a Site Recovery failover.
    SiteRecoveryDirection {
        /// To the recovery site.
        PrimaryToRecovery = "primary_to_recovery",
        /// Back to where the machines came from.
        RecoveryToPrimary = "recovery_to_primary",
    }
}

words! {
    /// Which recovery point machines are brought up from.
    SiteRecoveryPoint {
        /// Process everything received first: least loss, slower.
        Latest = "latest",
        /// Newest one already processed: fastest.
        LatestProcessed = "latest_processed",
        /// Newest one taken with applications quiesced.
        LatestApplicationConsistent = "latest_application_consistent",
        /// Newest one as after a power cut.
        LatestCrashConsistent = "latest_crash_consistent",
    }
}

words! {
    /// How Site Recovery replicates the machines of a plan.
    SiteRecoveryProvider {
        /// Azure to Azure.
        A2a = "a2a",
        /// VMware or physical machines, modernised.
        InMageRcm = "inmage_rcm",
        /// VMware or physical machines, classic.
        InMageAzureV2 = "inmage_azure_v2",
        /// Hyper-V to Azure.
        HyperVReplicaAzure = "hyperv_replica_azure",
    }
}

/// Parameters of `azure.site_recovery.failover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteRecoveryFailover {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the vault.
    pub resource_group: String,
    /// Region of the Recovery Services vault; it must not be the one that is lost.
    pub region: String,
    /// Name of the vault.
    pub vault: String,
    /// Name of the recovery plan.
    pub plan: String,
    /// What is asked of the plan.
    pub operation: SiteRecoveryOperation,
    /// Direction; default `primary_to_recovery`.
    pub direction: Option<SiteRecoveryDirection>,
    /// How the machines are replicated; needed with `recovery_point`.
    pub provider: Option<SiteRecoveryProvider>,
    /// Recovery point; default: the provider's own.
    pub recovery_point: Option<SiteRecoveryPoint>,
    /// Try to shut the source machines down first (`operation: unplanned`).
    #[serde(default)]
    pub shut_down_source: bool,
    /// Resource id of the network for test machines (`operation: test`).
    pub test_network_id: Option<String>,
    /// Remark kept with the operation (`operation: test_cleanup`).
    pub comment: Option<String>,
}

impl SiteRecoveryFailover {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Runs an Azure Site Recovery plan: failover, test, cleanup, commit, cancel or reprotect.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        home: ApiHome::Parameter("region"),
        reversibility: Reversibility::Irreversible,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        role: Role::Promote,
        adapter: Adapter::SimulatedOnly,
        timeout: Duration::from_secs(7_200),
        poll_interval: Duration::from_secs(15),
        estimate: Duration::from_secs(900),
        settle: Duration::from_secs(60),
        outputs: &[
            ("job_id", "id of the Site Recovery job"),
            ("state", "state of the plan afterwards"),
            ("failed_machines", "machines that did not come up"),
        ],
        ..SPEC
    };
}

/// Parameters of `azure.sql.check_replication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlCheckReplication {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the secondary server.
    pub resource_group: String,
    /// Region of the secondary server, such as `westeurope`.
    pub region: String,
    /// Name of the secondary logical server; absent for managed instances.
    pub server: Option<String>,
    /// Name of the failover group.
    pub failover_group: String,
    /// Longest lag that counts as healthy.
    pub max_lag: Option<Duration>,
    /// Oldest measurement that counts.
    pub max_metric_age: Option<Duration>,
}

impl SqlCheckReplication {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Reads how far the databases of an Azure SQL failover group reach in the secondary.",
        ..REPLICA_READING
    };
}

/// Parameters of `azure.postgres.check_replication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresCheckReplication {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the replica.
    pub resource_group: String,
    /// Region of the replica, such as `westeurope`.
    pub region: String,
    /// Name of the flexible server that is the replica.
    pub server: String,
    /// Longest lag that counts as healthy.
    pub max_lag: Option<Duration>,
    /// Oldest measurement that counts.
    pub max_metric_age: Option<Duration>,
}

impl PostgresCheckReplication {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Reads how far a replica of an Azure PostgreSQL flexible server reaches.",
        ..REPLICA_READING
    };
}
