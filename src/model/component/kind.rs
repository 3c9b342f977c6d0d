//! The closed list of component kinds.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::{
    Alarms, AutomatedBackup, AutoscalingGroup, AzureDnsRecord, BackupResource, CloudDnsRecord,
    CloudSqlReplica, ComponentRole, CronJobs, DistributedPostgres, DnsRecord, EcsService, EventSource,
    FailoverGroup, FailoverRecord, FlexibleServer, GlobalCluster, GlobalTable, HealthChecks, HttpEndpoint,
    InstanceGroup, Link, NodeGroup, PostgresServer, ProgramScheduler, ProgramService, Protection,
    ReadReplica, RoutingControls, ScaleSet, TrafficManager, WeightedRecords, Workload,
};
use crate::model::run::words;

/// Makes [`ComponentKind`] and [`Component`] from `Variant = "kind", Role, Struct;` lines.
macro_rules! components {
    ($($variant:ident = $text:literal, $role:ident, $summary:literal;)+) => {
        words! {
            /// Kind of a component.
            ComponentKind { $(#[doc = $summary] $variant = $text,)+ }
        }

        /// A declared part of a service.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Component { $(#[doc = $summary] $variant($variant)),+ }

        impl ComponentKind {
            /// What a component of this kind is for.
            #[must_use]
            pub const fn role(self) -> ComponentRole {
                match self { $(Self::$variant => ComponentRole::$role),+ }
            }

            /// One sentence about the kind.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary),+ }
            }

            pub(super) fn properties(self, generator: &mut SchemaGenerator) -> Value {
                let schema = match self { $(Self::$variant => <$variant>::json_schema(generator)),+ };
                schema.to_value()
            }
        }

        impl Component {
            /// Types the fields of a component, all but `id`, `kind` and `needs`.
            ///
            /// # Errors
            /// When a field is missing, unknown or of the wrong type.
            pub fn new(kind: ComponentKind, fields: Value) -> Result<Self, serde_json::Error> {
                Ok(match kind {
                    $(ComponentKind::$variant => Self::$variant(serde_json::from_value(fields)?),)+
                })
            }

            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> ComponentKind {
                match self { $(Self::$variant(_) => ComponentKind::$variant),+ }
            }
        }
    };
}

components! {
    PostgresServer = "postgres.server", Data,
        "A PostgreSQL primary with a streaming standby in the other site.";
    DistributedPostgres = "postgres.distributed", Data,
        "A database that accepts writes in every site and speaks the protocol of PostgreSQL.";
    ReadReplica = "aws.rds.read_replica", Data,
        "An RDS instance with a read replica in the other site's region.";
    GlobalCluster = "aws.rds.global_cluster", Data,
        "An Aurora global database with a cluster in each site's region.";
    AutomatedBackup = "aws.rds.automated_backup", Data,
        "An RDS instance whose automated backups are replicated to the other site's region.";
    BackupResource = "aws.backup.resource", Data,
        "A resource whose copies AWS Backup keeps in a vault of the other site.";
    GlobalTable = "aws.dynamodb.global_table", Data,
        "A DynamoDB global table with a replica in each site's region.";
    FailoverGroup = "azure.sql.failover_group", Data,
        "An Azure SQL failover group with a server in each site.";
    FlexibleServer = "azure.postgres.server", Data,
        "A flexible server of Azure Database for PostgreSQL with a replica in the other site.";
    CloudSqlReplica = "gcp.sql.replica", Data,
        "A Cloud SQL instance with a DR replica in the other site.";
    EcsService = "aws.ecs.service", Compute,
        "An ECS service in each site's region.";
    AutoscalingGroup = "aws.autoscaling.group", Compute,
        "An Auto Scaling group in each site's region.";
    NodeGroup = "aws.eks.nodegroup", Compute,
        "A managed node group of an EKS cluster in each site's region.";
    Workload = "kubernetes.workload", Compute,
        "A deployment or stateful set in each site's cluster.";
    ScaleSet = "azure.vmss.scale_set", Compute,
        "A virtual machine scale set in each site.";
    InstanceGroup = "gcp.compute.instance_group", Compute,
        "A managed instance group in each site.";
    ProgramService = "command.service", Compute,
        "A service that programs start and stop.";
    EventSource = "aws.lambda.event_source", Queue,
        "A Lambda event source mapping in each site's region: the consumers of a queue or stream.";
    CronJobs = "kubernetes.cronjobs", Queue,
        "Cron jobs that run in the site that serves only.";
    ProgramScheduler = "command.scheduler", Queue,
        "Consumers or a scheduler that programs start and stop.";
    Link = "network.link", Path,
        "A link between sites with two paths, such as Direct Connect with a VPN behind it.";
    Protection = "aws.backup.protection", Backup,
        "Backups that the service must have wherever it runs.";
    RoutingControls = "aws.arc.routing_controls", Traffic,
        "Routing controls of Application Recovery Controller, which work without any one region.";
    WeightedRecords = "aws.route53.weighted_records", Traffic,
        "Weighted records of Route 53, one for each site. Changing them needs us-east-1.";
    FailoverRecord = "aws.route53.failover_record", Traffic,
        "A primary and a secondary record of Route 53. Changing them needs us-east-1.";
    HealthChecks = "aws.route53.health_checks", Traffic,
        "Health checks of Route 53 that tell its records where to send users. Changing them needs us-east-1.";
    DnsRecord = "dns.record", Traffic,
        "A record on DNS servers that take updates by RFC 2136.";
    AzureDnsRecord = "azure.dns.record", Traffic,
        "A record of Azure DNS.";
    CloudDnsRecord = "gcp.dns.record", Traffic,
        "A record of Cloud DNS.";
    TrafficManager = "azure.traffic_manager.profile", Traffic,
        "A profile of Azure Traffic Manager with an endpoint for each site.";
    HttpEndpoint = "http.endpoint", Health,
        "An address that says whether a site serves.";
    Alarms = "aws.cloudwatch.alarms", Health,
        "Alarms of CloudWatch that must not ring where the service runs.";
}
