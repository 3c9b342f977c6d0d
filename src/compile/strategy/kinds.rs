//! What each kind of component can do: its steps, the strategies it belongs to, whether it has a way back.

use serde_json::Value;

use super::declared::Entry;
use super::part::Part;
use super::{compute, data, traffic};
use crate::model::component::{Component, ComponentRole};
use crate::model::runbook::Strategy;

/// Adds the steps of a component; returns the reading of its recovery point.
pub(super) fn steps(component: &Component, part: &mut Part<'_>) -> Option<Value> {
    match component {
        Component::PostgresServer(it) => return Some(data::postgres(it, part)),
        Component::ReadReplica(it) => return Some(data::read_replica(it, part)),
        Component::GlobalCluster(it) => return Some(data::global_cluster(it, part)),
        Component::BackupResource(it) => return Some(data::backup_resource(it, part)),
        Component::GlobalTable(it) => return Some(data::global_table(it, part)),
        Component::EcsService(it) => compute::ecs(it, part),
        Component::AutoscalingGroup(it) => compute::autoscaling(it, part),
        Component::EventSource(it) => compute::event_source(it, part),
        Component::RoutingControls(it) => traffic::routing_controls(it, part),
        Component::WeightedRecords(it) => traffic::weighted_records(it, part),
        Component::HttpEndpoint(it) => traffic::http_endpoint(it, part),
    }
    None
}

/// Whether the way back can be derived: the data can be exchanged as often as wanted.
pub(super) fn returns(entries: &[Entry]) -> bool {
    let swaps = |component: &Component| match component {
        Component::ReadReplica(_) | Component::BackupResource(_) => false,
        Component::PostgresServer(_) | Component::GlobalCluster(_) | Component::GlobalTable(_) => true,
        other => other.kind().role() != ComponentRole::Data,
    };
    entries.iter().all(|entry| swaps(&entry.component))
}

/// What a strategy and a kind of component have to do with each other.
pub(super) fn fits(component: &Component, strategy: Strategy) -> bool {
    match component {
        Component::PostgresServer(_) | Component::ReadReplica(_) | Component::GlobalCluster(_) => {
            matches!(strategy, Strategy::PilotLight | Strategy::WarmStandby)
        }
        Component::BackupResource(_) => strategy == Strategy::BackupRestore,
        Component::GlobalTable(_) => strategy == Strategy::ActiveActive,
        Component::RoutingControls(_) => strategy != Strategy::ActiveActive,
        Component::EcsService(_)
        | Component::AutoscalingGroup(_)
        | Component::EventSource(_)
        | Component::WeightedRecords(_)
        | Component::HttpEndpoint(_) => true,
    }
}
