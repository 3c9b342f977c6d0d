//! The parts of a service that an author declares instead of steps. Data only: what the compiler makes of
//! them is in `compile::strategy`.

mod compute;
mod data;
mod health;
mod queue;
mod schema;
mod site_value;
mod traffic;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::run::words;

pub use compute::{AutoscalingGroup, Capacity, EcsService};
pub use data::{BackupResource, GlobalCluster, GlobalTable, PostgresServer, ReadReplica};
pub use health::HttpEndpoint;
pub use queue::EventSource;
pub use site_value::SiteValue;
pub use traffic::{RoutingControls, WeightedRecords};

words! {
    /// What a component is for.
    ComponentRole {
        /// Holds data; one site has the writer.
        Data = "data",
        /// Runs the service.
        Compute = "compute",
        /// Takes work in by itself.
        Queue = "queue",
        /// Sends users to a site.
        Traffic = "traffic",
        /// Says whether a site serves.
        Health = "health",
    }
}

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

            fn properties(self, generator: &mut SchemaGenerator) -> Value {
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
    ReadReplica = "aws.rds.read_replica", Data,
        "An RDS instance with a read replica in the other site's region.";
    GlobalCluster = "aws.rds.global_cluster", Data,
        "An Aurora global database with a cluster in each site's region.";
    BackupResource = "aws.backup.resource", Data,
        "A resource whose copies AWS Backup keeps in a vault of the other site.";
    GlobalTable = "aws.dynamodb.global_table", Data,
        "A DynamoDB global table with a replica in each site's region.";
    EcsService = "aws.ecs.service", Compute,
        "An ECS service in each site's region.";
    AutoscalingGroup = "aws.autoscaling.group", Compute,
        "An Auto Scaling group in each site's region.";
    EventSource = "aws.lambda.event_source", Queue,
        "A Lambda event source mapping in each site's region: the consumers of a queue or stream.";
    RoutingControls = "aws.arc.routing_controls", Traffic,
        "Routing controls of Application Recovery Controller, which work without any one region.";
    WeightedRecords = "aws.route53.weighted_records", Traffic,
        "Weighted records of Route 53, one for each site. Changing them needs us-east-1.";
    HttpEndpoint = "http.endpoint", Health,
        "An address that says whether a site serves.";
}
