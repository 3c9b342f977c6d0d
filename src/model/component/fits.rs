//! Which kinds of components go with which strategy.

use super::ComponentKind;
use crate::model::runbook::Strategy;

impl ComponentKind {
    /// Whether a component of this kind can be a part of a strategy.
    #[must_use]
    pub const fn fits(self, strategy: Strategy) -> bool {
        let standby = matches!(strategy, Strategy::PilotLight | Strategy::WarmStandby);
        let everywhere = matches!(strategy, Strategy::ActiveActive);
        match self {
            Self::PostgresServer
            | Self::ReadReplica
            | Self::GlobalCluster
            | Self::FailoverGroup
            | Self::FlexibleServer
            | Self::CloudSqlReplica => standby,
            Self::BackupResource | Self::AutomatedBackup => !standby && !everywhere,
            Self::GlobalTable | Self::DistributedPostgres => everywhere,
            Self::RoutingControls | Self::FailoverRecord => !everywhere,
            Self::EcsService
            | Self::AutoscalingGroup
            | Self::NodeGroup
            | Self::Workload
            | Self::ScaleSet
            | Self::InstanceGroup
            | Self::ProgramService
            | Self::EventSource
            | Self::CronJobs
            | Self::ProgramScheduler
            | Self::Link
            | Self::Protection
            | Self::WeightedRecords
            | Self::HealthChecks
            | Self::TrafficManager
            | Self::DnsRecord
            | Self::AzureDnsRecord
            | Self::CloudDnsRecord
            | Self::HttpEndpoint
            | Self::Alarms => true,
        }
    }
}
