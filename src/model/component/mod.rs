//! The parts of a service that an author declares instead of steps. Data only: what the compiler makes of
//! them is in `compile::strategy`.

mod backup;
mod compute;
mod data;
mod dns;
mod fits;
mod health;
mod kind;
mod managed;
mod path;
mod queue;
pub mod reference;
mod schema;
mod site_value;
mod traffic;

use super::run::words;

pub use backup::{AutomatedBackup, BackupResource, Protection};
pub use compute::{
    AutoscalingGroup, Capacity, EcsService, InstanceGroup, NodeGroup, ProgramService, ScaleSet, Workload,
};
pub use data::{DistributedPostgres, GlobalCluster, GlobalTable, PostgresServer, ReadReplica, Rebuild};
pub use dns::{AzureDnsRecord, CloudDnsRecord, DnsRecord};
pub use health::{Alarms, HttpEndpoint};
pub use kind::{Component, ComponentKind};
pub use managed::{CloudSqlReplica, FailoverGroup, FlexibleServer};
pub use path::{Link, Way};
pub use queue::{CronJobs, EventSource, ProgramScheduler};
pub use site_value::{EachSite, SiteValue};
pub use traffic::{FailoverRecord, HealthChecks, RoutingControls, TrafficManager, WeightedRecords};

words! {
    /// What a component is for.
    ComponentRole {
        /// Holds data; one site has the writer.
        Data = "data",
        /// Runs the service.
        Compute = "compute",
        /// Takes work in by itself.
        Queue = "queue",
        /// Links sites.
        Path = "path",
        /// Keeps copies.
        Backup = "backup",
        /// Sends users to a site.
        Traffic = "traffic",
        /// Says whether a site serves.
        Health = "health",
    }
}
