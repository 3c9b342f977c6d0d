//! What each kind of component can do: its steps, the strategies it belongs to, whether it has a way back.

use serde_json::Value;

use super::declared::Entry;
use super::part::Part;
use super::{backups, compute, data, dns, health, managed, path, queue, replica, traffic};
use crate::model::component::{Component, ComponentKind};

/// Adds the steps of a component; returns the reading of its recovery point.
pub(super) fn steps(component: &Component, part: &mut Part<'_>) -> Option<Value> {
    match component {
        Component::PostgresServer(it) => return Some(data::postgres(it, part)),
        Component::DistributedPostgres(it) => return Some(data::distributed_postgres(it, part)),
        Component::ReadReplica(it) => return Some(replica::read_replica(it, part)),
        Component::GlobalCluster(it) => return Some(data::global_cluster(it, part)),
        Component::GlobalTable(it) => return Some(data::global_table(it, part)),
        Component::AutomatedBackup(it) => return Some(backups::automated_backup(it, part)),
        Component::BackupResource(it) => return Some(backups::backup_resource(it, part)),
        Component::FailoverGroup(it) => return Some(managed::failover_group(it, part)),
        Component::FlexibleServer(it) => return Some(managed::flexible_server(it, part)),
        Component::CloudSqlReplica(it) => return Some(managed::cloud_sql(it, part)),
        Component::EcsService(it) => compute::ecs(it, part),
        Component::AutoscalingGroup(it) => compute::autoscaling(it, part),
        Component::NodeGroup(it) => compute::nodegroup(it, part),
        Component::Workload(it) => compute::workload(it, part),
        Component::ScaleSet(it) => compute::scale_set(it, part),
        Component::InstanceGroup(it) => compute::instance_group(it, part),
        Component::ProgramService(it) => compute::program_service(it, part),
        Component::EventSource(it) => queue::event_source(it, part),
        Component::CronJobs(it) => queue::cronjobs(it, part),
        Component::ProgramScheduler(it) => queue::scheduler(it, part),
        Component::Link(it) => path::link(it, part),
        Component::Protection(it) => backups::protection(it, part),
        Component::RoutingControls(it) => traffic::routing_controls(it, part),
        Component::WeightedRecords(it) => traffic::weighted_records(it, part),
        Component::FailoverRecord(it) => traffic::failover_record(it, part),
        Component::HealthChecks(it) => traffic::health_checks(it, part),
        Component::TrafficManager(it) => traffic::traffic_manager(it, part),
        Component::DnsRecord(it) => dns::record(it, part),
        Component::AzureDnsRecord(it) => dns::azure(it, part),
        Component::CloudDnsRecord(it) => dns::cloud(it, part),
        Component::HttpEndpoint(it) => health::http_endpoint(it, part),
        Component::Alarms(it) => health::alarms(it, part),
    }
    None
}

/// Whether the way back can be derived: the data can be exchanged, or made anew in the site it returns to.
pub(super) fn returns(entries: &[Entry]) -> bool {
    entries.iter().all(|entry| match &entry.component {
        Component::ReadReplica(it) => it.rebuild.is_some(),
        other => !matches!(other.kind(), ComponentKind::BackupResource | ComponentKind::AutomatedBackup),
    })
}
